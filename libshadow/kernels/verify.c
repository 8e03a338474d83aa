/* Whether an output is what a kernel may give: by the kernel's own verify, or by running it again
 * and comparing each byte as it comes. Called by the agent's slots; holds no output. */
#include "kernels/kernel.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define COMPARE_BLOCK 4096 /* on the stack */

/* Takes what the run gives and reads the same from the output. */
struct comparer {
    struct sw_writer writer;
    struct sw_reader *output;
    uint64_t at;
    bool differs;
};

static int compare(struct sw_writer *writer, const void *p, size_t n)
{
    struct comparer *c = (struct comparer *)writer;
    uint8_t block[COMPARE_BLOCK];
    for (const uint8_t *wanted = p; n;) {
        ssize_t got = c->output->read(c->output, block, SW_MIN(n, sizeof block));
        if (got < 0)
            return (int)got;
        if (got == 0 || memcmp(block, wanted, (size_t)got) != 0) {
            c->differs = true;
            return -ECANCELED; /* the run gives it back at once */
        }
        wanted += got;
        n -= (size_t)got;
        c->at += (uint64_t)got;
    }
    return 0;
}

/* 0 at the output's end, -EBADMSG before it. */
static int ends(struct sw_reader *output, uint64_t at, struct sw_err *err)
{
    uint8_t byte;
    ssize_t n = output->read(output, &byte, 1);
    if (n > 0)
        return sw_fail(err, EBADMSG, "the output goes on after byte %" PRIu64, at);
    return (int)n;
}

static int discard(struct sw_writer *writer, const void *p, size_t n)
{
    (void)writer;
    (void)p;
    (void)n;
    return 0;
}

/* The claim is that the input cannot be worked on, in the very words that a user will read. */
static int verify_error(const struct sw_kernel *kernel,
                        void *state,
                        const struct sw_segment *segment,
                        struct sw_reader *in,
                        const char *error,
                        struct sw_err *err)
{
    struct sw_writer nowhere = {discard};
    struct sw_err own = {0};
    int r = kernel->run(state, segment, in, &nowhere, &own);
    if (r == 0)
        return sw_fail(err, EBADMSG, "there is no error in this input");
    if (r != -EBADMSG) {
        *err = own;
        return r;
    }
    return strcmp(own.text, error) == 0 ? 0 : sw_fail(err, EBADMSG, "the error is another one");
}

int sw_kernel_verify(const struct sw_kernel *kernel,
                     void *state,
                     const struct sw_segment *segment,
                     struct sw_reader *in,
                     struct sw_reader *output,
                     const char *error,
                     struct sw_err *ret_why)
{
    if (error) {
        int r = ends(output, 0, ret_why);
        return r < 0 ? r : verify_error(kernel, state, segment, in, error, ret_why);
    }
    if (kernel->verify)
        return kernel->verify(state, segment, in, output, ret_why);
    struct comparer c = {.writer = {compare}, .output = output};
    struct sw_err own = {0};
    int r = kernel->run(state, segment, in, &c.writer, &own);
    if (c.differs)
        return sw_fail(ret_why, EBADMSG, "the output differs soon after byte %" PRIu64, c.at);
    if (r == -EBADMSG)
        return sw_fail(ret_why, EBADMSG, "the input has an error: %s", own.text);
    if (r < 0) {
        *ret_why = own;
        return r;
    }
    return ends(output, c.at, ret_why);
}
