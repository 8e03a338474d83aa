/* Addresses of the REST interface. Pure; called by the verbs. */
#include "paths.h"

#include "http.h"

#include <string.h>

char *path_of(const char *collection, const char *id, const char *tail)
{
    AUTO_BUF struct sw_buf path = {0};
    sw_buf_printf(&path, "/api/%s/", collection);
    http_escape(&path, id, strlen(id));
    sw_buf_text(&path, tail);
    return sw_buf_take_text(&path);
}

void path_query(struct sw_buf *path, const char *key, const char *value)
{
    if (!value)
        return;
    sw_buf_printf(path, "%c%s=", strchr((const char *)path->data, '?') ? '&' : '?', key);
    http_escape(path, value, strlen(value));
}
