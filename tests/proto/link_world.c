/* Pumps real sockets on loopback until something happens, never for a time that was guessed. */
#include "link_world.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int decide(void *arg, const char *public_key, const char *domain)
{
    struct world *world = arg;
    world->asked++;
    snprintf(world->domain, sizeof world->domain, "%s", domain);
    return !strcmp(public_key, world->allowed) ? 200 : 300;
}

/* One a process, as in a program: its place is free again only some time after it was closed. */
static zsock_t *zap;

static zsock_t *the_zap(struct world *world)
{
    struct sw_err err;
    if (!zap)
        zap = sw_zap_bind(&err);
    if (zap)
        sw_zap_serve(zap, decide, world); /* what peers of the last world still asked */
    world->asked = 0;
    return zap;
}

struct world *world_new(bool with_zap, size_t max_bytes)
{
    struct world *world = sw_alloc(1, sizeof *world);
    struct sw_err err;
    size_t size = sizeof world->endpoint;
    sw_keys_make(&world->server);
    sw_keys_make(&world->client);
    memcpy(world->client.server_key, world->server.public_key, SW_KEY_TEXT);
    memcpy(world->allowed, world->client.public_key, SW_KEY_TEXT);
    if (with_zap)
        world->zap = the_zap(world);
    world->router = sw_link_bind("tcp://127.0.0.1:*", &world->server, "test", 1, max_bytes, &err);
    if (!world->router || (with_zap && !world->zap) ||
        zmq_getsockopt(zsock_resolve(world->router), ZMQ_LAST_ENDPOINT, world->endpoint, &size) < 0)
        abort();
    return world;
}

int world_end(void **state)
{
    (void)state;
    zsock_destroy(&zap);
    return 0;
}

void world_destroy(struct world **world)
{
    if (!*world)
        return;
    zsock_destroy(&(*world)->router);
    sw_release(*world);
    *world = NULL;
}

zsock_t *world_connect(struct world *world, const struct sw_keys *keys)
{
    struct sw_err err;
    return sw_link_connect(world->endpoint, keys, SW_CONTROL_BYTES_MAX, &err);
}

zsock_t *world_raw(const struct sw_keys *keys)
{
    zsock_t *socket = zsock_new(ZMQ_DEALER);
    void *handle = zsock_resolve(socket);
    if (keys) {
        zmq_setsockopt(handle, ZMQ_CURVE_SERVERKEY, keys->server_key, SW_KEY_TEXT);
        zmq_setsockopt(handle, ZMQ_CURVE_PUBLICKEY, keys->public_key, SW_KEY_TEXT);
        zmq_setsockopt(handle, ZMQ_CURVE_SECRETKEY, keys->secret_key, SW_KEY_TEXT);
    }
    zmq_setsockopt(handle, ZMQ_LINGER, &(int){0}, sizeof(int));
    return socket;
}

/* Waits for anything at the socket, answering ZAP meanwhile; false when the time is over. */
static bool pump(struct world *world, zsock_t *socket, int64_t until_ms)
{
    zmq_pollitem_t items[] = {{.socket = zsock_resolve(socket), .events = ZMQ_POLLIN},
                              {.events = ZMQ_POLLIN}};
    if (world->zap)
        items[1].socket = zsock_resolve(world->zap);
    int64_t left = until_ms - sw_boot_ms();
    if (left <= 0)
        return false;
    zmq_poll(items, world->zap ? 2 : 1, left);
    if (world->zap)
        sw_zap_serve(world->zap, decide, world);
    return true;
}

static int receive(struct world *world, zsock_t *socket, bool router, struct sw_frames *ret)
{
    int64_t until_ms = sw_boot_ms() + WORLD_MS;
    do {
        int r = sw_link_recv(socket, router, SW_CONTROL_BYTES_MAX, ret);
        if (r != -EAGAIN)
            return r;
    } while (pump(world, socket, until_ms));
    return -ETIMEDOUT;
}

int world_receive(struct world *world, struct sw_frames *ret)
{
    return receive(world, world->router, true, ret);
}

int world_answer(struct world *world, zsock_t *dealer, struct sw_frames *ret)
{
    return receive(world, dealer, false, ret);
}

zsock_t *world_watch(zsock_t *socket)
{
    static unsigned number;
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "inproc://watch-%u", number++);
    zmq_socket_monitor(zsock_resolve(socket), endpoint,
                       ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                           ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                           ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_DISCONNECTED);
    zsock_t *monitor = zsock_new(ZMQ_PAIR);
    return zmq_connect(zsock_resolve(monitor), endpoint) == 0 ? monitor : NULL;
}

/* In this order: a monitor that nobody reads stops the I/O thread. */
void world_unwatch(zsock_t *socket, zsock_t **monitor)
{
    zmq_socket_monitor(zsock_resolve(socket), NULL, 0);
    zsock_destroy(monitor);
}

int world_event(struct world *world, zsock_t *monitor, int events, unsigned *ret_value)
{
    int64_t until_ms = sw_boot_ms() + WORLD_MS;
    void *handle = zsock_resolve(monitor);
    do {
        uint8_t frame[6];
        char address[256];
        while (zmq_recv(handle, frame, sizeof frame, ZMQ_DONTWAIT) == sizeof frame) {
            int event = frame[0] | frame[1] << 8;
            zmq_recv(handle, address, sizeof address, ZMQ_DONTWAIT);
            memcpy(ret_value, frame + 2, sizeof *ret_value);
            if (event & events)
                return event;
        }
    } while (pump(world, monitor, until_ms));
    return 0;
}
