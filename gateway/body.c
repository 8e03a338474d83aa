/* JSON bodies: bounded before they are parsed, since a small text can make a large tree. Called by
 * the request, on the loop or off it; keeps nothing. */
#include "base/own.h"
#include "reply.h"
#include "request.h"
#include "work.h"

#include <errno.h>

#define PARSE_HERE_MAX ((size_t)64 << 10) /* a larger body is parsed off the loop */
#define JSON_DEPTH_MAX 16
#define JSON_VALUES_MAX                                                                            \
    100000 /* 10,000 inputs of name, data and encoding, and some room: 20 MB as a tree */

static int scan(const char *p, size_t size, struct sw_err *err)
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

static int parse(const struct sw_buf *body, json_t **ret, struct sw_err *err)
{
    json_error_t problem;
    if (body->size == 0)
        return sw_fail(err, EINVAL, "a JSON object is needed as body");
    int r = scan((const char *)body->data, body->size, err);
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

struct parsing {
    struct request *request;
    const struct sw_buf *body;
    json_t *json;
    struct sw_err err;
    int result;
};

static void parse_in_pool(void *arg)
{
    struct parsing *p = arg;
    p->result = parse(p->body, &p->json, &p->err);
}

static void parsed(void *arg)
{
    struct parsing *p = arg;
    struct request *r = p->request;
    r->json = p->json;
    if (p->result < 0)
        reply_error(r, REPLY_BAD_REQUEST, "%s", p->err.text);
    else if (r->connection)
        r->route->handle(r);
    sw_release(p);
    request_release(r);
}

void body_handle(struct request *r)
{
    struct parsing *p = sw_alloc(1, sizeof *p);
    *p = (struct parsing){.request = r, .body = &r->body};
    request_hold(r);
    if (r->body.size > PARSE_HERE_MAX) {
        work_start(r->gateway, p, parse_in_pool, parsed);
    } else {
        parse_in_pool(p);
        parsed(p);
    }
}
