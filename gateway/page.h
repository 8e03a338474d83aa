/* The dashboard's files as the gateway serves them: without a token, from memory. */
#ifndef GATEWAY_PAGE_H
#define GATEWAY_PAGE_H

#include "gateway.h"

/* Reads the folder `pages`, or where that is NULL the first that exists of dashboard/dist beside
 * this program (a build) and the installed one. No folder at all is no error: there is no page. */
int page_open(struct gateway *, struct sw_err *err); /* sets g->page */
void page_destroy(struct page **);

#endif
