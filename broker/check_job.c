/* One job's rows, plans and manifests; then its files (check_files.c). What a broker could not
 * load, or a result could not be made from, ends the job when repaired, as it does at a start.
 * Called by check.c. */
#include "broker/check.h"
#include "broker/damaged.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct walk {
    struct check *check;
    struct checked_job *job;
    struct sw_err why; /* what is damaged */
};

static int on_job(void *arg, const struct sw_row *row)
{
    struct walk *walk = arg;
    struct sw_msg_job_row body;
    const struct sw_job_row *found = &row->of.job;
    walk->job->status = found->status;
    if (sw_decode_record(&sw_record_job_row, found->body, found->body_size, &walk->check->arena,
                         false, &body) < 0)
        return sw_fail(&walk->why, EBADMSG, "its row cannot be read");
    walk->job->row = sw_record_clone(&sw_record_job_row, &body);
    walk->job->columns = (struct sw_job_row){.job = found->job,
                                             .type = walk->job->row->type.p,
                                             .owner = walk->job->row->owner.p,
                                             .key = walk->job->row->key.p,
                                             .bytes = found->bytes};
    return 0;
}

static int
check_inline(const struct sw_msg_add_row *body, struct sw_plan_file *ret_plan, struct sw_err *err)
{
    struct sw_manifest manifest = {0};
    sw_buf_put(&manifest.bytes, body->manifest.p, body->manifest.n);
    int r = sw_manifest_parse(&manifest, err);
    sw_manifest_done(&manifest);
    return r < 0 ? r : sw_plan_decode(body->plan.p, body->plan.n, ret_plan, err);
}

static int
check_on_disk(int folder, uint32_t add, struct sw_plan_file *ret_plan, struct sw_err *err)
{
    struct sw_manifest manifest = {0};
    char name[32];
    snprintf(name, sizeof name, "manifest.%u", add);
    if (folder < 0)
        return sw_fail(err, ENOENT, "its folder is not there");
    int r = sw_manifest_load(folder, name, &manifest, err);
    sw_manifest_done(&manifest);
    if (r < 0)
        return err->text[0] ? r : sw_fail(err, -r, "%s: %s", name, strerror(-r));
    r = sw_plan_read(folder, add, ret_plan, err);
    return r < 0 && !err->text[0] ? sw_fail(err, -r, "plan.%u: %s", add, strerror(-r)) : r;
}

static int on_add(void *arg, const struct sw_row *row)
{
    struct walk *walk = arg;
    struct checked_job *job = walk->job;
    struct sw_msg_add_row body;
    struct sw_plan_file plan = {0};
    uint32_t add = row->of.add.add;
    if (add != job->n_adds ||
        sw_decode_record(&sw_record_add_row, row->of.add.body, row->of.add.body_size,
                         &walk->check->arena, false, &body) < 0)
        return sw_fail(&walk->why, EBADMSG, "its row of ADD %u cannot be read", job->n_adds);
    bool is_inline = body.plan.n > 0;
    int r = is_inline ? check_inline(&body, &plan, &walk->why)
                      : check_on_disk(job->folder, add, &plan, &walk->why);
    if (r == 0 && (plan.head.first_chunk != job->n_chunks || body.first_chunk != job->n_chunks ||
                   plan.head.n_chunks != body.chunks))
        r = sw_fail(&walk->why, EBADMSG, "plan.%u is another ADD's", add);
    sw_plan_done(&plan);
    if (r < 0)
        return r;
    sw_grow(&job->first, &job->first_room, (size_t)add + 2, sizeof *job->first);
    sw_grow(&job->on_disk, &job->on_disk_room, (size_t)add + 1, sizeof *job->on_disk);
    if (!is_inline)
        source_add(job->source, job->job, add, job->n_chunks, (uint32_t)body.chunks);
    job->on_disk[add] = !is_inline;
    job->first[add] = job->n_chunks;
    job->n_chunks += (uint32_t)body.chunks;
    job->first[add + 1] = job->n_chunks;
    job->n_adds++;
    return 0;
}

static int on_chunk(void *arg, const struct sw_row *row)
{
    struct walk *walk = arg;
    struct checked_job *job = walk->job;
    const struct sw_chunk_row *chunk = &row->of.chunk;
    struct sw_msg_chunk_row body;
    walk->check->chunks++;
    if (chunk->chunk >= job->n_chunks ||
        sw_decode_record(&sw_record_chunk_row, chunk->body, chunk->body_size, &walk->check->arena,
                         false, &body) < 0)
        return sw_fail(&walk->why, EBADMSG, "the row of chunk %u does not fit its plan",
                       chunk->chunk);
    if (chunk->state == CHUNK_DONE) {
        job->seen[chunk->chunk] = SEEN_DONE;
        job->named[chunk->chunk] = body.stored ? body.n : 0;
        job->sizes[chunk->chunk] = body.bytes_out;
    } else if (chunk->state == CHUNK_FAILED) {
        job->seen[chunk->chunk] = SEEN_FAILED;
    }
    return 0;
}

static int read_rows(struct walk *walk)
{
    struct checked_job *job = walk->job;
    const struct sw_store_ops *ops = walk->check->place.ops;
    struct sw_store *store = walk->check->place.store;
    int r = ops->job(store, job->job, on_job, walk);
    if (r < 0 || !job->row || job->status == JOB_CANCELLED || job->row->error.n)
        return r; /* it gives no result */
    r = ops->adds(store, job->job, on_add, walk);
    job->seen = sw_alloc((size_t)job->n_chunks + 1, sizeof *job->seen);
    job->named = sw_alloc((size_t)job->n_chunks + 1, sizeof *job->named);
    job->sizes = sw_alloc((size_t)job->n_chunks + 1, sizeof *job->sizes);
    return r < 0 ? r : ops->chunks(store, job->job, 0, 0, on_chunk, walk);
}

static int check_whole(struct check *check, struct checked_job *job)
{
    if (job->status == JOB_CANCELLED || job->row->error.n)
        return 0;
    int r = check_outputs(check, job);
    if (r == 0)
        r = check_inputs(check, job);
    return r < 0 ? r : check_orphans(check, job);
}

static int end_damaged(struct check *check, uint64_t job, const struct sw_err *why)
{
    struct sw_err text;
    sw_fail(&text, 0, "job %ju: %s", (uintmax_t)job, why->text);
    int r = check->repair ? damaged_save(check->place.ops, check->place.store, &check->arena, job,
                                         text.text, &check->err)
                          : 0;
    check_say(check, job, why->text, r < 0 ? NULL : "ended as failed, with these words");
    return r;
}

int check_job(struct check *check, uint64_t number)
{
    struct checked_job job = {
        .job = number, .folder = -1, .source = source_new(check->jobs_fd, BROKER_SOURCE_BYTES)};
    struct walk walk = {.check = check, .job = &job};
    check->jobs++;
    int r = sw_job_dir_open(check->jobs_fd, number, &job.folder);
    if (r == 0 || r == -ENOENT)
        r = read_rows(&walk);
    if (r < 0 && walk.why.text[0])
        r = end_damaged(check, number, &walk.why);
    else if (r == 0 && job.row)
        r = check_whole(check, &job);
    sw_fd_close(&job.folder);
    source_destroy(&job.source);
    sw_release(job.row);
    sw_release(job.first);
    sw_release(job.on_disk);
    sw_release(job.seen);
    sw_release(job.named);
    sw_release(job.sizes);
    return r;
}
