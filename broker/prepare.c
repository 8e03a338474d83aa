/* Takes uploads into a job: links, plans, writes, syncs. Runs in the data actor's thread; touches
 * only the job's folder and reads the uploads. */
#include "broker/prepare.h"

#include "base/io.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static int link_all(const struct data_prepare *request,
                    int job_fd,
                    int uploads_fd,
                    struct sw_buf *manifest,
                    struct sw_err *err)
{
    uint32_t part = 0;
    for (size_t i = 0; i < request->n_uploads; i++) {
        const char *id = request->uploads[i];
        bool plain =
            strspn(id, "0123456789abcdef") == SW_UPLOAD_ID_SIZE && id[SW_UPLOAD_ID_SIZE] == 0;
        if (!plain)
            return sw_fail(err, ENOENT, "upload %zu of the list is not known", i + 1);
        int r = sw_job_dir_link(job_fd, uploads_fd, id, request->add, &part, manifest, err);
        if (r == -ENOENT)
            return sw_fail(err, ENOENT, "upload %s is not known", id);
        if (r == -EAGAIN)
            return sw_fail(err, EAGAIN, "upload %s is not complete", id);
        if (r < 0)
            return sw_fail(err, -r, "upload %s: %s", id, strerror(-r));
    }
    return 0;
}

static int plan_it(const struct data_prepare *request,
                   struct names *names,
                   int job_fd,
                   struct sw_manifest *manifest,
                   struct plan *plan,
                   struct sw_err *err)
{
    struct sw_values values;
    int r = sw_params_parse(request->kernel, request->params, request->n_params, &values, err);
    if (r == 0)
        r = sw_manifest_parse(manifest, err);
    struct sw_manifest inlines = {0};
    sw_buf_put(&inlines.bytes, request->inlines.data, request->inlines.size);
    if (r == 0)
        r = sw_manifest_parse(&inlines, err);
    struct names_request named = {request->job,    request->add, job_fd,
                                  request->kernel, &values,      &inlines};
    if (r == 0)
        r = names_add(names, &named, manifest, err);
    sw_manifest_done(&inlines);
    if (r < 0)
        return r;
    uint64_t bytes = 0;
    for (size_t i = 0; i < manifest->n; i++)
        bytes += manifest->entries[i].size;
    uint64_t expected = SW_MAX(request->expected_bytes, bytes);
    struct plan_request wanted = {.kernel = request->kernel,
                                  .values = &values,
                                  .manifest = manifest,
                                  .first_chunk = request->first_chunk,
                                  .grain = sw_grain(expected, request->grain_slots),
                                  .chunk_count = plan_share(request->chunk_count, expected, bytes)};
    return plan_make(&wanted, plan, err);
}

int prepare(const struct data_prepare *request,
            struct names *names,
            int jobs_fd,
            int uploads_fd,
            struct plan *ret_plan,
            struct sw_err *err)
{
    AUTO_FD int job_fd = -1;
    struct sw_manifest manifest = {0};
    struct plan plan = {0};
    int r = sw_job_dir_make(jobs_fd, request->job);
    if (r == -EEXIST)
        r = sw_dir_sync(jobs_fd); /* whoever made it may have died before it was durable */
    if (r == 0)
        r = sw_job_dir_open(jobs_fd, request->job, &job_fd);
    if (r < 0)
        return sw_fail(err, -r, "job folder: %s", strerror(-r));
    r = link_all(request, job_fd, uploads_fd, &manifest.bytes, err);
    if (r == 0)
        r = plan_it(request, names, job_fd, &manifest, &plan, err);
    if (r == 0) {
        r = sw_plan_write(job_fd, request->add, &plan.head, plan.pieces, plan.n, &manifest.bytes);
        if (r < 0)
            sw_fail(err, -r, "plan of the job: %s", strerror(-r));
    }
    sw_manifest_done(&manifest);
    sw_release(plan.pieces); /* they are on disk now */
    plan.pieces = NULL;
    if (r < 0) {
        names_forget(names, request->job);
        plan_done(&plan);
    } else {
        *ret_plan = plan;
    }
    return r;
}
