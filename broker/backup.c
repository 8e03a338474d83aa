/* The order of a backup: rows first, then files. What a row names is on the disk before the row is
 * and stays there until the job is forgotten, so rows of one moment find all their files at any
 * later one; files taken first would miss what a later row names. Called by tools.c, beside a
 * broker at work, whose store it only reads. */
#include "broker/backup.h"

#include "broker/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The copy's epochs begin so much later: the original goes on to count, and no lease of the two may
 * have one number. */
#define EPOCHS_AHEAD 1000

struct backup {
    struct place from, to;
    int from_state_fd, from_jobs_fd, to_state_fd, to_jobs_fd;
    struct sw_arena arena;
    struct job_files files;
    struct backed_up *count;
    struct sw_err *err;
    bool found;
    uint64_t *jobs;
    size_t n, room;
};

static int on_job(void *arg, const struct sw_row *row)
{
    struct backup *backup = arg;
    sw_grow(&backup->jobs, &backup->room, backup->n + 1, sizeof *backup->jobs);
    backup->jobs[backup->n++] = row->of.job.job;
    return 0;
}

static int on_add(void *arg, const struct sw_row *row)
{
    struct backup *backup = arg;
    backup->files.adds = row->of.add.add + 1;
    return 0;
}

static int on_chunk(void *arg, const struct sw_row *row)
{
    struct backup *backup = arg;
    struct job_files *files = &backup->files;
    const struct sw_chunk_row *chunk = &row->of.chunk;
    struct sw_msg_chunk_row body;
    if (chunk->state != CHUNK_DONE || chunk->chunk >= CORE_JOB_CHUNKS_MAX ||
        sw_decode_record(&sw_record_chunk_row, chunk->body, chunk->body_size, &backup->arena, false,
                         &body) < 0 ||
        !body.stored)
        return 0;
    sw_grow(&files->outputs, &files->room, (size_t)chunk->chunk + 1, sizeof *files->outputs);
    for (; files->n <= chunk->chunk; files->n++)
        files->outputs[files->n] = 0;
    files->outputs[chunk->chunk] = body.n;
    return 0;
}

static int on_found(void *arg, const struct sw_row *row)
{
    (void)row;
    ((struct backup *)arg)->found = true;
    return 0;
}

/* A job that was forgotten while its files were taken is forgotten here, too. */
static int take_job(struct backup *backup, uint64_t job)
{
    const struct sw_store_ops *ops = backup->to.ops;
    backup->files.adds = 0;
    backup->files.n = 0;
    backup->found = false;
    int r = ops->adds(backup->to.store, job, on_add, backup);
    if (r == 0)
        r = ops->chunks(backup->to.store, job, 0, 0, on_chunk, backup);
    if (r == 0)
        r = backup_job(backup->from_jobs_fd, backup->to_jobs_fd, job, &backup->files, backup->count,
                       backup->err);
    if (r == 0)
        r = backup->from.ops->job(backup->from.store, job, on_found, backup);
    if (r < 0 || backup->found)
        return r;
    struct sw_row forget = {.kind = SW_ROW_FORGET, .of.job.job = job};
    backup->count->rows.jobs--;
    r = ops->commit(backup->to.store, &forget, 1, backup->err);
    return r < 0 ? r : sw_job_dir_remove(backup->to_jobs_fd, job);
}

static int take_files(struct backup *backup)
{
    int r = backup_folder(backup->from_state_fd, backup->to_state_fd, "keys", backup->err);
    if (r == 0)
        r = backup->to.ops->jobs(backup->to.store, &(struct sw_job_query){0}, on_job, backup);
    for (size_t i = 0; r == 0 && i < backup->n; i++)
        r = take_job(backup, backup->jobs[i]);
    return r;
}

static int take_rows(struct backup *backup)
{
    int r = place_read(&backup->from, backup->err);
    if (r == 0)
        r = place_whole(backup->from.ops, backup->from.store, backup->err);
    if (r == 0)
        r = backup->from.ops->epoch(backup->from.store, &backup->to.epoch);
    backup->to.epoch += EPOCHS_AHEAD;
    if (r == 0)
        r = place_claim(&backup->to, backup->err);
    return r < 0 ? r : copy_rows(&backup->from, &backup->to, &backup->count->rows, backup->err);
}

/* Whether the folder is the state folder or lies in it: the copy would be swept at the next start,
 * or be taken for the state itself. */
static bool lies_in(const char *folder, const char *state)
{
    AUTO(sw_text) char *inner = realpath(folder, NULL), *outer = realpath(state, NULL);
    size_t n = outer ? strlen(outer) : 0;
    return inner && outer && !strncmp(inner, outer, n) && (inner[n] == '/' || !inner[n]);
}

/* New, or without a store; nothing is made elsewhere. */
static int make_folder(const char *state, const char *folder, struct sw_err *err)
{
    bool made = mkdir(folder, 0750) == 0;
    AUTO_FD int fd =
        made || errno == EEXIST ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0)
        return sw_fail(err, errno, "backup folder %s: %s", folder, strerror(errno));
    if (lies_in(folder, state)) {
        if (made)
            rmdir(folder);
        return sw_fail(err, EINVAL, "backup folder %s: it must not lie in the state folder",
                       folder);
    }
    if (faccessat(fd, "store.sqlite", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return sw_fail(err, EEXIST,
                       "backup folder %s: not empty, a state or backup is in it; name a new one",
                       folder);
    return 0;
}

static int open_folders(struct backup *backup, const char *state, const char *folder)
{
    struct stat about;
    if (stat(state, &about) < 0)
        return sw_fail(backup->err, errno, "%s: %s", state, strerror(errno));
    int r = make_folder(state, folder, backup->err);
    if (r < 0)
        return r;
    r = state_open(state, &backup->from_state_fd, &backup->from_jobs_fd, backup->err);
    return r < 0 ? r : state_open(folder, &backup->to_state_fd, &backup->to_jobs_fd, backup->err);
}

int backup_make(const char *state,
                const char *store,
                const char *folder,
                struct backed_up *ret,
                struct sw_err *err)
{
    struct backup backup = {.from_state_fd = -1,
                            .from_jobs_fd = -1,
                            .to_state_fd = -1,
                            .to_jobs_fd = -1,
                            .count = ret,
                            .err = err};
    int r = place_of(state, store, &backup.from, err);
    if (r == 0)
        r = place_of(folder, "sqlite", &backup.to, err);
    if (r == 0)
        r = open_folders(&backup, state, folder);
    if (r == 0)
        r = take_rows(&backup);
    if (r == 0)
        r = take_files(&backup);
    if (r == 0 && syncfs(backup.to_state_fd) < 0)
        r = -errno;
    if (r == 0)
        r = place_mark(&backup.to, false);
    if (r < 0 && !err->text[0])
        sw_fail(err, -r, "backup: %s", strerror(-r));
    place_done(&backup.from);
    place_done(&backup.to);
    sw_fd_close(&backup.from_state_fd);
    sw_fd_close(&backup.from_jobs_fd);
    sw_fd_close(&backup.to_state_fd);
    sw_fd_close(&backup.to_jobs_fd);
    sw_arena_done(&backup.arena);
    sw_release(backup.files.outputs);
    sw_release(backup.jobs);
    return r;
}
