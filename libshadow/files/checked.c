/* Open files, their sums and the spans that passed them. Called by stream and result, and by
 * whoever reads outputs; one thread per checker. Never gives out a byte that it did not sum in
 * memory. */
#include "files/checked.h"

#include "files/disk.h"
#include "files/sums.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

/* Files that nobody reads now and that stay open: small chunks of one input come one after another.
 */
#define IDLE_MAX 8

struct sw_checked {
    struct sw_checker *checker;
    struct sw_checked *next;
    unsigned users;
    uint64_t used; /* the checker's tick of its last use */
    int fd, sum_fd;
    uint64_t size;
    dev_t device; /* what it is, by the file system: one input is linked into many folders */
    ino_t inode;
    char name[64]; /* for words */
};

struct span {
    struct sw_checked *file; /* NULL: unused */
    uint64_t index;
    uint64_t used;
    size_t size;
    uint8_t *bytes;
};

struct sw_checker {
    struct sw_checked *files;
    unsigned n_idle;
    uint64_t tick;
    size_t n_spans;
    struct span spans[];
};

struct sw_checker *sw_checker_new(size_t spans_max)
{
    size_t n = SW_MAX(spans_max, (size_t)1);
    struct sw_checker *checker = sw_alloc(1, sizeof *checker + n * sizeof checker->spans[0]);
    checker->n_spans = n;
    return checker;
}

static void close_file(struct sw_checker *checker, struct sw_checked *file)
{
    assert(file->users == 0);
    struct sw_checked **link = &checker->files;
    while (*link != file)
        link = &(*link)->next;
    *link = file->next;
    for (size_t i = 0; i < checker->n_spans; i++)
        if (checker->spans[i].file == file)
            checker->spans[i].file = NULL;
    sw_fd_close(&file->fd);
    sw_fd_close(&file->sum_fd);
    sw_release(file);
    checker->n_idle--;
}

static struct sw_checked *oldest_idle(const struct sw_checker *checker)
{
    struct sw_checked *oldest = NULL;
    for (struct sw_checked *file = checker->files; file; file = file->next)
        if (file->users == 0 && (!oldest || file->used < oldest->used))
            oldest = file;
    return oldest;
}

void sw_checker_drop(struct sw_checker *checker)
{
    while (checker->n_idle)
        close_file(checker, oldest_idle(checker));
    for (size_t i = 0; i < checker->n_spans; i++)
        if (!checker->spans[i].file) {
            sw_release(checker->spans[i].bytes);
            checker->spans[i].bytes = NULL;
        }
}

void sw_checker_destroy(struct sw_checker **p)
{
    struct sw_checker *checker = TAKE(*p);
    if (!checker)
        return;
    sw_checker_drop(checker);
    assert(!checker->files); /* a checker outlives what was opened through it */
    for (size_t i = 0; i < checker->n_spans; i++)
        sw_release(checker->spans[i].bytes);
    sw_release(checker);
}

static struct sw_checked *find_open(struct sw_checker *checker, const struct stat *st)
{
    for (struct sw_checked *file = checker->files; file; file = file->next)
        if (file->inode == st->st_ino && file->device == st->st_dev &&
            file->size == (uint64_t)st->st_size)
            return file;
    return NULL;
}

static int
open_file(struct sw_checker *checker, int dir_fd, const char *name, struct sw_checked **ret)
{
    char sum_name[64];
    if (snprintf(sum_name, sizeof sum_name, "%s.sum", name) >= (int)sizeof sum_name)
        return -ENAMETOOLONG;
    AUTO_FD int fd = disk_open(dir_fd, name, O_RDONLY, 0);
    if (fd < 0)
        return fd;
    AUTO_FD int sum_fd = disk_open(dir_fd, sum_name, O_RDONLY, 0);
    if (sum_fd < 0)
        return sum_fd;
    struct stat st;
    uint64_t sum_size;
    if (fstat(fd, &st) < 0)
        return -errno;
    int r = disk_size(sum_fd, &sum_size);
    if (r < 0)
        return r;
    uint64_t size = (uint64_t)st.st_size;
    if (sum_size != (size / SW_SUM_SPAN + (size % SW_SUM_SPAN != 0)) * SW_SUM_SIZE)
        return -EBADMSG;
    struct sw_checked *file = sw_alloc(1, sizeof *file);
    *file = (struct sw_checked){.checker = checker,
                                .next = checker->files,
                                .fd = TAKE_FD(fd),
                                .sum_fd = TAKE_FD(sum_fd),
                                .size = size,
                                .device = st.st_dev,
                                .inode = st.st_ino};
    snprintf(file->name, sizeof file->name, "%s", name);
    checker->files = file;
    checker->n_idle++;
    *ret = file;
    return 0;
}

int sw_checked_open(struct sw_checker *checker,
                    int dir_fd,
                    const char *name,
                    struct sw_checked **ret)
{
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    struct sw_checked *file = find_open(checker, &st);
    int r = file ? 0 : open_file(checker, dir_fd, name, &file);
    if (r < 0)
        return r;
    if (file->users++ == 0)
        checker->n_idle--;
    *ret = file;
    return 0;
}

void sw_checked_destroy(struct sw_checked **p)
{
    struct sw_checked *file = TAKE(*p);
    if (!file)
        return;
    struct sw_checker *checker = file->checker;
    file->used = ++checker->tick;
    if (--file->users)
        return;
    if (++checker->n_idle > IDLE_MAX)
        close_file(checker, oldest_idle(checker));
}

static int fill_span(struct span *span, struct sw_checked *file, uint64_t index, struct sw_err *err)
{
    uint64_t from = index * SW_SUM_SPAN;
    XXH128_canonical_t want, have;
    span->file = NULL; /* nothing to find here unless all goes well */
    span->size = (size_t)SW_MIN(SW_SUM_SPAN, file->size - from);
    if (!span->bytes)
        span->bytes = sw_alloc(SW_SUM_SPAN, 1);
    int r = sw_pread_all(file->sum_fd, &want, sizeof want, index * SW_SUM_SIZE);
    if (r == 0)
        r = sw_pread_all(file->fd, span->bytes, span->size, from);
    if (r < 0)
        return sw_fail(err, r == -ENODATA ? EBADMSG : -r, "%s cannot be read at byte %ju: %s",
                       file->name, (uintmax_t)from, r == -ENODATA ? "it was cut" : strerror(-r));
    XXH128_canonicalFromHash(&have, XXH3_128bits(span->bytes, span->size));
    if (memcmp(&want, &have, sizeof want) != 0)
        return sw_fail(err, EBADMSG, "%s: bytes %ju to %ju do not match their sum", file->name,
                       (uintmax_t)from, (uintmax_t)(from + span->size));
    span->file = file;
    span->index = index;
    return 0;
}

/* Which span goes first: one that holds nothing, then one without memory yet, then the oldest. */
static uint64_t rank(const struct span *span)
{
    return span->file ? span->used + 1 : span->bytes ? 0 : 1;
}

static int find_span(struct sw_checked *file, uint64_t index, struct span **ret, struct sw_err *err)
{
    struct sw_checker *checker = file->checker;
    struct span *best = &checker->spans[0];
    for (size_t i = 0; i < checker->n_spans; i++) {
        struct span *span = &checker->spans[i];
        if (span->file == file && span->index == index) {
            span->used = ++checker->tick;
            *ret = span;
            return 0;
        }
        if (rank(span) < rank(best))
            best = span;
    }
    int r = fill_span(best, file, index, err);
    best->used = ++checker->tick;
    *ret = best;
    return r;
}

int sw_checked_read(struct sw_checked *file, void *p, size_t n, uint64_t offset, struct sw_err *err)
{
    if (offset > file->size || n > file->size - offset)
        return sw_fail(err, ERANGE, "%s has no bytes at %ju", file->name, (uintmax_t)offset + n);
    uint8_t *at = p;
    while (n) {
        struct span *span;
        int r = find_span(file, offset / SW_SUM_SPAN, &span, err);
        if (r < 0)
            return r;
        size_t skip = (size_t)(offset % SW_SUM_SPAN), part = SW_MIN(n, span->size - skip);
        memcpy(at, span->bytes + skip, part);
        at += part;
        offset += part;
        n -= part;
    }
    return 0;
}
