/* Addresses of the REST interface, with ids percent-encoded. */
#ifndef CTL_PATHS_H
#define CTL_PATHS_H

#include "base/buf.h"

/* "/api/jobs/ID" + tail; the caller owns it. */
char *path_of(const char *collection, const char *id, const char *tail);
/* Appends "?key=value" or "&key=value", the value encoded; nothing when it is NULL. */
void path_query(struct sw_buf *path, const char *key, const char *value);

#endif
