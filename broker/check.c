/* Goes through every job of the store and every folder. Called by tools.c; takes the writer's
 * place, so that no broker starts meanwhile. Changes nothing but the epoch unless it is to repair.
 */
#include "broker/check.h"
#include "broker/belong.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void check_say(struct check *check, uint64_t job, const char *wrong, const char *done)
{
    const char *then = !check->repair ? "" : done ? done : "nothing can be done";
    check->problems++;
    check->left += !check->repair || !done;
    if (job)
        printf("job %" PRIu64 ": ", job);
    printf("%s%s%s\n", wrong, *then ? ": " : "", then);
}

static int on_job(void *arg, uint64_t job)
{
    return check_job(arg, job);
}

static int on_found(void *arg, const struct sw_row *row)
{
    (void)row;
    *(bool *)arg = true;
    return 0;
}

static int on_folder(void *arg, uint64_t job)
{
    struct check *check = arg;
    bool found = false;
    int r = check->place.ops->job(check->place.store, job, on_found, &found);
    if (r < 0 || found)
        return r;
    int removed = check->repair ? sw_job_dir_remove(check->jobs_fd, job) : 0;
    check_say(check, job, "a folder without a job", removed < 0 ? NULL : "removed");
    return 0;
}

static int open_all(struct check *check, const struct broker_config *config)
{
    struct sw_err *err = &check->err;
    struct stat about;
    if (stat(config->state, &about) < 0)
        return sw_fail(err, errno, "%s: %s", config->state, strerror(errno));
    int r = state_open(config->state, &check->state_fd, &check->jobs_fd, err);
    if (r == 0)
        r = place_of(config->state, config->store, &check->place, err);
    if (r == 0)
        r = place_read(&check->place, err); /* never makes one */
    if (r < 0)
        return r;
    place_close(&check->place);
    r = place_claim(&check->place, err);
    if (r == 0)
        r = place_whole(check->place.ops, check->place.store, err);
    struct belonging belonging = {.ops = check->place.ops,
                                  .store = check->place.store,
                                  .jobs_fd = check->jobs_fd,
                                  .state = config->state,
                                  .every = true};
    return r < 0 ? r : jobs_belong(&belonging, err); /* a repair would end the jobs of another */
}

static int look(struct check *check, const struct broker_config *config)
{
    int r = open_all(check, config);
    if (r == 0)
        r = place_jobs(&check->place, 0, on_job, check);
    if (r == 0)
        r = sw_job_dirs_each(check->jobs_fd, on_folder, check);
    if (r < 0 && !check->err.text[0])
        sw_fail(&check->err, -r, "store: %s", strerror(-r));
    return r;
}

int check_run(const struct broker_config *config)
{
    struct check check = {
        .state_fd = -1, .jobs_fd = -1, .repair = config->repair, .checker = sw_checker_new(2)};
    int r = look(&check, config);
    if (r < 0)
        fprintf(stderr, "shadow-broker: cannot check: %s\n", check.err.text);
    else
        printf("checked: %" PRIu64 " jobs, %" PRIu64 " chunks, %" PRIu64 " outputs; %" PRIu64
               " problems, %" PRIu64 " left\n",
               check.jobs, check.chunks, check.outputs, check.problems, check.left);
    if (r == 0 && check.left && !check.repair)
        fprintf(stderr, "shadow-broker: --check --repair mends what can be mended\n");
    place_done(&check.place);
    sw_checker_destroy(&check.checker);
    sw_fd_close(&check.jobs_fd);
    sw_fd_close(&check.state_fd);
    sw_arena_done(&check.arena);
    return r < 0 ? 2 : check.left ? 1 : 0;
}
