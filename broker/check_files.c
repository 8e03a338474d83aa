/* A job's files against its rows: outputs that are its result, inputs of chunks that are still to
 * be done, and what belongs to no row. Called by check_job.c. Names set aside (NAME.bad) are
 * nobody's and stay until the job is deleted. */
#include "broker/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_final(const struct checked_job *job)
{
    return job->status >= JOB_COMPLETED;
}

static int
read_all(struct check *check, int folder, const char *name, uint64_t want, struct sw_err *err)
{
    AUTO(sw_checked) struct sw_checked *file = NULL;
    static uint8_t bytes[1 << 20];
    int r = folder < 0 ? -ENOENT : sw_checked_open(check->checker, folder, name, &file);
    if (r < 0)
        return sw_fail(err, -r, "%s: %s", name,
                       r == -ENOENT ? "it or its sums are not there" : "its sums do not fit it");
    for (uint64_t at = 0; at < want; at += sizeof bytes) {
        r = sw_checked_read(file, bytes, (size_t)SW_MIN(want - at, (uint64_t)sizeof bytes), at,
                            err);
        if (r < 0)
            return r;
    }
    return 0;
}

int check_outputs(struct check *check, struct checked_job *job)
{
    for (uint32_t chunk = 0; chunk < job->n_chunks; chunk++) {
        char name[SW_OUTPUT_PATH];
        struct sw_err why = {0};
        int bad = 0;
        if (job->named[chunk]) {
            check->outputs++;
            sw_output_path(chunk, job->named[chunk], name);
            bad = read_all(check, job->folder, name, job->sizes[chunk], &why);
        } else if (is_final(job) && job->seen[chunk] == SEEN_NONE) {
            bad = sw_fail(&why, ENOENT, "chunk %u has no result", chunk);
        }
        if (bad == 0)
            continue;
        int r = check->repair ? repair_again(check, job, chunk) : 0;
        check_say(check, job->job, why.text, r < 0 ? NULL : "to be done again");
        if (r < 0)
            return r;
        job->seen[chunk] = SEEN_REDO;
    }
    return 0;
}

static int read_input(struct checked_job *job, uint32_t chunk, struct sw_err *err)
{
    static uint8_t bytes[1 << 20];
    size_t n = 0;
    int r = 0;
    for (uint64_t at = 0; r == 0; at += n) {
        r = source_read(job->source, job->job, chunk, at, bytes, sizeof bytes, &n, NULL, err);
        if (n < sizeof bytes)
            break;
    }
    return r;
}

/* Of one ADD. The input goes aside when nothing of it is needed any more; else its other bytes
 * are, each checked when it is read. */
static int check_add(struct check *check, struct checked_job *job, uint32_t add)
{
    struct sw_err bad = {0};
    bool needed = false;
    for (uint32_t chunk = job->first[add]; chunk < job->first[add + 1]; chunk++) {
        struct sw_err why = {0};
        if (job->seen[chunk] == SEEN_DONE || job->seen[chunk] == SEEN_FAILED)
            continue;
        if (read_input(job, chunk, &why) == 0) {
            needed = true;
            continue;
        }
        char text[200];
        snprintf(text, sizeof text, "input of chunk %u: %s", chunk, why.text);
        int r = check->repair ? repair_fail(check, job, chunk, why.text) : 0;
        check_say(check, job->job, text, r < 0 ? NULL : "its files fail with that reason");
        if (r < 0)
            return r;
        bad = why;
    }
    if (bad.text[0] && !needed && check->repair && repair_input(job, bad.text) == 0)
        printf("job %" PRIu64 ": the input is set aside\n", job->job);
    return 0;
}

int check_inputs(struct check *check, struct checked_job *job)
{
    int r = 0;
    if (job->status == JOB_FAILED && !job->changed) /* what failed did so for good */
        return 0;
    for (uint32_t add = 0; r == 0 && add < job->n_adds; add++)
        if (job->on_disk[add])
            r = check_add(check, job, add);
    return r;
}

/* What a device may still have in its hands, or the next ADD writes over, is no orphan. */
static bool is_orphan(const struct checked_job *job, const char *name)
{
    uint32_t number;
    uint64_t n;
    size_t size = strlen(name);
    bool growing = !is_final(job) && !job->row->sealed;
    if (size > 4 && !strcmp(name + size - 4, ".bad"))
        return false;
    if (sscanf(name, "out.%" SCNu32 ".%" SCNu64, &number, &n) == 2) {
        if (number >= job->n_chunks)
            return true;
        if (job->seen[number] == SEEN_DONE)
            return n != job->named[number];
        if (job->seen[number] == SEEN_REDO)
            return false;
        return job->seen[number] == SEEN_FAILED || (is_final(job) && !job->changed);
    }
    if (sscanf(name, "in.%" SCNu32 ".", &number) == 1 ||
        sscanf(name, "manifest.%" SCNu32, &number) == 1 ||
        sscanf(name, "plan.%" SCNu32, &number) == 1)
        return number >= job->n_adds && !growing;
    return false;
}

int check_orphans(struct check *check, struct checked_job *job)
{
    int fd = job->folder < 0 ? -1 : openat(job->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        if (!is_orphan(job, entry->d_name))
            continue;
        char text[300];
        snprintf(text, sizeof text, "%s belongs to no row", entry->d_name);
        bool gone = !check->repair || unlinkat(job->folder, entry->d_name, 0) == 0;
        check_say(check, job->job, text, gone ? "removed" : NULL);
    }
    if (dir)
        closedir(dir);
    else
        sw_fd_close(&fd);
    return 0;
}
