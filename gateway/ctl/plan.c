/* Where the outputs go, by the kernel's rule; refuses clashes, existing files and outputs that
 * would be inputs before anything is sent, and leaves out what no file can be named like. Called by
 * work.c; touches no file. */
#include "plan.h"

#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char *output_path(const struct sw_kernel *kernel,
                         const struct sw_values *values,
                         const struct input *input,
                         const char *folder)
{
    AUTO_BUF struct sw_buf name = {0};
    AUTO_BUF struct sw_buf safe = {0};
    kernel->output_name(values, input->name, strlen(input->name), &name);
    if (!folder)
        return sw_buf_take_text(&name);
    AUTO_BUF struct sw_buf path = {0};
    output_relative(&safe, (const char *)name.data, name.size);
    bool slash = folder[0] && folder[strlen(folder) - 1] == '/';
    sw_buf_printf(&path, "%s%s", folder, slash ? "" : "/");
    sw_buf_put(&path, safe.data, safe.size);
    return sw_buf_take_text(&path);
}

/* Where the last part of the path would be; NULL when that does not exist yet. */
static char *real_folder(const char *path)
{
    static char *asked, *answered; /* the last one: neighbours share it */
    const char *slash = strrchr(path, '/');
    AUTO(sw_text)
    char *folder = slash ? sw_copy_text(path, (size_t)(slash - path) + 1) : sw_copy_text(".", 1);
    if (asked && !strcmp(folder, asked))
        return answered ? sw_copy_text(answered, strlen(answered)) : NULL;
    char *real = realpath(folder, NULL);
    sw_release(asked);
    sw_release(answered);
    asked = TAKE(folder);
    answered = real ? sw_copy_text(real, strlen(real)) : NULL;
    free(real);
    return answered ? sw_copy_text(answered, strlen(answered)) : NULL;
}

/* The path without what does not change its meaning, so that `a` and `./a` are seen to clash. A
 * folder that exists is asked for its real name: `d/../a` is `a` only where `d` is no link. */
static char *tidy(const char *path)
{
    AUTO_BUF struct sw_buf key = {0};
    AUTO(sw_text) char *folder = real_folder(path);
    if (folder) {
        sw_buf_printf(&key, "%s/%s", folder, strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
        return sw_buf_take_text(&key);
    }
    sw_buf_text(&key, path[0] == '/' ? "/" : "");
    for (size_t n; *path; path += n + (path[n] == '/')) {
        n = strcspn(path, "/");
        if (n == 0 || (n == 1 && path[0] == '.'))
            continue;
        sw_buf_put(&key, path, n);
        sw_buf_text(&key, "/");
    }
    return sw_buf_take_text(&key);
}

struct place {
    char *key;
    const struct input *input;
};

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct place *)a)->key, ((const struct place *)b)->key);
}

static int check_clashes(const struct inputs *inputs, struct sw_err *err)
{
    struct place *places = sw_alloc(inputs->n + 1, sizeof *places);
    int r = 0;
    for (size_t i = 0; i < inputs->n; i++)
        places[i] = (struct place){tidy(inputs->list[i].output), &inputs->list[i]};
    qsort(places, inputs->n, sizeof *places, by_key);
    for (size_t i = 1; i < inputs->n && !r; i++)
        if (!strcmp(places[i].key, places[i - 1].key))
            r = sw_fail(err, CTL_ERR_REFUSED, "%s and %s would both give %s",
                        text_short(places[i - 1].input->name, 40).text,
                        text_short(places[i].input->name, 40).text,
                        text_short(places[i].input->output, 40).text);
    for (size_t i = 0; i < inputs->n; i++)
        sw_release(places[i].key);
    sw_release(places);
    return r;
}

static int by_inode(const void *a, const void *b)
{
    const struct stat *x = a, *y = b;
    if (x->st_dev != y->st_dev)
        return x->st_dev < y->st_dev ? -1 : 1;
    return (x->st_ino > y->st_ino) - (x->st_ino < y->st_ino);
}

static int check_existing(const struct inputs *inputs, bool force, struct sw_err *err)
{
    struct stat *taken = sw_alloc(inputs->n + 1, sizeof *taken), st;
    int r = 0;
    for (size_t i = 0; i < inputs->n; i++) {
        taken[i].st_dev = inputs->list[i].device;
        taken[i].st_ino = inputs->list[i].inode;
    }
    qsort(taken, inputs->n, sizeof *taken, by_inode);
    for (size_t i = 0; i < inputs->n && !r; i++) {
        const char *path = inputs->list[i].output;
        r = output_check(path, force, &st, err);
        if (!r && st.st_ino && bsearch(&st, taken, inputs->n, sizeof *taken, by_inode))
            r = sw_fail(err, CTL_ERR_REFUSED, "%s is an input; inputs are never touched",
                        text_short(path, CTL_NAME_BYTES).text);
    }
    sw_release(taken);
    return r;
}

static void leave_too_long(struct inputs *inputs)
{
    size_t n = 0;
    for (size_t i = 0; i < inputs->n; i++) {
        struct input *input = &inputs->list[i];
        if (!output_is_too_long(input->output)) {
            inputs->list[n++] = *input;
            continue;
        }
        inputs_leave(inputs, input->name, false, "its output's name would be too long");
        inputs->bytes -= input->size;
        sw_release(input->name);
        sw_release(input->output);
    }
    inputs->n = n;
}

int outputs_plan(const struct sw_kernel *kernel,
                 const struct sw_values *values,
                 struct inputs *inputs,
                 const char *folder,
                 bool force,
                 struct sw_err *err)
{
    for (size_t i = 0; i < inputs->n; i++)
        inputs->list[i].output = output_path(kernel, values, &inputs->list[i], folder);
    leave_too_long(inputs);
    int r = check_clashes(inputs, err);
    return r ? r : check_existing(inputs, force, err);
}
