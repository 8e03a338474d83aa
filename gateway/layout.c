/* Owns manifests and plans in memory. Called by results.c, which loads and keeps them; shared by
 * reference, never changed once loaded. */
#include "layout.h"

#include "base/own.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct layout *layout_new(const struct sw_msg_job *job, struct sw_err *err)
{
    struct layout *layout = sw_alloc(1, sizeof *layout);
    struct sw_param_text list[SW_PARAMS_MAX];
    AUTO(sw_text) char *type = sw_copy_text(job->type.p, job->type.n);
    size_t n = SW_MIN(job->n_params, (size_t)SW_PARAMS_MAX);
    layout->references = 1;
    layout->job = job->job;
    layout->kernel = sw_kernel_find(type);
    for (size_t i = 0; i < n; i++) {
        sw_buf_put(&layout->texts, job->params[i].name.p, job->params[i].name.n);
        sw_buf_put(&layout->texts, "", 1);
        sw_buf_put(&layout->texts, job->params[i].value.p, job->params[i].value.n);
        sw_buf_put(&layout->texts, "", 1);
    }
    const char *at = (const char *)layout->texts.data;
    for (size_t i = 0; i < n; i++) {
        list[i].name = at;
        list[i].value = at + job->params[i].name.n + 1;
        list[i].value_size = job->params[i].value.n;
        at = list[i].value + list[i].value_size + 1;
    }
    int r = layout->kernel ? sw_params_parse(layout->kernel, list, n, &layout->values, err)
                           : sw_fail(err, ENOENT, "kernel %s is not known here", type);
    if (r < 0)
        layout_release(&layout);
    return layout;
}

struct layout *layout_hold(struct layout *layout)
{
    layout->references++;
    return layout;
}

void layout_release(struct layout **p)
{
    struct layout *layout = TAKE(*p);
    if (!layout || --layout->references)
        return;
    for (size_t i = 0; i < layout->n_adds; i++) {
        sw_manifest_done(&layout->adds[i].manifest);
        sw_plan_done(&layout->adds[i].plan);
        sw_buf_done(&layout->adds[i].plan_bytes);
    }
    sw_release(layout->adds);
    sw_buf_done(&layout->texts);
    sw_release(layout);
}

void layout_take(struct layout *layout, const struct sw_msg_add *add)
{
    sw_grow(&layout->adds, &layout->room, layout->n_adds + 1, sizeof *layout->adds);
    struct layout_add *to = &layout->adds[layout->n_adds++];
    *to = (struct layout_add){
        .number = add->add, .first_chunk = add->first_chunk, .n_chunks = add->chunks};
    if (add->plan.n) { /* inline; else both are on disk */
        sw_buf_put(&to->manifest.bytes, add->manifest.p, add->manifest.n);
        sw_buf_put(&to->plan_bytes, add->plan.p, add->plan.n);
    }
}

static int load_add(struct layout_add *add, int job_fd, struct sw_err *err)
{
    char name[32];
    int r;
    if (add->plan_bytes.size) {
        r = sw_manifest_parse(&add->manifest, err);
        if (r == 0)
            r = sw_plan_decode(add->plan_bytes.data, add->plan_bytes.size, &add->plan, err);
        sw_buf_done(&add->plan_bytes);
    } else {
        snprintf(name, sizeof name, "manifest.%" PRIu64, add->number);
        r = sw_manifest_load(job_fd, name, &add->manifest, err);
        if (r == 0)
            r = sw_plan_read(job_fd, (uint32_t)add->number, &add->plan, err);
    }
    if (r == 0 && (add->plan.head.first_chunk != add->first_chunk ||
                   add->plan.head.n_chunks != add->n_chunks))
        r = sw_fail(err, EBADMSG, "plan.%" PRIu64 " is not of these chunks", add->number);
    for (size_t i = 0; r == 0 && i < add->plan.n; i++) {
        if (add->plan.pieces[i].entry >= add->manifest.n)
            r = sw_fail(err, EBADMSG, "plan.%" PRIu64 " names an input that is not there",
                        add->number);
    }
    return r;
}

int layout_load(struct layout *layout, int job_fd, struct sw_err *err)
{
    int r = 0;
    for (size_t i = 0; i < layout->n_adds && r == 0; i++) {
        r = load_add(&layout->adds[i], job_fd, err);
        layout->adds[i].first_file = layout->n_files;
        layout->n_files += layout->adds[i].manifest.n;
    }
    return r;
}

const struct sw_plan_piece *layout_pieces(const struct layout *layout,
                                          uint64_t chunk,
                                          const struct layout_add **ret_add,
                                          size_t *ret_n)
{
    size_t low = 0, high = layout->n_adds;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (layout->adds[middle].first_chunk <= chunk)
            low = middle;
        else
            high = middle;
    }
    while (low > 0 && low < layout->n_adds && layout->adds[low].n_chunks == 0)
        low--; /* an ADD of nothing but skipped entries has no chunk */
    const struct layout_add *add = &layout->adds[low];
    if (low >= layout->n_adds || chunk < add->first_chunk ||
        chunk - add->first_chunk >= add->n_chunks)
        return NULL;
    const uint32_t *first = &add->plan.first_piece[chunk - add->first_chunk];
    *ret_add = add;
    *ret_n = first[1] - first[0];
    return &add->plan.pieces[first[0]];
}

void layout_output_name(const struct layout *layout,
                        const char *name,
                        size_t size,
                        struct sw_buf *ret)
{
    layout->kernel->output_name(&layout->values, name, size, ret);
}

size_t layout_bytes(const struct layout *layout)
{
    size_t bytes = sizeof *layout;
    for (size_t i = 0; i < layout->n_adds; i++)
        bytes += sizeof *layout->adds + layout->adds[i].manifest.bytes.size +
                 layout->adds[i].manifest.n * sizeof(struct sw_entry) +
                 layout->adds[i].plan.n * sizeof(struct sw_plan_piece) +
                 layout->adds[i].n_chunks * sizeof(uint32_t);
    return bytes;
}
