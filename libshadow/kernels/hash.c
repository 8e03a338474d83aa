/* hash: one line `hex  NAME` a file, in input order: the manifest that sha256sum, sha512sum and
 * b2sum write and their -c accepts, to the byte. A digest needs its whole file, so files are never
 * split. */
#include "kernels/kernel.h"
#include "kernels/stream.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

/* In the order of the parameter's choices. */
static const struct algorithm {
    const char *evp;
    const char *manifest;
} algorithms[] = {
    {"SHA256", "SHA256SUMS"},
    {"SHA512", "SHA512SUMS"},
    {"BLAKE2B-512", "B2SUMS"},
};

static const struct sw_param params[] = {
    {.name = "algorithm",
     .type = SW_PARAM_CHOICE,
     .fallback = "sha256",
     .choices = "sha256 sha512 blake2b",
     .help = "Which sum: what sha256sum, sha512sum or b2sum print"},
};

struct hash {
    EVP_MD *md;
    EVP_MD_CTX *context;
    uint8_t block[STREAM_BLOCK];
};

static void
output_name(const struct sw_values *values, const char *name, size_t size, struct sw_buf *ret_name)
{
    (void)name;
    (void)size;
    sw_buf_text(ret_name, algorithms[values->v[0].number].manifest);
}

static struct sw_split split(const struct sw_values *values)
{
    (void)values;
    return (struct sw_split){0};
}

static void close_state(void *state)
{
    struct hash *h = state;
    if (!h)
        return;
    EVP_MD_CTX_free(h->context);
    EVP_MD_free(h->md);
    sw_release(h);
}

/* Fetching reads OpenSSL's configuration, so it is done here and not for each file. */
static int open_state(const struct sw_values *values, void **ret_state, struct sw_err *err)
{
    const char *name = algorithms[values->v[0].number].evp;
    struct hash *h = sw_alloc(1, sizeof *h);
    h->md = EVP_MD_fetch(NULL, name, NULL);
    h->context = EVP_MD_CTX_new();
    if (!h->md || !h->context) {
        close_state(h);
        return sw_fail(err, ENOTSUP, "this machine's OpenSSL does not offer %s", name);
    }
    *ret_state = h;
    return 0;
}

/* A name that would break the line is escaped, and a backslash in front of the line says so. */
static void line(const uint8_t *digest,
                 size_t digest_size,
                 const struct sw_segment *segment,
                 struct sw_buf *ret_line)
{
    bool escaped = false;
    for (size_t i = 0; i < segment->name_size; i++)
        escaped = escaped || strchr("\\\n\r", segment->name[i]);
    if (escaped)
        sw_buf_text(ret_line, "\\");
    char hex[2 * EVP_MAX_MD_SIZE];
    for (size_t i = 0; i < digest_size; i++) {
        hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    sw_buf_put(ret_line, hex, 2 * digest_size);
    sw_buf_text(ret_line, "  ");
    for (size_t i = 0; i < segment->name_size; i++) {
        char c = segment->name[i];
        if (c == '\\')
            sw_buf_text(ret_line, "\\\\");
        else if (c == '\n')
            sw_buf_text(ret_line, "\\n");
        else if (c == '\r')
            sw_buf_text(ret_line, "\\r");
        else
            sw_buf_put(ret_line, &c, 1);
    }
    sw_buf_text(ret_line, "\n");
}

static int run(void *state,
               const struct sw_segment *segment,
               struct sw_reader *in,
               struct sw_writer *out,
               struct sw_err *ret_error)
{
    struct hash *h = state;
    struct source source = {.in = in, .left = segment->size};
    bool good = EVP_DigestInit_ex2(h->context, h->md, NULL);
    while (good && source.left) {
        ssize_t n = source_read(&source, h->block, sizeof h->block);
        if (n < 0)
            return (int)n;
        good = EVP_DigestUpdate(h->context, h->block, (size_t)n);
    }
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_size = 0;
    good = good && EVP_DigestFinal_ex(h->context, digest, &digest_size);
    if (!good)
        return sw_fail(ret_error, EIO, "OpenSSL could not compute the digest");
    AUTO_BUF struct sw_buf text = {0};
    line(digest, digest_size, segment, &text);
    return out->write(out, text.data, text.size);
}

const struct sw_kernel sw_kernel_hash = {
    .name = "hash",
    .rev = 1,
    .title = "Hash files",
    .help = "Writes one manifest with a line for each file, as sha256sum does. sha256sum -c "
            "(sha512sum, "
            "b2sum) checks files against it.",
    .params = params,
    .n_params = SW_COUNT(params),
    .shape = SW_CONCAT,
    .output_name = output_name,
    .split = split,
    .open = open_state,
    .close = close_state,
    .run = run,
};
