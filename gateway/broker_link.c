/* Owns the sockets to the broker and where they lead. Called by broker.c, which knows what is asked
 * over them.
 *
 * Of several brokers one works and the others have no port open: one that refuses, breaks the link
 * or stays silent is left for the next. A single one gets a fresh socket now and then, since a dead
 * socket has queued what nobody waits for any more. */
#include "broker_link.h"

#include "base/clock.h"
#include "base/own.h"

#include <errno.h>

#define REBUILD_MS 5000
#define SILENT_MS  2000 /* where another may work */
#define ROUND_MS   300  /* between two rounds over all; a standby takes seconds to take over */

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct broker_link *link = poll->data;
    (void)status, (void)events;
    link->look(link->arg);
}

static uv_poll_t *start_poll(struct broker_link *link, zsock_t *socket)
{
    uv_poll_t *poll = sw_alloc(1, sizeof *poll);
    uv_poll_init(link->loop, poll, (int)zsock_fd(socket));
    poll->data = link;
    uv_poll_start(poll, UV_READABLE, on_readable);
    return poll;
}

int broker_link_open(struct broker_link *link, struct sw_err *err)
{
    link->waits_ms = sw_boot_ms();
    link->next_ms = 0;
    link->socket = sw_link_connect_watched(link->brokers.at[link->at].control, &link->keys,
                                           SW_CONTROL_BYTES_MAX * 2, &link->watch, err);
    if (!link->socket)
        return -ENOTCONN;
    link->readable = start_poll(link, link->socket);
    link->watched = start_poll(link, link->watch);
    return 0;
}

static void free_handle(uv_handle_t *handle)
{
    sw_release(handle);
}

void broker_link_close(struct broker_link *link)
{
    if (link->readable)
        uv_close((uv_handle_t *)TAKE(link->readable), free_handle);
    if (link->watched)
        uv_close((uv_handle_t *)TAKE(link->watched), free_handle);
    sw_link_close(&link->socket, &link->watch, 0);
}

const char *broker_link_place(const struct broker_link *link)
{
    return link->brokers.at[link->at].place;
}

static void give_up(struct broker_link *link, int64_t now_ms)
{
    if (link->brokers.n <= 1 || link->next_ms)
        return; /* a single one's socket tries by itself */
    link->next_ms = now_ms + (++link->failed % link->brokers.n ? 0 : ROUND_MS);
}

bool broker_link_broke(struct broker_link *link)
{
    bool broke = false;
    for (enum sw_link_event event; link->watch && (event = sw_link_event(link->watch));) {
        broke |= event == SW_LINK_DOWN;
        if (event != SW_LINK_UP)
            give_up(link, sw_boot_ms());
    }
    return broke;
}

bool broker_link_search(struct broker_link *link)
{
    int64_t now_ms = sw_boot_ms(), silent_ms = link->brokers.n > 1 ? SILENT_MS : REBUILD_MS;
    if (now_ms - link->waits_ms >= silent_ms)
        give_up(link, now_ms);
    else if (!link->next_ms)
        return false;
    if (now_ms < link->next_ms)
        return false;
    if (link->brokers.n > 1)
        link->at = (link->at + 1) % link->brokers.n;
    broker_link_close(link);
    return broker_link_open(link, NULL) == 0;
}

void broker_link_answers(struct broker_link *link)
{
    link->failed = 0;
    link->next_ms = 0;
}

void broker_link_doubt(struct broker_link *link)
{
    link->waits_ms = sw_boot_ms();
}
