/* A part of an upload: where each file's header and bytes lie in the tar is computed once, so that
 * the bytes at any offset can be made again when a broken upload goes on. Files are read only while
 * they are sent. Owned by submit.c; never talks to the gateway. */
#include "part.h"

#include "ctl.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define TAR_BLOCK ((uint64_t)512)
#define TAR_END   (2 * TAR_BLOCK)
#define NO_INDEX  SIZE_MAX

size_t part_prefix(const char *name)
{
    size_t prefix = strspn(name, "/");
    for (const char *part = name + prefix; part[0];) {
        size_t n = strcspn(part, "/"), gap = strspn(part + n, "/");
        if (n == 2 && part[0] == '.' && part[1] == '.')
            prefix = (size_t)(part - name) + n + gap;
        part += n + gap;
    }
    return prefix;
}

struct head { /* what libarchive writes: the header is kept */
    struct sw_buf *bytes;
    bool done;
};

static la_ssize_t head_put(struct archive *archive, void *arg, const void *p, size_t n)
{
    struct head *head = arg;
    (void)archive;
    if (!head->done)
        sw_buf_put(head->bytes, p, n);
    return (la_ssize_t)n;
}

/* The header blocks of one member. The zeros that libarchive pads the body with that it was never
 * given, when it is freed, go nowhere. */
static void head_make(const struct input *input, size_t prefix, struct sw_buf *ret)
{
    struct archive *archive = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    struct head head = {.bytes = ret};
    sw_buf_clear(ret);
    archive_write_set_format_gnutar(archive);
    archive_write_set_bytes_per_block(archive, 0);
    archive_write_open(archive, &head, NULL, head_put, NULL);
    archive_entry_copy_pathname(entry, input->name + prefix);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, input->mode);
    archive_entry_set_size(entry, (la_int64_t)input->size);
    archive_entry_set_mtime(entry, SW_MAX(input->mtime.tv_sec, (time_t)0), 0);
    archive_write_header(archive, entry);
    head.done = true;
    archive_write_free(archive);
    archive_entry_free(entry);
}

static bool goes_alone(const struct input *input)
{
    return input->repeated || input->size > PART_BYTES;
}

/* Whether the input goes into the tar that begins with `first`. */
static bool goes_with(const struct input *first, size_t prefix, const struct input *input)
{
    return !goes_alone(input) && part_prefix(input->name) == prefix &&
           memcmp(first->name, input->name, prefix) == 0;
}

void part_next(struct part *ret, const struct inputs *inputs, size_t first)
{
    struct part part = {.inputs = inputs,
                        .fd = -1,
                        .fd_index = NO_INDEX,
                        .head_index = NO_INDEX,
                        .broken = NO_INDEX};
    while (first < inputs->n && inputs->list[first].dropped)
        first++;
    part.first = first;
    if (first < inputs->n && goes_alone(&inputs->list[first])) {
        part.n = 1;
        part.size = inputs->list[first].size;
        *ret = part;
        return;
    }
    uint64_t offset = 0;
    size_t room = 0, i = first;
    part.prefix = first < inputs->n ? part_prefix(inputs->list[first].name) : 0;
    for (; i < inputs->n && i - first < PART_FILES_MAX; i++) {
        const struct input *input = &inputs->list[i];
        uint64_t body = (input->size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
        sw_grow(&part.offsets, &room, i - first + 2, sizeof *part.offsets);
        part.offsets[i - first] = offset;
        if (input->dropped)
            continue;
        bool is_full = offset && offset + body > PART_BYTES;
        if (is_full || !goes_with(&inputs->list[first], part.prefix, input))
            break;
        head_make(input, part.prefix, &part.head);
        offset += part.head.size + body;
    }
    part.n = i - first;
    part.is_tar = true;
    if (part.n)
        part.offsets[part.n] = offset;
    part.size = offset + TAR_END;
    *ret = part;
}

void part_done(struct part *part)
{
    sw_fd_close(&part->fd);
    sw_release(part->offsets);
    sw_buf_done(&part->head);
    *part = (struct part){.fd = -1};
}

/* Bytes of the input itself, from the file as it is now. */
static ssize_t body_read(struct part *part, size_t i, void *p, size_t n, uint64_t offset)
{
    if (part->fd_index != i) {
        sw_fd_close(&part->fd);
        part->fd = open(part->inputs->list[i].name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        part->fd_index = part->fd < 0 ? NO_INDEX : i;
    }
    ssize_t got = part->fd < 0 ? -1 : pread(part->fd, p, n, (off_t)offset);
    if (got > 0)
        return got;
    part->broken = i;
    return got < 0 ? -errno : -ESTALE; /* it is shorter than it was */
}

/* The member that holds the byte at `offset`: the last one that begins at or before it. */
static size_t member_at(const struct part *part, uint64_t offset)
{
    size_t low = 0, high = part->n;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (part->offsets[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static ssize_t tar_read(struct part *part, void *p, size_t n, uint64_t offset)
{
    if (offset >= part->offsets[part->n]) {
        memset(p, 0, n);
        return (ssize_t)SW_MIN((uint64_t)n, part->size - offset);
    }
    size_t member = member_at(part, offset), i = part->first + member;
    const struct input *input = &part->inputs->list[i];
    offset -= part->offsets[member];
    if (part->head_index != i) {
        head_make(input, part->prefix, &part->head);
        part->head_index = i;
    }
    if (offset < part->head.size) {
        n = SW_MIN(n, part->head.size - (size_t)offset);
        memcpy(p, part->head.data + offset, n);
        return (ssize_t)n;
    }
    offset -= part->head.size;
    if (offset < input->size)
        return body_read(part, i, p, (size_t)SW_MIN((uint64_t)n, input->size - offset), offset);
    n = SW_MIN(n, (size_t)(TAR_BLOCK - offset % TAR_BLOCK)); /* up to the next block */
    memset(p, 0, n);
    return (ssize_t)n;
}

static ssize_t part_read(void *arg, void *p, size_t n, uint64_t offset)
{
    struct part *part = arg;
    if (!part->is_tar)
        return body_read(part, part->first, p, n, offset);
    n = (size_t)SW_MIN((uint64_t)n, part->size - offset);
    for (size_t done = 0; done < n;) { /* full blocks: a member of few bytes is not worth a send */
        ssize_t got = tar_read(part, (char *)p + done, n - done, offset + done);
        if (got < 0)
            return got;
        done += (size_t)got;
    }
    return (ssize_t)n;
}

struct http_source part_source(struct part *part)
{
    return (struct http_source){.size = part->size, .read = part_read, .arg = part};
}
