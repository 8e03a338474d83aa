/* The network sockets on loopback: who gets in, who does not, and what becomes of messages that are
 * over a limit. Nothing here is replaced; a second is never waited for when an event tells. */
#include "link_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FAILED                                                                                     \
    (ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |                       \
     ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)

static void say(zsock_t *dealer, const char *text)
{
    assert_int_equal(zmq_send(zsock_resolve(dealer), text, strlen(text), ZMQ_DONTWAIT),
                     strlen(text));
}

static void expect_text(struct world *world, const char *text)
{
    struct sw_frames frames;
    assert_int_equal(world_receive(world, &frames), 0);
    assert_int_equal(frames.n, 1);
    assert_int_equal(sw_frame_size(&frames, 0), strlen(text));
    assert_memory_equal(sw_frame_data(&frames, 0), text, strlen(text));
    assert_string_equal(frames.user_id, world->client.public_key);
    sw_frames_done(&frames);
}

static void the_right_key_gets_in(void **state)
{
    struct world *world = *state;
    zsock_t *dealer = world_connect(world, &world->client);
    struct sw_frames frames, answer;
    AUTO_BUF struct sw_buf header = {0};
    say(dealer, "hello");
    assert_int_equal(world_receive(world, &frames), 0);
    assert_string_equal(frames.user_id, world->client.public_key);
    assert_string_equal(world->domain, "test");
    assert_true(frames.has_route && frames.fd >= 0);
    sw_buf_text(&header, "head");
    assert_int_equal(sw_link_send(world->router, zmq_msg_data(&frames.route),
                                  zmq_msg_size(&frames.route), &header, "bytes", 5),
                     0);
    assert_int_equal(sw_link_send(world->router, zmq_msg_data(&frames.route),
                                  zmq_msg_size(&frames.route), &header, NULL, 0),
                     0);
    for (size_t n = 2; n > 0; n--) { /* an empty payload is no frame */
        assert_int_equal(world_answer(world, dealer, &answer), 0);
        assert_int_equal(answer.n, n);
        assert_memory_equal(sw_frame_data(&answer, 0), "head", 4);
        assert_null(answer.user_id);
        sw_frames_done(&answer);
    }
    sw_frames_done(&frames);
    zsock_destroy(&dealer);
}

static void an_unknown_key_waits_until_it_is_known(void **state)
{
    struct world *world = *state;
    unsigned value = 0;
    world->allowed[0] = 0;
    zsock_t *dealer = world_connect(world, &world->client), *monitor = world_watch(world->router);
    for (int i = 0; i < 2; i++) { /* it tries again by itself */
        assert_int_equal(world_event(world, monitor, FAILED, &value),
                         ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
        assert_int_equal(value, 300);
    }
    assert_true(world->asked >= 2);
    struct sw_frames frames;
    assert_int_equal(sw_link_recv(world->router, true, SW_CONTROL_BYTES_MAX, &frames), -EAGAIN);
    memcpy(world->allowed, world->client.public_key, SW_KEY_TEXT);
    say(dealer, "in");
    expect_text(world, "in");
    world_unwatch(world->router, &monitor);
    zsock_destroy(&dealer);
}

/* libzmq alone would let everyone in. */
static void without_a_zap_handler_nobody_gets_in(void **state)
{
    struct world *world = *state;
    zsock_t *dealer = world_connect(world, &world->client), *monitor = world_watch(world->router);
    unsigned value;
    for (int i = 0; i < 2; i++)
        assert_true(world_event(world, monitor, FAILED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED, &value) &
                    FAILED);
    struct sw_frames frames;
    assert_int_equal(sw_link_recv(world->router, true, SW_CONTROL_BYTES_MAX, &frames), -EAGAIN);
    world_unwatch(world->router, &monitor);
    zsock_destroy(&dealer);
}

/* Watched from before it connects: who is refused for good does not come again. */
static void refused(struct world *world, zsock_t *dealer)
{
    zsock_t *monitor = world_watch(world->router);
    unsigned value;
    assert_int_equal(zmq_connect(zsock_resolve(dealer), world->endpoint), 0);
    assert_int_not_equal(world_event(world, monitor, FAILED, &value), 0);
    struct sw_frames frames;
    assert_int_equal(sw_link_recv(world->router, true, SW_CONTROL_BYTES_MAX, &frames), -EAGAIN);
    world_unwatch(world->router, &monitor);
    zsock_destroy(&dealer);
}

static void other_mechanisms_and_servers_are_refused(void **state)
{
    struct world *world = *state;
    refused(world, world_raw(NULL)); /* NULL */
    zsock_t *plain = world_raw(NULL);
    zsock_set_plain_username(plain, "admin");
    zsock_set_plain_password(plain, "admin");
    refused(world, plain);
    struct sw_keys wrong = world->client;
    memcpy(wrong.server_key, world->client.public_key, SW_KEY_TEXT);
    refused(world, world_raw(&wrong)); /* a key pair of ours, another server's key */
    assert_int_equal(world->asked, 0);
    zsock_t *dealer = world_connect(world, &world->client);
    say(dealer, "still open");
    expect_text(world, "still open");
    zsock_destroy(&dealer);
}

static void a_frame_over_the_limit_ends_the_connection(void **state)
{
    struct world *world = *state;
    zsock_t *dealer = world_raw(&world->client), *other = world_connect(world, &world->client);
    zsock_t *monitor = world_watch(world->router);
    char *large = calloc(1, SW_CONTROL_BYTES_MAX + 1);
    assert_int_equal(zmq_connect(zsock_resolve(dealer), world->endpoint), 0);
    unsigned value;
    assert_true(zmq_send(zsock_resolve(dealer), large, SW_CONTROL_BYTES_MAX + 1, 0) > 0);
    assert_int_equal(world_event(world, monitor, ZMQ_EVENT_DISCONNECTED, &value),
                     ZMQ_EVENT_DISCONNECTED);
    say(other, "others are served");
    expect_text(world, "others are served");
    world_unwatch(world->router, &monitor);
    zsock_destroy(&other);
    zsock_destroy(&dealer);
    free(large);
}

/* Reads one message with so many frames of such a size; what sw_link_recv said of it. */
static int frames_of(struct world *world, zsock_t *dealer, size_t n, size_t size)
{
    struct sw_frames frames;
    char *bytes = calloc(1, size);
    for (size_t i = 0; i < n; i++)
        assert_true(zmq_send(zsock_resolve(dealer), bytes, size, i + 1 < n ? ZMQ_SNDMORE : 0) >= 0);
    int r = world_receive(world, &frames);
    assert_true(frames.has_route && frames.user_id);
    assert_string_equal(frames.user_id, world->client.public_key);
    assert_true(frames.n <= SW_FRAMES_MAX);
    sw_frames_done(&frames);
    free(bytes);
    return r;
}

static void many_frames_are_dropped_whole(void **state)
{
    struct world *world = *state;
    zsock_t *dealer = world_connect(world, &world->client);
    assert_int_equal(frames_of(world, dealer, SW_FRAMES_MAX, 10), 0);
    assert_int_equal(frames_of(world, dealer, SW_FRAMES_MAX + 1, 10), -EMSGSIZE);
    assert_int_equal(frames_of(world, dealer, 1000, 0), -EMSGSIZE);
    assert_int_equal(frames_of(world, dealer, 2, SW_CONTROL_BYTES_MAX / 2), 0);
    assert_int_equal(frames_of(world, dealer, 2, SW_CONTROL_BYTES_MAX / 2 + 1), -EMSGSIZE);
    say(dealer, "next");
    expect_text(world, "next");
    zsock_destroy(&dealer);
}

static void who_is_not_there_is_not_reached(void **state)
{
    struct world *world = *state;
    zsock_t *dealer = world_connect(world, &world->client), *monitor = world_watch(world->router);
    AUTO_BUF struct sw_buf header = {0};
    struct sw_frames frames;
    unsigned value;
    sw_buf_text(&header, "x");
    assert_int_equal(sw_link_send(world->router, "nobody", 6, &header, "y", 1), -EHOSTUNREACH);
    say(dealer, "here");
    assert_int_equal(world_receive(world, &frames), 0);
    zsock_destroy(&dealer);
    assert_int_equal(world_event(world, monitor, ZMQ_EVENT_DISCONNECTED, &value),
                     ZMQ_EVENT_DISCONNECTED);
    int r = 0; /* the pipe is taken down a moment after the connection */
    for (int i = 0; i < 1000000 && r == 0; i++)
        r = sw_link_send(world->router, zmq_msg_data(&frames.route), zmq_msg_size(&frames.route),
                         &header, "y", 1);
    assert_int_equal(r, -EHOSTUNREACH);
    sw_frames_done(&frames);
    world_unwatch(world->router, &monitor);
}

/* Slices for a peer that reads none: the queue ends, at a size that a hundred such peers may have.
 */
static void a_peer_that_never_reads_fills_its_queue_only(void **state)
{
    struct world *world = *state;
    zsock_t *dealer = world_raw(&world->client);
    AUTO_BUF struct sw_buf header = {0};
    struct sw_frames frames;
    char *slice = calloc(1, SW_SLICE_BYTES_MAX);
    zmq_setsockopt(zsock_resolve(dealer), ZMQ_RCVHWM, &(int){1}, sizeof(int));
    assert_int_equal(zmq_connect(zsock_resolve(dealer), world->endpoint), 0);
    say(dealer, "give");
    assert_int_equal(world_receive(world, &frames), 0);
    sw_buf_text(&header, "x");
    int r = 0, n = 0;
    for (; r == 0 && n < 1000; n++)
        r = sw_link_send(world->router, zmq_msg_data(&frames.route), zmq_msg_size(&frames.route),
                         &header, slice, SW_SLICE_BYTES_MAX);
    assert_int_equal(r, -EAGAIN);
    assert_true(n >= 32); /* a window of the smallest slices always fits */
    sw_frames_done(&frames);
    free(slice);
    zsock_destroy(&dealer);
}

static int with_zap(void **state)
{
    *state = world_new(true, SW_CONTROL_BYTES_MAX);
    return 0;
}

static int without_zap(void **state)
{
    *state = world_new(false, SW_CONTROL_BYTES_MAX);
    return 0;
}

static int as_data(void **state)
{
    *state = world_new(true, SW_DATA_BYTES_MAX);
    return 0;
}

static int end(void **state)
{
    world_destroy((struct world **)state);
    return 0;
}

#define TEST(function, setup) cmocka_unit_test_setup_teardown(function, setup, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_zap_handler_nobody_gets_in, without_zap),
        TEST(the_right_key_gets_in, with_zap),
        TEST(an_unknown_key_waits_until_it_is_known, with_zap),
        TEST(other_mechanisms_and_servers_are_refused, with_zap),
        TEST(a_frame_over_the_limit_ends_the_connection, with_zap),
        TEST(many_frames_are_dropped_whole, with_zap),
        TEST(who_is_not_there_is_not_reached, with_zap),
        TEST(a_peer_that_never_reads_fills_its_queue_only, as_data),
    };
    sw_link_start(2);
    return cmocka_run_group_tests(tests, NULL, world_end);
}
