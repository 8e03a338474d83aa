/* Building a result: entries of the ADDs, outputs of their pieces, then the sums that make ranges
 * cheap. Called by the gateway for finished jobs, and at submit for the names alone. Never touches
 * an output: that is result_read.c. */
#include "files/result.h"

#include "files/result_inside.h"
#include "files/tar_header.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define SPANS 2 /* downloads read in order; two overlap at a chunk's end */

struct sw_result *sw_result_new(int job_fd, const struct sw_result_rule *rule)
{
    struct sw_result *result = sw_alloc(1, sizeof *result);
    result->job_fd = job_fd;
    result->rule = *rule;
    result->inlined.fd = -1;
    result->checker = sw_checker_new(SPANS);
    return result;
}

void sw_result_destroy(struct sw_result **p)
{
    struct sw_result *result = TAKE(*p);
    if (!result)
        return;
    sw_checked_destroy(&result->open);
    sw_checker_destroy(&result->checker);
    inline_done(&result->inlined);
    arena_done(&result->arena);
    sw_release(result->files);
    sw_release(result->first_file);
    sw_release(result->segments);
    sw_release(result->members);
    sw_release(result->by_name);
    sw_release(result);
}

static void
set_output_name(struct sw_result *result, struct sw_result_file *file, struct sw_buf *scratch)
{
    if (!result->rule.concat || result->n_files == 0) {
        sw_buf_clear(scratch);
        result->rule.output_name(result->rule.arg, file->name, file->name_size, scratch);
        file->output_name = arena_copy(&result->arena, scratch->data, scratch->size);
        file->output_name_size = scratch->size;
    } else { /* one name for all */
        file->output_name = result->files[0].output_name;
        file->output_name_size = result->files[0].output_name_size;
    }
}

int sw_result_add(struct sw_result *result, const struct sw_manifest *manifest)
{
    AUTO_BUF struct sw_buf scratch = {0};
    if (result->sealed || manifest->n > (size_t)INT32_MAX - result->n_files)
        return -EINVAL;
    sw_grow(&result->first_file, &result->adds_room, result->n_adds + 1, sizeof(uint32_t));
    result->first_file[result->n_adds++] = (uint32_t)result->n_files;
    sw_grow(&result->files, &result->files_room, result->n_files + manifest->n,
            sizeof *result->files);
    for (size_t i = 0; i < manifest->n; i++) {
        const struct sw_entry *entry = &manifest->entries[i];
        struct sw_result_file file = {.name_size = entry->name_size,
                                      .mode = entry->mode,
                                      .mtime = entry->mtime,
                                      .size = entry->size,
                                      .error = "",
                                      .skipped = entry->state == SW_ENTRY_SKIPPED};
        file.name = arena_copy(&result->arena, entry->name, entry->name_size);
        if (entry->state != SW_ENTRY_FILE)
            file.error = *entry->reason
                             ? arena_copy(&result->arena, entry->reason, strlen(entry->reason))
                             : "it was not taken in";
        set_output_name(result, &file, &scratch);
        result->files[result->n_files++] = file;
    }
    return 0;
}

/* The file that a segment belongs to, or NULL when there is none of that number. */
static struct sw_result_file *file_of(const struct sw_result *result,
                                      const struct sw_result_segment *segment,
                                      uint32_t *ret_index)
{
    if (segment->add >= result->n_adds)
        return NULL;
    size_t first = result->first_file[segment->add];
    size_t end =
        segment->add + 1 < result->n_adds ? result->first_file[segment->add + 1] : result->n_files;
    if (segment->entry >= end - first)
        return NULL;
    *ret_index = (uint32_t)(first + segment->entry);
    return &result->files[*ret_index];
}

int sw_result_segment(struct sw_result *result, const struct sw_result_segment *given)
{
    uint32_t index = 0;
    struct sw_result_file *file = file_of(result, given, &index);
    uint32_t last = result->n_segments ? result->segments[result->n_segments - 1].file : 0;
    if (result->sealed || !file || index < last || given->offset > INT64_MAX ||
        result->n_segments == UINT32_MAX || given->length > INT64_MAX / 2 - result->total)
        return -EINVAL;
    bool failed = given->error && *given->error;
    if (file->n_segments == 0 && *file->error)
        return -EINVAL; /* an entry without bytes has no pieces */
    if (failed && !*file->error)
        file->error =
            arena_copy(&result->arena, given->error, strnlen(given->error, SW_REASON_MAX - 1));
    struct segment segment = {
        index, given->chunk, given->n, given->offset, failed ? 0 : given->length, 0};
    result->total += given->length;
    if (segment.n == 0 && segment.length) {
        const uint8_t *bytes = given->inline_bytes;
        int r = inline_put(&result->inlined, bytes + given->offset, (size_t)given->length,
                           &segment.offset);
        if (r < 0)
            return r;
    }
    sw_grow(&result->segments, &result->segments_room, result->n_segments + 1,
            sizeof *result->segments);
    if (file->n_segments++ == 0)
        file->first_segment = (uint32_t)result->n_segments;
    result->segments[result->n_segments++] = segment;
    return 0;
}

/* Positions of all outputs one after the other; what belongs to a file with an error counts
 * nothing. */
static void add_up_segments(struct sw_result *result)
{
    for (size_t i = 0; i < result->n_segments; i++) {
        struct segment *segment = &result->segments[i];
        struct sw_result_file *file = &result->files[segment->file];
        if (*file->error)
            segment->length = 0;
        segment->at = result->concat_size;
        result->concat_size += segment->length;
        file->output_size += segment->length;
    }
}

/* The members of the tar in their order: each file that gives output, or the one of a CONCAT. */
static void make_members(struct sw_result *result)
{
    result->members = sw_alloc(result->rule.concat ? 1 : result->n_files, sizeof *result->members);
    for (size_t i = 0; i < result->n_files; i++) {
        struct sw_result_file *file = &result->files[i];
        if (result->job_fd >= 0 && !*file->error && file->n_segments == 0)
            file->error = "it was not run";
        if (!*file->error && !(result->rule.concat && result->n_members))
            result->members[result->n_members++].file = (uint32_t)i;
    }
}

static void add_up_members(struct sw_result *result)
{
    for (size_t i = 0; i < result->n_members; i++) {
        struct member *member = &result->members[i];
        uint64_t size =
            result->rule.concat ? result->concat_size : result->files[member->file].output_size;
        member->at = result->tar_size;
        result->tar_size += tar_header_size(member->name_size) + tar_padded(size);
    }
    result->tar_size += TAR_END_SIZE;
}

int sw_result_seal(struct sw_result *result, struct sw_err *err)
{
    assert(!result->sealed);
    result->sealed = true;
    make_members(result);
    add_up_segments(result);
    int r = result_names(result, err);
    if (r == 0)
        add_up_members(result);
    return r;
}

const struct sw_result_file *sw_result_files(const struct sw_result *result, size_t *ret_n)
{
    *ret_n = result->n_files;
    return result->files;
}
