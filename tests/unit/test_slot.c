/* Slots that work as they should: real kernels, batches, large and streamed data, tails, isolation.
 * This program is its own slot process. */
#include "bad_kernels.h"
#include "slot_rig.h"

#include "agent/sandbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

static void test_hash(void **state)
{
    struct rig rig;
    struct rig_chunk chunk = {0};
    (void)state;
    rig_open(&rig);
    rig_prepare(&rig, "hash", NULL, NULL);
    rig_run_text(&rig, &chunk, "abc");
    assert_int_equal(chunk.end, SLOT_DONE);
    assert_string_equal(
        (char *)chunk.output.data,
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  file-0\n");
    assert_int_equal(chunk.segments[0].length, chunk.output.size);
    assert_string_equal(chunk.segments[0].error, "");
    rig_chunk_done(&chunk);
    /* another setup, another process */
    rig_prepare(&rig, "hash", "algorithm", "sha512");
    rig_run_text(&rig, &chunk, "abc");
    assert_int_equal(chunk.end, SLOT_DONE);
    assert_memory_equal(chunk.output.data, "ddaf35a193617aba", 16);
    rig_chunk_done(&chunk);
    rig_close(&rig);
}

/* Every kernel and everything it may call lazily, inside the walls. */
static void test_kernels(void **state)
{
    static const struct {
        const char *kernel, *param, *value, *input, *output;
    } cases[] = {
        {"hash", "algorithm", "blake2b", "", NULL},
        {"compress", "level", "1", "text text text text", NULL},
        {"compress", "level", "19", "text text text text", NULL},
        {"filter", "pattern", "^(a|b)+c\\b", "aabc\nabd\nbc d\n", "aabc\nbc d\n"},
        {"transform", "op", "upper", "some text", "SOME TEXT"},
        {"transform", "op", "crlf", "a\nb\n", "a\r\nb\r\n"},
        {"transform", "op", "base64", "some text", "c29tZSB0ZXh0\n"},
        {"transform", "op", "unbase64", "c29tZSB0ZXh0", "some text"},
    };
    struct rig rig;
    (void)state;
    rig_open(&rig);
    for (size_t i = 0; i < SW_COUNT(cases); i++) {
        struct rig_chunk chunk = {0};
        rig_prepare(&rig, cases[i].kernel, cases[i].param, cases[i].value);
        rig_run_text(&rig, &chunk, cases[i].input);
        if (chunk.end != SLOT_DONE)
            print_error("%s %s: %s\n", cases[i].kernel, cases[i].value, chunk.reason);
        assert_int_equal(chunk.end, SLOT_DONE);
        if (cases[i].output)
            assert_string_equal((char *)chunk.output.data, cases[i].output);
        rig_chunk_done(&chunk);
    }
    rig_close(&rig);
}

static void test_iconv(void **state)
{
    static const struct sw_param_text params[] = {
        {"op", "iconv", 5}, {"from", "ISO-8859-15", 11}, {"to", "UTF-8", 5}};
    struct slot_setup setup = {"transform", params, 3, RIG_MEMORY};
    struct rig rig;
    struct rig_chunk chunk = {0};
    (void)state;
    rig_open(&rig);
    assert_int_equal(slot_prepare(rig.slot, &setup), 0);
    rig_run_text(&rig, &chunk, "\xa4 100");
    assert_int_equal(chunk.end, SLOT_DONE);
    assert_string_equal((char *)chunk.output.data, "\xe2\x82\xac 100");
    rig_chunk_done(&chunk);
    rig_close(&rig);
}

static void test_many(void **state)
{
    enum { N = 5000 };
    struct rig rig;
    struct rig_chunk *chunks = calloc(N, sizeof *chunks);
    (void)state;
    rig_open(&rig);
    rig_prepare(&rig, "act", NULL, NULL);
    for (int i = 0; i < N; i++) {
        char text[32];
        const char *texts[2] = {text, i % 7 == 0 ? "error" : "x"};
        snprintf(text, sizeof text, "number %d", i);
        rig_stream(&chunks[i].stream, texts, 2, 0);
        rig_add(&rig, &chunks[i]);
    }
    rig_wait(&rig, N);
    for (int i = 0; i < N; i++) {
        char text[32];
        snprintf(text, sizeof text, i % 7 ? "number %dx" : "number %d", i);
        assert_int_equal(chunks[i].end, SLOT_DONE);
        assert_string_equal((char *)chunks[i].output.data, text);
        assert_int_equal(chunks[i].n_segments, 2);
        /* what the kernel wrote before its error is taken back */
        assert_int_equal(chunks[i].segments[1].length, i % 7 ? 1 : 0);
        assert_string_equal(chunks[i].segments[1].error, i % 7 ? "" : "a corrupt file ?[1m");
        rig_chunk_done(&chunks[i]);
    }
    free(chunks);
    rig_close(&rig);
}

/* Inputs and outputs of all sizes up to what travels inside packets, and one byte more. */
static void test_sizes(void **state)
{
    enum { N = 400 };
    struct rig rig;
    struct rig_chunk *chunks = calloc(N, sizeof *chunks);
    char *text = malloc(SLOT_INLINE_MAX + 2);
    (void)state;
    rig_open(&rig);
    rig_prepare(&rig, NULL, NULL, NULL);
    for (size_t i = 0; i < N; i++) {
        const char *p = text;
        size_t n = i < 30 ? SLOT_INLINE_MAX + 1 - i : i % 8 ? i * 37 : SLOT_INLINE_MAX - 100;
        memset(text, 'a' + (int)(i % 26), n);
        text[n] = 0;
        rig_stream(&chunks[i].stream, &p, 1, 0);
        rig_add(&rig, &chunks[i]);
    }
    rig_wait(&rig, N);
    for (size_t i = 0; i < N; i++) {
        size_t n = i < 30 ? SLOT_INLINE_MAX + 1 - i : i % 8 ? i * 37 : SLOT_INLINE_MAX - 100;
        memset(text, 'a' + (int)(i % 26), n);
        assert_int_equal(chunks[i].end, SLOT_DONE);
        assert_int_equal(chunks[i].output.size, n);
        assert_memory_equal(chunks[i].output.data, text, n);
        rig_chunk_done(&chunks[i]);
    }
    free(text);
    free(chunks);
    rig_close(&rig);
}

static void test_refused(void **state)
{
    struct rig rig;
    struct rig_chunk a = {0};
    struct rig_chunk b = {0};
    const char *text = "x";
    (void)state;
    rig_open(&rig);
    rig_prepare(&rig, NULL, "open", "the sesame");
    rig_stream(&b.stream, &text, 1, 0);
    rig_add(&rig, &b);
    rig_run_text(&rig, &a, "x");
    assert_int_equal(rig.n_ended, 2); /* each run of this setup, not one start for each */
    assert_int_equal(b.end, SLOT_FAIL);
    assert_string_equal(b.reason, "will not open for 'the sesame'");
    rig_chunk_done(&a);
    rig_chunk_done(&b);
    rig_prepare(&rig, "compress", "level", "99");
    rig_run_text(&rig, &a, "x");
    assert_int_equal(a.end, SLOT_FAIL);
    assert_non_null(strstr(a.reason, "level"));
    rig_chunk_done(&a);
    rig_prepare(&rig, "no-such-kernel", NULL, NULL);
    rig_run_text(&rig, &a, "x");
    assert_int_equal(a.end, SLOT_RETURN);
    rig_chunk_done(&a);
    rig_prepare(&rig, NULL, "open", "crash");
    rig_run_text(&rig, &a, "x");
    assert_int_equal(a.end, SLOT_FAIL);
    if (!SANDBOX_SANITIZED)
        assert_string_equal(a.reason, "while opening the kernel: killed by SIGSEGV");
    rig_chunk_done(&a);
    rig_prepare(&rig, NULL, NULL, NULL);
    rig_run_text(&rig, &a, "x");
    assert_int_equal(a.end, SLOT_DONE);
    rig_chunk_done(&a);
    rig_close(&rig);
}

static void test_no_descriptors(void **state)
{
    struct rig rig;
    struct rig_chunk chunk = {0};
    struct rlimit old, none;
    (void)state;
    rig_open(&rig);
    rig_prepare(&rig, NULL, NULL, NULL);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = (rlim_t)slot_fd(rig.slot) + 2;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    rig_run_text(&rig, &chunk, "x");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(chunk.end, SLOT_RETURN);
    assert_string_equal(chunk.reason, "cannot start a slot process: Too many open files");
    rig_chunk_done(&chunk);
    rig_run_text(&rig, &chunk, "x");
    assert_int_equal(chunk.end, SLOT_DONE);
    rig_chunk_done(&chunk);
    rig_close(&rig);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--slot") == 0)
        return slot_main(bad_kernels());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash),           cmocka_unit_test(test_kernels),
        cmocka_unit_test(test_iconv),          cmocka_unit_test(test_many),
        cmocka_unit_test(test_sizes),          cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
