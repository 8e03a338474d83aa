/* Slots that work as they should: real kernels, batches, large and streamed data, tails, isolation.
 * This program is its own slot process. */
#include "bad_kernels.h"
#include "slot_rig.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/io.h"

#include <fcntl.h>
#include <unistd.h>

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

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--slot") == 0)
        return slot_main(bad_kernels());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
