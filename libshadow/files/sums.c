/* The writer of .sum files: follows appended bytes with one running hash and keeps finished sums
 * until they are written. Called by uploads and output; never syncs, never touches the data but to
 * resume. */
#include "files/sums.h"

#include "base/buf.h"
#include "files/disk.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

struct sw_sums {
    XXH3_state_t *state; /* of the span being filled */
    uint64_t filled;     /* bytes in it */
    uint64_t written;    /* whole sums in the file */
    struct sw_buf whole; /* whole sums not yet in the file */
};

struct sw_sums *sw_sums_new(void)
{
    struct sw_sums *sums = sw_alloc(1, sizeof *sums);
    sums->state = XXH3_createState();
    if (!sums->state)
        abort();
    XXH3_128bits_reset(sums->state);
    return sums;
}

void sw_sums_destroy(struct sw_sums **p)
{
    struct sw_sums *sums = TAKE(*p);
    if (!sums)
        return;
    XXH3_freeState(sums->state);
    sw_buf_done(&sums->whole);
    sw_release(sums);
}

static XXH128_canonical_t current_sum(const struct sw_sums *sums)
{
    XXH128_canonical_t bytes;
    XXH128_canonicalFromHash(&bytes, XXH3_128bits_digest(sums->state));
    return bytes;
}

void sw_sums_feed(struct sw_sums *sums, const void *p, size_t n)
{
    const uint8_t *at = p;
    while (n) {
        size_t part = SW_MIN(n, (size_t)(SW_SUM_SPAN - sums->filled));
        XXH3_128bits_update(sums->state, at, part);
        sums->filled += part;
        at += part;
        n -= part;
        if (sums->filled < SW_SUM_SPAN)
            continue;
        XXH128_canonical_t bytes = current_sum(sums);
        sw_buf_put(&sums->whole, &bytes, sizeof bytes);
        XXH3_128bits_reset(sums->state);
        sums->filled = 0;
    }
}

int sw_sums_write(struct sw_sums *sums, int sum_fd)
{
    uint64_t at = sums->written * SW_SUM_SIZE;
    int r = sw_pwrite_all(sum_fd, sums->whole.data, sums->whole.size, at);
    if (r < 0)
        return r;
    at += sums->whole.size;
    sums->written = at / SW_SUM_SIZE;
    sw_buf_clear(&sums->whole);
    if (sums->filled == 0)
        return 0;
    XXH128_canonical_t bytes =
        current_sum(sums); /* the next write puts a fuller one in its place */
    return sw_pwrite_all(sum_fd, &bytes, sizeof bytes, at);
}

static int feed_range(struct sw_sums *sums, int fd, uint64_t from, uint64_t to)
{
    AUTO_BUF struct sw_buf buf = {0};
    const size_t step = 256 << 10;
    uint8_t *p = sw_buf_reserve(&buf, SW_MIN(step, to - from));
    while (from < to) {
        size_t n = SW_MIN(step, to - from);
        int r = sw_pread_all(fd, p, n, from);
        if (r < 0)
            return r;
        sw_sums_feed(sums, p, n);
        from += n;
    }
    return 0;
}

int sw_sums_resume(struct sw_sums *sums, int data_fd, int sum_fd, uint64_t size)
{
    uint64_t whole = size / SW_SUM_SPAN, have;
    int r = disk_size(sum_fd, &have);
    if (r < 0)
        return r;
    if (have < whole * SW_SUM_SIZE)
        return -EBADMSG;
    if (ftruncate(sum_fd, (off_t)(whole * SW_SUM_SIZE)) < 0)
        return -errno;
    XXH3_128bits_reset(sums->state);
    sw_buf_clear(&sums->whole);
    sums->filled = 0;
    sums->written = whole;
    return feed_range(sums, data_fd, whole * SW_SUM_SPAN, size);
}

int sw_sums_make(int data_fd, int sum_fd)
{
    AUTO(sw_sums) struct sw_sums *sums = sw_sums_new();
    uint64_t size;
    int r = disk_size(data_fd, &size);
    if (r == 0 && ftruncate(sum_fd, 0) < 0)
        r = -errno;
    if (r == 0)
        r = feed_range(sums, data_fd, 0, size);
    return r < 0 ? r : sw_sums_write(sums, sum_fd);
}
