/* Clients that wait: each request is remembered by a number that goes with it through core, history
 * and data, and is answered once. A client that is gone by then costs nothing but the answer. */
#include "broker/broker.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdarg.h>
#include <string.h>

struct request *request_new(struct broker *broker, enum sw_message_type type, uint64_t ref)
{
    struct request *request = sw_alloc(1, sizeof *request);
    const zmq_msg_t *route = &broker->frames->route;
    size_t size = zmq_msg_size((zmq_msg_t *)route);
    request->begun_ms = sw_boot_ms();
    request->id = ++broker->last_request;
    request->type = type;
    request->ref = ref;
    request->route_size = SW_MIN(size, sizeof request->route);
    memcpy(request->route, zmq_msg_data((zmq_msg_t *)route), request->route_size);
    HASH_ADD(hh, broker->requests, id, sizeof request->id, request);
    return request;
}

struct request *request_find(struct broker *broker, uint64_t id)
{
    struct request *request = NULL;
    HASH_FIND(hh, broker->requests, &id, sizeof id, request);
    return request;
}

void request_done(struct broker *broker, struct request *request)
{
    HASH_DEL(broker->requests, request);
    sw_buf_done(&request->payload);
    sw_release(request->message);
    sw_release(request);
}

void client_send(struct broker *broker,
                 const struct request *request,
                 enum sw_message_type type,
                 const void *message)
{
    sw_buf_clear(&broker->scratch);
    sw_encode(type, message, &broker->scratch);
    int r = sw_link_send(broker->control, request->route, request->route_size, &broker->scratch,
                         NULL, 0);
    if (r < 0)
        sw_log(SW_LOG_DEBUG, "answer lost type=%d error=%s", (int)type, strerror(-r));
}

void request_append(struct request **list, struct request *request)
{
    while (*list)
        list = &(*list)->next;
    *list = request;
}

static struct request *pop_joined(struct request *request)
{
    struct request *joined = request->joined;
    if (joined) {
        request->joined = joined->next;
        joined->next = NULL;
    }
    return joined;
}

void client_ok(
    struct broker *broker, struct request *request, uint64_t job, uint32_t add, bool existing)
{
    struct core_job_view view = {0};
    for (struct request *repeat; (repeat = pop_joined(request));)
        client_ok(broker, repeat, job, add, repeat->type == SW_MSG_SUBMIT);
    if (card_live(broker, job))
        core_job(broker->core, job, &view);
    struct sw_msg_ok ok = {
        .ref = request->ref, .job = job, .add = add, .existing = existing, .chunks = view.chunks};
    client_send(broker, request, SW_MSG_OK, &ok);
    request_done(broker, request);
}

void client_error(
    struct broker *broker, struct request *request, const char *code, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (struct request *repeat; (repeat = pop_joined(request));)
        client_error(broker, repeat, code, "%s", text);
    struct sw_msg_error error = {.ref = request->ref,
                                 .code = sw_str_of(code),
                                 .message = sw_str_of(text),
                                 .job = request->job};
    client_send(broker, request, SW_MSG_ERROR, &error);
    request_done(broker, request);
}
