/* What --repair writes: a chunk that is to be done again, or can never be. It follows the core's
 * own rules: rows that a RETRY could have left, or the last failure of a chunk. Called by
 * check_files.c, while no broker works on the store. */
#include "broker/check.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int set_aside(int folder, const char *name)
{
    static const char *const suffixes[] = {"", ".sum"};
    int r = 0;
    for (size_t i = 0; i < SW_COUNT(suffixes); i++) {
        char from[96], to[96];
        snprintf(from, sizeof from, "%s%s", name, suffixes[i]);
        snprintf(to, sizeof to, "%s%s.bad", name, suffixes[i]);
        if (renameat(folder, from, folder, to) < 0 && errno != ENOENT)
            r = -errno;
    }
    return r;
}

/* As after RETRY: the job is not final, and its result will be another one (its ETag changes). */
static void reopen(struct checked_job *job, struct sw_buf *body, struct sw_row *ret)
{
    struct sw_msg_job_row *row = job->row;
    row->completed_at = 0;
    row->retries++;
    sw_encode_record(&sw_record_job_row, row, body);
    job->columns.status = job->status = JOB_PROCESSING;
    job->columns.final_ms = 0;
    job->columns.body = body->data;
    job->columns.body_size = body->size;
    *ret = (struct sw_row){.kind = SW_ROW_JOB, .of.job = job->columns};
}

static int save(struct check *check,
                struct checked_job *job,
                const struct sw_chunk_row *columns,
                const struct sw_msg_chunk_row *row)
{
    AUTO_BUF struct sw_buf job_body = {0}, body = {0};
    struct sw_row rows[2];
    size_t n = 0;
    if (job->status >= JOB_COMPLETED)
        reopen(job, &job_body, &rows[n++]);
    sw_encode_record(&sw_record_chunk_row, row, &body);
    rows[n] = (struct sw_row){.kind = SW_ROW_CHUNK, .of.chunk = *columns};
    rows[n].of.chunk.job = job->job;
    rows[n].of.chunk.body = body.data;
    rows[n++].of.chunk.body_size = body.size;
    job->changed = true;
    return check->place.ops->commit(check->place.store, rows, n, &check->err);
}

/* Aside before the row: a crash in between leaves a row that names nothing, which is found again.
 */
int repair_again(struct check *check, struct checked_job *job, uint32_t chunk)
{
    char name[SW_OUTPUT_PATH];
    struct sw_msg_chunk_row none = {0};
    int r = 0;
    if (job->named[chunk] && job->folder >= 0) {
        sw_output_path(chunk, job->named[chunk], name);
        r = set_aside(job->folder, name);
    }
    job->named[chunk] = 0;
    if (r < 0)
        return sw_fail(&check->err, -r, "%s cannot be set aside: %s", name, strerror(-r));
    return save(check, job, &(struct sw_chunk_row){.chunk = chunk, .state = CHUNK_READY}, &none);
}

int repair_fail(struct check *check, struct checked_job *job, uint32_t chunk, const char *why)
{
    struct sw_msg_chunk_row row = {.completed_at = sw_wall_ms(),
                                   .failed_files = source_pieces(job->source, job->job, chunk),
                                   .error = sw_str_of(why)};
    job->seen[chunk] = SEEN_FAILED;
    return save(check, job,
                &(struct sw_chunk_row){
                    .chunk = chunk, .state = CHUNK_FAILED, .attempts = CORE_ATTEMPTS_MAX},
                &row);
}

int repair_input(struct checked_job *job, const char *words)
{
    uint32_t add, part;
    char name[32];
    const char *at = strstr(words, "in.");
    if (!at || sscanf(at, "in.%u.%u", &add, &part) != 2)
        return -ENOENT;
    snprintf(name, sizeof name, "in.%u.%u", add, part);
    return set_aside(job->folder, name);
}
