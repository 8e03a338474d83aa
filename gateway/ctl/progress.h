/* The bar on a terminal: what was sent, what is done, the rate, an honest estimate. Nothing
 * otherwise. */
#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

void progress_open(bool wanted, uint64_t bytes); /* of all inputs */
void progress_sent(uint64_t bytes);              /* in all so far; may fall after a break */
void progress_done(double fraction);             /* of the work, as the gateway says */
void progress_fetched(uint64_t bytes, uint64_t of);
bool progress_is_due(void); /* it is time to ask the gateway how far the work is */
void progress_hide(void);   /* clears the line, so that something can be said; it comes back */
void progress_close(void);

#endif
