/* JSON bodies: bounded before they are parsed, since a small text can make a large tree. Called by
 * the request, on the loop or off it; keeps nothing. */
#include "base/err.h"
#include "request.h"

#include <errno.h>

#define JSON_DEPTH_MAX 16
#define JSON_VALUES_MAX                                                                            \
    100000 /* 10,000 inputs of name, data and encoding, and some room: 20 MB as a tree */

int body_scan(const char *p, size_t size, struct sw_err *err)
{
    size_t depth = 0, values = 1;
    bool in_text = false;
    for (size_t i = 0; i < size; i++) {
        if (in_text) {
            if (p[i] == '\\')
                i++;
            else if (p[i] == '"')
                in_text = false;
            continue;
        }
        if (p[i] == '"')
            in_text = true;
        else if (p[i] == '[' || p[i] == '{')
            depth++, values++;
        else if ((p[i] == ']' || p[i] == '}') && depth)
            depth--;
        else if (p[i] == ',')
            values++;
        if (depth > JSON_DEPTH_MAX)
            return sw_fail(err, EINVAL, "JSON nested deeper than %d", JSON_DEPTH_MAX);
        if (values > JSON_VALUES_MAX)
            return sw_fail(err, EINVAL, "JSON of more than %d values", JSON_VALUES_MAX);
    }
    return 0;
}

int body_parse(const struct sw_buf *body, json_t **ret, struct sw_err *err)
{
    json_error_t problem;
    if (body->size == 0)
        return sw_fail(err, EINVAL, "a JSON object is needed as body");
    int r = body_scan((const char *)body->data, body->size, err);
    if (r < 0)
        return r;
    json_t *json = json_loadb((const char *)body->data, body->size,
                              JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &problem);
    if (!json)
        return sw_fail(err, EINVAL, "not JSON: line %d, column %d: %s", problem.line,
                       problem.column, problem.text);
    if (!json_is_object(json)) {
        json_decref(json);
        return sw_fail(err, EINVAL, "the body must be a JSON object");
    }
    *ret = json;
    return 0;
}
