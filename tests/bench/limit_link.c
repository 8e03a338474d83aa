/* The limit program's link: slices of 256 KiB over CURVE to the worker, at most four not yet used,
 * and results back. Called by limit.c and limit_http.c; decides nothing about the bytes. */
#include "tests/bench/limit.h"

#include "base/io.h"

#include <errno.h>
#include <string.h>

#define WINDOW 4 /* slices under way, as an agent's window of 1 MiB */

enum word { WORD_ASK = 'a', WORD_SLICE = 's', WORD_RESULT = 'r', WORD_END = 'e' };

static int
say(zsock_t *socket, const struct sw_frames *to, enum word word, const void *bytes, size_t size)
{
    uint8_t byte = (uint8_t)word;
    struct sw_buf header = {.data = &byte, .size = 1};
    const void *route = to ? zmq_msg_data((zmq_msg_t *)&to->route) : NULL;
    size_t route_size = to ? zmq_msg_size((zmq_msg_t *)&to->route) : 0;
    return sw_link_send(socket, route, route_size, &header, bytes, size);
}

/* ---- the server's side ---- */

static int allow(void *arg, const char *key, const char *domain)
{
    (void)arg, (void)key, (void)domain;
    return 200;
}

struct feed {
    const struct limit *limit;
    zsock_t *socket;
    int in_fd, out_fd;
    uint64_t sent;
    bool ended;
};

static void answer(struct feed *feed, const struct sw_frames *message)
{
    static uint8_t slice[SW_SLICE_BYTES_MAX];
    uint8_t word = *(const uint8_t *)sw_frame_data(message, 0);
    size_t n = (size_t)SW_MIN((uint64_t)sizeof slice, feed->limit->bytes - feed->sent);
    if (word == WORD_END) {
        feed->ended = true;
    } else if (word == WORD_RESULT) {
        limit_check(
            sw_write_all(feed->out_fd, sw_frame_data(message, 1), sw_frame_size(message, 1)),
            "result");
    } else if (n) {
        limit_check(sw_pread_all(feed->in_fd, slice, n, feed->sent), "input");
        limit_check(say(feed->socket, message, WORD_SLICE, slice, n), "slice");
        feed->sent += n;
    }
}

void limit_feed_worker(const struct limit *limit, int in_fd, int out_fd)
{
    struct sw_err err = {0};
    sw_link_start(1);
    zsock_t *zap = sw_zap_bind(&err);
    struct feed feed = {
        .limit = limit,
        .in_fd = in_fd,
        .out_fd = out_fd,
        .socket =
            sw_link_bind(limit->endpoint, &limit->server_keys, "bench", 1, SW_DATA_BYTES_MAX, &err),
    };
    limit_check(zap && feed.socket ? 0 : -EIO, err.text);
    while (!feed.ended) {
        zmq_pollitem_t items[] = {{.socket = zsock_resolve(zap), .events = ZMQ_POLLIN},
                                  {.socket = zsock_resolve(feed.socket), .events = ZMQ_POLLIN}};
        zmq_poll(items, 2, -1);
        sw_zap_serve(zap, allow, NULL);
        struct sw_frames message;
        while (sw_link_recv(feed.socket, true, SW_DATA_BYTES_MAX, &message) == 0) {
            answer(&feed, &message);
            sw_frames_done(&message);
        }
    }
    zsock_destroy(&feed.socket);
    zsock_destroy(&zap);
}

/* ---- the worker's side ---- */

struct link_reader {
    struct sw_reader reader;
    const struct limit *limit;
    zsock_t *socket;
    struct sw_frames slice; /* held while has_slice */
    bool has_slice;
    size_t used;
    uint64_t left; /* of the file */
};

struct link_writer {
    struct sw_writer writer;
    zsock_t *socket;
    size_t n;
    uint8_t bytes[SW_SLICE_BYTES_MAX];
};

static void next_file(struct sw_reader *reader, size_t index)
{
    struct link_reader *in = (struct link_reader *)reader;
    in->left = in->limit->sizes[index];
}

static int await_slice(struct link_reader *in)
{
    while (!in->has_slice) {
        int r = sw_link_recv(in->socket, false, SW_DATA_BYTES_MAX, &in->slice);
        if (r == 0) {
            in->has_slice = true;
            in->used = 0;
        } else if (r != -EAGAIN) {
            return r;
        } else {
            zmq_poll(&(zmq_pollitem_t){.socket = zsock_resolve(in->socket), .events = ZMQ_POLLIN},
                     1, -1);
        }
    }
    return 0;
}

static ssize_t link_read(struct sw_reader *reader, void *p, size_t n)
{
    struct link_reader *in = (struct link_reader *)reader;
    n = (size_t)SW_MIN((uint64_t)n, in->left);
    if (n == 0)
        return 0;
    int r = await_slice(in);
    if (r < 0)
        return r;
    size_t size = sw_frame_size(&in->slice, 1);
    n = SW_MIN(n, size - in->used);
    memcpy(p, (const uint8_t *)sw_frame_data(&in->slice, 1) + in->used, n);
    in->used += n;
    in->left -= n;
    if (in->used < size)
        return (ssize_t)n;
    sw_frames_done(&in->slice);
    in->has_slice = false;
    r = say(in->socket, NULL, WORD_ASK, NULL, 0);
    return r < 0 ? r : (ssize_t)n;
}

static int flush(struct link_writer *out)
{
    int r = out->n ? say(out->socket, NULL, WORD_RESULT, out->bytes, out->n) : 0;
    out->n = 0;
    return r;
}

static int link_write(struct sw_writer *writer, const void *p, size_t n)
{
    struct link_writer *out = (struct link_writer *)writer;
    for (const uint8_t *at = p; n;) {
        size_t part = SW_MIN(n, sizeof out->bytes - out->n);
        memcpy(out->bytes + out->n, at, part);
        out->n += part;
        at += part;
        n -= part;
        int r = out->n == sizeof out->bytes ? flush(out) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

void limit_work(const struct limit *limit)
{
    static struct link_writer out = {.writer = {link_write}};
    struct link_reader in = {.reader = {link_read}, .limit = limit};
    struct sw_err err = {0};
    sw_link_start(1);
    in.socket = sw_link_connect(limit->endpoint, &limit->worker_keys, SW_DATA_BYTES_MAX, &err);
    limit_check(in.socket ? 0 : -EIO, err.text);
    out.socket = in.socket;
    for (int i = 0; i < WINDOW; i++)
        limit_check(say(in.socket, NULL, WORD_ASK, NULL, 0), "ask");
    limit_run_kernel(limit, &in.reader, &out.writer, next_file);
    limit_check(flush(&out), "result");
    limit_check(say(in.socket, NULL, WORD_END, NULL, 0), "end");
    zsock_set_linger(in.socket, 10000);
    zsock_destroy(&in.socket);
    zsys_shutdown();
}
