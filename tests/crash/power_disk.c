/* Stands between the store and the disk: writes down each write, truncation and sync of the files
 * in the watched folder, and passes it on. The test program defines libc's functions itself, so
 * that SQLite and our own code both come by here. One thread. */
#include "power_disk.h"

#include "base/own.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const disk_names[DISK_FILES] = {"store.sqlite", "store.sqlite-wal"};
struct disk_event *disk_events;
size_t disk_n_events;

static char watched[PATH_MAX];
static size_t room;

static void add(struct disk_event event)
{
    if (disk_n_events == room) {
        room = room ? room * 2 : 1024;
        disk_events = sw_realloc(disk_events, room, sizeof *disk_events);
    }
    disk_events[disk_n_events++] = event;
}

void disk_watch(const char *folder)
{
    snprintf(watched, sizeof watched, "%s", folder ? folder : "");
}

void disk_ack(uint64_t rows)
{
    add((struct disk_event){.kind = DISK_ACK, .at = rows});
}

void disk_forget(void)
{
    for (size_t i = 0; i < disk_n_events; i++)
        sw_release(disk_events[i].data);
    sw_release(disk_events);
    disk_events = NULL;
    disk_n_events = room = 0;
}

static enum disk_file file_of(int fd)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = *watched ? readlink(link, path, sizeof path - 1) : -1;
    path[n > 0 ? n : 0] = '\0';
    size_t folder = strlen(watched);
    enum disk_file file = DISK_FILES;
    if (n > 0 && !strncmp(path, watched, folder) && path[folder] == '/')
        for (file = 0; file < DISK_FILES && strcmp(path + folder + 1, disk_names[file]) != 0;
             file++)
            ;
    return file;
}

static void wrote(int fd, const void *p, ssize_t n, off_t at)
{
    enum disk_file file = file_of(fd);
    if (n <= 0 || file == DISK_FILES)
        return;
    struct disk_event event = {DISK_WRITE, file, (uint64_t)at, (size_t)n, sw_alloc(1, (size_t)n)};
    memcpy(event.data, p, (size_t)n);
    add(event);
}

static void happened(int fd, enum disk_kind kind, uint64_t at)
{
    enum disk_file file = file_of(fd);
    if (file != DISK_FILES)
        add((struct disk_event){.kind = kind, .file = file, .at = at});
}

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

ssize_t pwrite64(int fd, const void *p, size_t size, off64_t at)
{
    ssize_t n = REAL(pwrite64)(fd, p, size, at);
    wrote(fd, p, n, at);
    return n;
}

ssize_t write(int fd, const void *p, size_t size)
{
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t n = REAL(write)(fd, p, size);
    if (at >= 0)
        wrote(fd, p, n, at);
    return n;
}

int ftruncate64(int fd, off64_t size)
{
    int r = REAL(ftruncate64)(fd, size);
    if (r == 0)
        happened(fd, DISK_TRUNCATE, (uint64_t)size);
    return r;
}

int fdatasync(int fd)
{
    int r = REAL(fdatasync)(fd);
    happened(fd, DISK_SYNC, 0);
    return r;
}

int fsync(int fd)
{
    int r = REAL(fsync)(fd);
    happened(fd, DISK_SYNC, 0);
    return r;
}
