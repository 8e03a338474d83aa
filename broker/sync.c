/* Makes outputs durable for `data`. What waits is taken together: the folders in the order in which
 * they first came, for each all its outputs and then itself, once. Reads an output to make its
 * sums; the only descriptors it keeps are those of requests under way. */
#include "broker/sync.h"

#include "broker/actor.h"
#include "files/output.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* A request under way, and then its reply. */
struct task {
    struct sync_reply reply;
    int folder_fd;
    dev_t device; /* of the folder */
    ino_t inode;
    uint32_t chunk;
    uint64_t n;
    bool sealed; /* or failed to be */
};

struct sync {
    zactor_t *actor;
    unsigned asked; /* and not yet taken */
};

/* ---- the actor ---- */

static void fail(struct task *task, int status, bool fatal)
{
    if (task->reply.status == 0 || (fatal && !task->reply.fatal)) {
        task->reply.status = status;
        task->reply.fatal = fatal;
    }
}

static void seal(struct task *task)
{
    bool fatal = false;
    int r = sw_output_seal(task->folder_fd, task->chunk, task->n, &fatal);
    if (r < 0)
        fail(task, r, fatal);
    task->sealed = true;
}

static bool same_folder(const struct task *a, const struct task *b)
{
    return a->inode == b->inode && a->device == b->device;
}

static void answer(zsock_t *pipe, struct task *task)
{
    sw_fd_close(&task->folder_fd);
    actor_give(pipe, task);
}

/* tasks[0] and all of its folder; returns how many are left. */
static size_t sync_folder(zsock_t *pipe, struct task **tasks, size_t n)
{
    struct task *first = tasks[0];
    for (size_t i = 0; i < n; i++)
        if (same_folder(first, tasks[i]))
            seal(tasks[i]);
    int r = fsync(first->folder_fd) < 0 ? -errno : 0;
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        struct task *task = tasks[i];
        if (!task->sealed) {
            tasks[left++] = task;
            continue;
        }
        if (r < 0)
            fail(task, r, true);
        answer(pipe, task);
    }
    return left;
}

static void run(zsock_t *pipe, void *arg)
{
    struct task *tasks[SYNC_REQUESTS_MAX];
    (void)arg;
    actor_begin(pipe);
    while ((tasks[0] = actor_wait(pipe))) {
        size_t n = 1;
        while (n < SYNC_REQUESTS_MAX && (tasks[n] = actor_take(pipe)))
            n++;
        while (n > 0)
            n = sync_folder(pipe, tasks, n);
    }
}

/* ---- the caller's side ---- */

int sync_open(struct sync **ret_sync)
{
    struct sync *sync = sw_alloc(1, sizeof *sync);
    sync->actor = zactor_new(run, NULL);
    assert(sync->actor);
    *ret_sync = sync;
    return 0;
}

int sync_ask(struct sync *sync, const struct sync_request *request)
{
    if (sync->asked == SYNC_REQUESTS_MAX)
        return -EBUSY;
    AUTO_FD int folder_fd = fcntl(request->folder_fd, F_DUPFD_CLOEXEC, 0);
    struct stat about;
    if (folder_fd < 0 || fstat(folder_fd, &about) < 0)
        return -errno;
    struct task *task = sw_alloc(1, sizeof *task);
    *task = (struct task){.reply.ref = request->ref,
                          .folder_fd = TAKE_FD(folder_fd),
                          .device = about.st_dev,
                          .inode = about.st_ino,
                          .chunk = request->chunk,
                          .n = request->n};
    actor_give(zactor_sock(sync->actor), task);
    sync->asked++;
    return 0;
}

zsock_t *sync_socket(struct sync *sync)
{
    return zactor_sock(sync->actor);
}

bool sync_next(struct sync *sync, struct sync_reply *ret_reply)
{
    struct task *task = actor_take(zactor_sock(sync->actor));
    if (!task)
        return false;
    sync->asked--;
    *ret_reply = task->reply;
    sw_release(task);
    return true;
}

void sync_close(struct sync **p)
{
    struct sync *sync = TAKE(*p);
    if (!sync)
        return;
    for (; sync->asked > 0; sync->asked--) {
        struct task *task = actor_wait(zactor_sock(sync->actor));
        assert(task);
        sw_release(task);
    }
    zactor_destroy(&sync->actor);
    sw_release(sync);
}
