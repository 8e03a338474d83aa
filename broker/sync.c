/* Makes files durable for control or for `data`. What waits is taken together: the folders in the
 * order in which they first came, for each all its files and then itself, once. Never writes; the
 * only descriptors it keeps are those of requests under way. */
#include "broker/sync.h"

#include "broker/actor.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A request under way, and then its reply. */
struct task {
    struct sync_reply reply;
    int folder_fd, fd; /* -1: none */
    dev_t device;      /* of the folder */
    ino_t inode;
    bool synced;
    size_t n_names;
    char *names; /* one after the other, each with its NUL; behind the task */
};

struct sync {
    zactor_t *actor;
    unsigned asked; /* and not yet taken */
};

/* ---- the actor ---- */

static void fail(struct task *task, int code, bool fatal)
{
    if (task->reply.status == 0 || (fatal && !task->reply.fatal)) {
        task->reply.status = -code;
        task->reply.fatal = fatal;
    }
}

static void sync_data(struct task *task, int fd)
{
    if (fdatasync(fd) < 0)
        fail(task, errno, true);
}

static void sync_files(struct task *task)
{
    if (task->fd >= 0)
        sync_data(task, task->fd);
    const char *name = task->names;
    for (size_t i = 0; i < task->n_names; i++, name += strlen(name) + 1) {
        AUTO_FD int fd = openat(task->folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            fail(task, errno, false);
        else
            sync_data(task, fd);
    }
    task->synced = true;
}

/* Without a folder a task is alone: its file had its name before. */
static bool same_folder(const struct task *a, const struct task *b)
{
    return a == b || (a->folder_fd >= 0 && b->folder_fd >= 0 && a->inode == b->inode &&
                      a->device == b->device);
}

static void answer(zsock_t *pipe, struct task *task)
{
    sw_fd_close(&task->fd);
    sw_fd_close(&task->folder_fd);
    actor_give(pipe, task);
}

/* tasks[0] and all of its folder; returns how many are left. */
static size_t sync_folder(zsock_t *pipe, struct task **tasks, size_t n)
{
    struct task *first = tasks[0];
    for (size_t i = 0; i < n; i++)
        if (same_folder(first, tasks[i]))
            sync_files(tasks[i]);
    int code = first->folder_fd >= 0 && fsync(first->folder_fd) < 0 ? errno : 0;
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        struct task *task = tasks[i];
        if (!task->synced) {
            tasks[left++] = task;
            continue;
        }
        if (code)
            fail(task, code, true);
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

static struct task *task_new(const struct sync_request *request)
{
    size_t size = 0;
    for (size_t i = 0; i < request->n_names; i++)
        size += strlen(request->names[i]) + 1;
    struct task *task = sw_alloc(1, sizeof *task + size);
    char *name = task->names = (char *)(task + 1);
    for (size_t i = 0; i < request->n_names; i++)
        name = stpcpy(name, request->names[i]) + 1;
    task->n_names = request->n_names;
    task->reply.ref = request->ref;
    task->folder_fd = task->fd = -1;
    return task;
}

int sync_ask(struct sync *sync, const struct sync_request *request)
{
    assert(request->n_names <= SYNC_NAMES_MAX);
    assert(request->folder_fd >= 0 || request->n_names == 0);
    if (sync->asked == SYNC_REQUESTS_MAX)
        return -EBUSY;
    AUTO_FD int folder_fd = -1;
    struct stat about = {0};
    if (request->folder_fd >= 0) {
        folder_fd = fcntl(request->folder_fd, F_DUPFD_CLOEXEC, 0);
        if (folder_fd < 0 || fstat(folder_fd, &about) < 0)
            return -errno;
    }
    struct task *task = task_new(request);
    task->folder_fd = TAKE_FD(folder_fd);
    task->device = about.st_dev;
    task->inode = about.st_ino;
    task->fd = request->fd;
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
