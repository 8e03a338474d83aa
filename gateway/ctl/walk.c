/* Finds the files of a work verb: walks folders, tries each file, keeps what cannot be taken on a
 * list of its own. Owns struct inputs. Called by work.c; never prints, never follows a link inside
 * a folder. */
#include "inputs.h"

#include "base/buf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void inputs_leave(struct inputs *inputs, const char *name, bool skipped, const char *reason)
{
    sw_grow(&inputs->left, &inputs->left_room, inputs->n_left + 1, sizeof *inputs->left);
    inputs->left[inputs->n_left++] = (struct left){.name = sw_copy_text(name, strlen(name)),
                                                   .reason = sw_copy_text(reason, strlen(reason)),
                                                   .skipped = skipped};
    inputs->n_failed += !skipped;
}

void inputs_drop(struct inputs *inputs, size_t i, const char *reason)
{
    inputs->list[i].dropped = true;
    inputs->bytes -= inputs->list[i].size;
    inputs_leave(inputs, inputs->list[i].name, false, reason);
}

static void take_file(struct inputs *inputs, const char *path, int fd)
{
    struct stat st;
    if (fstat(fd, &st)) {
        inputs_leave(inputs, path, false, strerror(errno));
        return;
    }
    sw_grow(&inputs->list, &inputs->room, inputs->n + 1, sizeof *inputs->list);
    inputs->list[inputs->n++] = (struct input){.name = sw_copy_text(path, strlen(path)),
                                               .size = (uint64_t)st.st_size,
                                               .mode = st.st_mode & 07777,
                                               .mtime = st.st_mtim,
                                               .device = st.st_dev,
                                               .inode = st.st_ino};
    inputs->bytes += (uint64_t)st.st_size;
}

/* Folders end in `/` here, so that sorting the names of one folder gives the order of whole names.
 */
static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_folder(int folder_fd, const struct dirent *entry)
{
    struct stat st;
    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    return fstatat(folder_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int list_folder(const char *path, char ***ret_names, size_t *ret_n)
{
    DIR *folder = opendir(path);
    char **names = NULL;
    size_t n = 0, room = 0;
    if (!folder)
        return -errno;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (!entry)
            break;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        AUTO_BUF struct sw_buf name = {0};
        sw_buf_text(&name, path);
        if (path[strlen(path) - 1] != '/')
            sw_buf_text(&name, "/");
        sw_buf_text(&name, entry->d_name);
        if (is_folder(dirfd(folder), entry))
            sw_buf_text(&name, "/");
        sw_grow(&names, &room, n + 1, sizeof *names);
        names[n++] = sw_buf_take_text(&name);
    }
    int r = -errno;
    closedir(folder);
    if (n)
        qsort(names, n, sizeof *names, by_bytes);
    *ret_names = names;
    *ret_n = n;
    return r;
}

static void take_entry(struct inputs *inputs, const char *path)
{
    struct stat st;
    if (lstat(path, &st)) {
        inputs_leave(inputs, path, false, strerror(errno));
        return;
    }
    if (!S_ISREG(st.st_mode)) {
        inputs_leave(inputs, path, true,
                     S_ISLNK(st.st_mode) ? "a symbolic link" : "not a regular file");
        return;
    }
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        inputs_leave(inputs, path, false, strerror(errno));
    else
        take_file(inputs, path, fd);
}

static void take_folder(struct inputs *inputs, const char *path)
{
    char **names = NULL;
    size_t n = 0;
    int r = list_folder(path, &names, &n);
    if (r)
        inputs_leave(inputs, path, false, strerror(-r));
    for (size_t i = 0; i < n; i++) {
        if (names[i][strlen(names[i]) - 1] == '/')
            take_folder(inputs, names[i]);
        else
            take_entry(inputs, names[i]);
        sw_release(names[i]);
    }
    sw_release(names);
}

void inputs_take(struct inputs *inputs, const char *path)
{
    struct stat st;
    if (!path[0]) {
        inputs_leave(inputs, path, false, "an empty name");
        return;
    }
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st))
        inputs_leave(inputs, path, false, strerror(errno));
    else if (S_ISDIR(st.st_mode))
        take_folder(inputs, path);
    else if (S_ISREG(st.st_mode))
        take_file(inputs, path, fd);
    else
        inputs_leave(inputs, path, false, "not a regular file");
}

static int by_name(const void *a, const void *b)
{
    const struct input *x = *(struct input *const *)a, *y = *(struct input *const *)b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x > y) - (x < y);
}

void inputs_mark_repeated(struct inputs *inputs)
{
    struct input **sorted = sw_alloc(inputs->n + 1, sizeof(void *));
    for (size_t i = 0; i < inputs->n; i++)
        sorted[i] = &inputs->list[i];
    qsort(sorted, inputs->n, sizeof(void *), by_name);
    for (size_t i = 1; i < inputs->n; i++)
        sorted[i]->repeated = !strcmp(sorted[i]->name, sorted[i - 1]->name);
    sw_release(sorted);
}

void inputs_done(struct inputs *inputs)
{
    for (size_t i = 0; i < inputs->n; i++) {
        sw_release(inputs->list[i].name);
        sw_release(inputs->list[i].output);
    }
    for (size_t i = 0; i < inputs->n_left; i++) {
        sw_release(inputs->left[i].name);
        sw_release(inputs->left[i].reason);
    }
    sw_release(inputs->list);
    sw_release(inputs->left);
    *inputs = (struct inputs){0};
}
