/* Bytes of a result by range: one file, the CONCAT, or the tar of everything, whose headers are
 * made as they are asked for. Called by the gateway's downloads, one thread at a time per result;
 * reads outputs only through their sums. */
#include "files/output.h"
#include "files/result.h"
#include "files/result_inside.h"
#include "files/tar_header.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/types.h>

static uint64_t output_size(const struct sw_result *result, int which)
{
    if (which == SW_RESULT_CONCAT)
        return result->concat_size;
    assert(which >= 0 && (size_t)which < result->n_files);
    return result->files[which].output_size;
}

uint64_t sw_result_size(const struct sw_result *result, int which)
{
    return which == SW_RESULT_TAR ? result->tar_size : output_size(result, which);
}

static int open_output(struct sw_result *result, const struct segment *segment, struct sw_err *err)
{
    if (result->open && result->open_chunk == segment->chunk && result->open_n == segment->n)
        return 0;
    char name[SW_OUTPUT_PATH];
    sw_checked_destroy(&result->open);
    sw_output_path(segment->chunk, segment->n, name);
    int r = sw_checked_open(result->checker, result->job_fd, name, &result->open);
    if (r < 0)
        return sw_fail(err, -r, "%s cannot be opened: %s", name, strerror(-r));
    result->open_chunk = segment->chunk;
    result->open_n = segment->n;
    return 0;
}

static int read_segment(struct sw_result *result,
                        const struct segment *segment,
                        void *p,
                        size_t n,
                        uint64_t skip,
                        struct sw_err *err)
{
    if (segment->n == 0) {
        int r = inline_get(&result->inlined, p, n, segment->offset + skip);
        return r < 0 ? sw_fail(err, -r, "an inline output cannot be read: %s", strerror(-r)) : 0;
    }
    int r = open_output(result, segment, err);
    if (r == 0)
        r = sw_checked_read(result->open, p, n, segment->offset + skip, err);
    return r == -ERANGE ? -EBADMSG
                        : r; /* an output that is too short, not a range beyond the end */
}

/* Of the segments [first, first + n_segments), by position in all outputs one after the other. */
static int read_outputs(struct sw_result *result,
                        size_t first,
                        size_t n_segments,
                        void *p,
                        size_t n,
                        uint64_t at,
                        struct sw_err *err)
{
    size_t low = first, high = first + n_segments;
    while (high - low > 1) { /* the last that begins at or before it */
        size_t middle = low + (high - low) / 2;
        if (result->segments[middle].at <= at)
            low = middle;
        else
            high = middle;
    }
    for (uint8_t *to = p; n; low++) {
        assert(low < first + n_segments);
        const struct segment *segment = &result->segments[low];
        uint64_t skip = at - segment->at;
        size_t part = (size_t)SW_MIN((uint64_t)n, segment->length - skip);
        if (part == 0)
            continue;
        int r = read_segment(result, segment, to, part, skip, err);
        if (r < 0)
            return r;
        to += part;
        at += part;
        n -= part;
    }
    return 0;
}

static int read_output(
    struct sw_result *result, int which, void *p, size_t n, uint64_t offset, struct sw_err *err)
{
    if (n == 0)
        return 0;
    if (which == SW_RESULT_CONCAT)
        return read_outputs(result, 0, result->n_segments, p, n, offset, err);
    const struct sw_result_file *file = &result->files[which];
    uint64_t at = result->segments[file->first_segment].at + offset;
    return read_outputs(result, file->first_segment, file->n_segments, p, n, at, err);
}

/* The header of a member. A CONCAT has no input of its own: mode 0644, as new as its newest input.
 */
static void
put_header(const struct sw_result *result, const struct member *member, struct sw_buf *ret)
{
    const struct sw_result_file *file = &result->files[member->file];
    struct tar_member header = {.name = member->name, .name_size = member->name_size};
    header.mode = file->mode & 0777; /* an output never inherits set-user-id */
    header.mtime = file->mtime;
    header.size = file->output_size;
    if (result->rule.concat) {
        header.mode = 0644;
        header.size = result->concat_size;
        for (size_t i = 0; i < result->n_files; i++)
            header.mtime = SW_MAX(header.mtime, result->files[i].mtime);
    }
    tar_header_put(ret, &header);
}

/* Up to n bytes of one member from `skip` on: header, output, padding; returns how many or -errno.
 */
static ssize_t read_member(struct sw_result *result,
                           const struct member *member,
                           uint8_t *p,
                           size_t n,
                           uint64_t skip,
                           struct sw_err *err)
{
    uint64_t header_size = tar_header_size(member->name_size);
    int which = result->rule.concat ? SW_RESULT_CONCAT : (int)member->file;
    uint64_t size = output_size(result, which);
    if (skip < header_size) {
        AUTO_BUF struct sw_buf header = {0};
        put_header(result, member, &header);
        assert(header.size == header_size);
        n = (size_t)SW_MIN((uint64_t)n, header_size - skip);
        memcpy(p, header.data + skip, n);
        return (ssize_t)n;
    }
    skip -= header_size;
    if (skip < size) {
        n = (size_t)SW_MIN((uint64_t)n, size - skip);
        int r = read_output(result, which, p, n, skip, err);
        return r < 0 ? r : (ssize_t)n;
    }
    n = (size_t)SW_MIN((uint64_t)n, tar_padded(size) - skip);
    memset(p, 0, n);
    return (ssize_t)n;
}

static int
read_tar(struct sw_result *result, uint8_t *p, size_t n, uint64_t offset, struct sw_err *err)
{
    size_t low = 0, high = result->n_members;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (result->members[middle].at <= offset)
            low = middle;
        else
            high = middle;
    }
    uint64_t members_end = result->tar_size - TAR_END_SIZE;
    while (n && offset < members_end) {
        ssize_t part =
            read_member(result, &result->members[low], p, n, offset - result->members[low].at, err);
        if (part < 0)
            return (int)part;
        if (part == 0) {
            low++;
            continue;
        }
        p += part;
        offset += (uint64_t)part;
        n -= (size_t)part;
    }
    memset(p, 0, n); /* the end of a tar is two empty blocks */
    return 0;
}

int sw_result_read(
    struct sw_result *result, int which, void *p, size_t n, uint64_t offset, struct sw_err *err)
{
    uint64_t size = sw_result_size(result, which);
    assert(result->sealed);
    if (offset > size || n > size - offset)
        return sw_fail(err, ERANGE, "the result has %ju bytes", (uintmax_t)size);
    if (which == SW_RESULT_TAR)
        return read_tar(result, p, n, offset, err);
    return read_output(result, which, p, n, offset, err);
}

void sw_result_rest(struct sw_result *result)
{
    sw_checked_destroy(&result->open);
    sw_checker_drop(result->checker);
}
