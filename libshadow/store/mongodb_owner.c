/* Who holds the lease: a process of some machine, written so that a process of the same machine can
 * tell that it is gone, and need not wait for the lease to run out. Called by mongodb_lease.c. */
#include "store/mongodb_lease.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int64_t started_at(int64_t pid)
{
    char path[48], text[1024];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0)
        return -1;
    text[n] = '\0';
    const char *at = strrchr(text, ')'); /* the command may hold anything */
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoll(at, NULL, 10) : -1;
}

static void read_line(const char *path, char *ret, size_t room)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, ret, room - 1);
    ret[n > 0 ? n : 0] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
}

struct mongodb_owner mongodb_owner_self(void)
{
    struct mongodb_owner owner = {.pid = getpid()};
    gethostname(owner.host, sizeof owner.host - 1);
    read_line("/proc/sys/kernel/random/boot_id", owner.boot, sizeof owner.boot);
    ssize_t n = readlink("/proc/self/ns/pid", owner.namespace, sizeof owner.namespace - 1);
    owner.namespace[n > 0 ? n : 0] = '\0';
    owner.started = started_at(owner.pid);
    return owner;
}

/* One that /proc hides, another user's, is there all the same. */
static bool is_running(const struct mongodb_owner *owner)
{
    if (kill((pid_t)owner->pid, 0) < 0 && errno == ESRCH)
        return false;
    int64_t started = started_at(owner->pid);
    return started < 0 || started == owner->started;
}

bool mongodb_owner_is_gone(const struct mongodb_owner *owner)
{
    struct mongodb_owner here = mongodb_owner_self();
    return *owner->boot && *owner->namespace && !strcmp(owner->boot, here.boot) &&
           !strcmp(owner->namespace, here.namespace) && owner->pid > 0 && !is_running(owner);
}

void mongodb_owner_put(bson_t *document, const struct mongodb_owner *owner)
{
    bson_t child;
    BSON_APPEND_DOCUMENT_BEGIN(document, "owner", &child);
    PUT_TEXT(&child, "host", owner->host);
    PUT_TEXT(&child, "boot", owner->boot);
    PUT_TEXT(&child, "namespace", owner->namespace);
    PUT_I64(&child, "pid", owner->pid);
    PUT_I64(&child, "started", owner->started);
    bson_append_document_end(document, &child);
}

static void copy_text(const bson_t *document, const char *key, char *ret, size_t room)
{
    bson_iter_t top, at;
    bool found = bson_iter_init(&top, document) && bson_iter_find_descendant(&top, key, &at) &&
                 BSON_ITER_HOLDS_UTF8(&at);
    snprintf(ret, room, "%s", found ? bson_iter_utf8(&at, NULL) : "");
}

int64_t mongodb_number(const bson_t *document, const char *key)
{
    bson_iter_t top, at;
    return bson_iter_init(&top, document) && bson_iter_find_descendant(&top, key, &at)
               ? bson_iter_as_int64(&at)
               : 0;
}

void mongodb_owner_read(const bson_t *lease, struct mongodb_owner *ret)
{
    ret->pid = mongodb_number(lease, "owner.pid");
    ret->started = mongodb_number(lease, "owner.started");
    copy_text(lease, "owner.host", ret->host, sizeof ret->host);
    copy_text(lease, "owner.boot", ret->boot, sizeof ret->boot);
    copy_text(lease, "owner.namespace", ret->namespace, sizeof ret->namespace);
}
