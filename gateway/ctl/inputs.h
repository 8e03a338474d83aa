/* The files of a work verb, in the order in which they are sent. */
#ifndef CTL_INPUTS_H
#define CTL_INPUTS_H

#include "base/err.h"
#include "base/own.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct input {
    char *name; /* as the user gave it; any bytes but NUL */
    uint64_t size;
    mode_t mode;
    struct timespec mtime;
    dev_t device;
    ino_t inode;
    bool repeated; /* an earlier input has the same name */
    bool dropped;  /* became unreadable before it was sent: the gateway does not know it */
    char *output;  /* where its output goes; NULL for one output of all */
};

struct left { /* what was not taken */
    char *name, *reason;
    bool skipped; /* on purpose: a symbolic link inside a folder, a device */
};

struct inputs {
    struct input *list;
    size_t n, room;
    struct left *left;
    size_t n_left, left_room;
    size_t n_failed; /* of left: not skipped on purpose */
    uint64_t bytes;
};

/* walk.c. A file, or a folder with all files in it, ordered by the bytes of the whole name. What
 * cannot be read is put on the list of what was left. */
void inputs_take(struct inputs *inputs, const char *path);
void inputs_mark_repeated(struct inputs *inputs);
void inputs_leave(struct inputs *inputs, const char *name, bool skipped, const char *reason);
/* It turned out unreadable when it was to be sent: listed and never sent. */
void inputs_drop(struct inputs *inputs, size_t i, const char *reason);
void inputs_done(struct inputs *inputs);

#endif
