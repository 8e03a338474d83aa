/* Names of outputs: what they are called in a result tar, and whether two would meet there. Called
 * once by result.c when a result is sealed. Sorts instead of hashing: names come from outside. */
#include "files/result_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keeps the parts of a path that lead somewhere: no empty ones, no '.', no '..'. */
static void put_path(const char *name, size_t size, struct sw_buf *ret)
{
    for (size_t from = 0; from <= size;) {
        const char *slash = from < size ? memchr(name + from, '/', size - from) : NULL;
        size_t to = slash ? (size_t)(slash - name) : size, n = to - from;
        bool dots =
            (n == 1 && name[from] == '.') || (n == 2 && name[from] == '.' && name[from + 1] == '.');
        if (n && !dots) {
            if (ret->size)
                sw_buf_put(ret, "/", 1);
            sw_buf_put(ret, name + from, n);
        }
        from = to + 1;
    }
}

static bool has_parent_part(const char *name, size_t size)
{
    for (size_t i = 0; i + 1 < size; i++)
        if (name[i] == '.' && name[i + 1] == '.' && (i == 0 || name[i - 1] == '/') &&
            (i + 2 == size || name[i + 2] == '/'))
            return true;
    return false;
}

/* A name is changed only where it must be: `./a` stays, `/a`, `../a` and `a/` become `a`. */
static void set_names(struct sw_result *result, struct member *member, struct sw_buf *scratch)
{
    const struct sw_result_file *file = &result->files[member->file];
    const char *name = file->output_name;
    size_t size = file->output_name_size;
    sw_buf_clear(scratch);
    put_path(name, size, scratch);
    member->path = name;
    member->path_size = size;
    if (scratch->size != size) { /* something was dropped */
        member->path = arena_copy(&result->arena, scratch->data, scratch->size);
        member->path_size = scratch->size;
    }
    bool safe = size && name[0] != '/' && name[size - 1] != '/' && !has_parent_part(name, size);
    member->name = safe ? name : member->path;
    member->name_size = safe ? size : member->path_size;
}

/* A name for words: cut, and nothing in it that a terminal or JSON would take amiss. */
static const char *shown(const char *name, size_t size, char ret_text[48])
{
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        if (used > 38) {
            memcpy(ret_text + used, "...", 4);
            return ret_text;
        }
        bool plain = name[i] >= ' ' && name[i] <= '~';
        used += (size_t)snprintf(ret_text + used, 48 - used, plain ? "%c" : "\\x%02x",
                                 (unsigned char)name[i]);
    }
    ret_text[used] = 0;
    return ret_text;
}

static int rank(char c)
{
    return c == '/' ? 0
                    : (unsigned char)c + 1; /* what is in a folder sorts right behind its name */
}

static int compare_paths(const void *a, const void *b)
{
    const struct member *x = *(const struct member *const *)a;
    const struct member *y = *(const struct member *const *)b;
    size_t n = SW_MIN(x->path_size, y->path_size);
    for (size_t i = 0; i < n; i++)
        if (x->path[i] != y->path[i])
            return rank(x->path[i]) - rank(y->path[i]);
    if (x->path_size != y->path_size)
        return x->path_size > y->path_size ? 1 : -1;
    return (x->file > y->file) - (x->file < y->file);
}

/* `one` sorts right before `other`. */
static int check_pair(const struct sw_result *result,
                      const struct member *one,
                      const struct member *other,
                      struct sw_err *err)
{
    if (one->path_size > other->path_size || memcmp(one->path, other->path, one->path_size) != 0)
        return 0;
    const struct sw_result_file *a = &result->files[one->file], *b = &result->files[other->file];
    char text[3][48];
    if (one->path_size == other->path_size)
        return sw_fail(err, EEXIST, "'%s' and '%s' would both give the output '%s'",
                       shown(a->name, a->name_size, text[0]), shown(b->name, b->name_size, text[1]),
                       shown(one->path, one->path_size, text[2]));
    if (other->path[one->path_size] == '/')
        return sw_fail(err, EEXIST, "the output '%s' would be a file and the folder of '%s'",
                       shown(one->path, one->path_size, text[0]),
                       shown(other->path, other->path_size, text[1]));
    return 0;
}

static int find_clashes(const struct sw_result *result, struct sw_err *err)
{
    const struct member **sorted = sw_alloc(result->n_members, sizeof(void *));
    for (size_t i = 0; i < result->n_members; i++)
        sorted[i] = &result->members[i];
    qsort(sorted, result->n_members, sizeof(void *), compare_paths);
    int r = 0;
    for (size_t i = 1; r == 0 && i < result->n_members; i++)
        r = check_pair(result, sorted[i - 1], sorted[i], err);
    sw_release(sorted);
    return r;
}

static int compare_output_names(const struct sw_result_file *file, const char *name, size_t size)
{
    int r = memcmp(file->output_name, name, SW_MIN(file->output_name_size, size));
    return r ? r : (file->output_name_size > size) - (file->output_name_size < size);
}

static int compare_members(const void *a, const void *b, void *arg)
{
    const struct sw_result *result = arg;
    const struct sw_result_file *other = &result->files[*(const uint32_t *)b];
    return compare_output_names(&result->files[*(const uint32_t *)a], other->output_name,
                                other->output_name_size);
}

int result_names(struct sw_result *result, struct sw_err *err)
{
    AUTO_BUF struct sw_buf scratch = {0};
    for (size_t i = 0; i < result->n_members; i++) {
        struct member *member = &result->members[i];
        set_names(result, member, &scratch);
        if (member->path_size)
            continue;
        const struct sw_result_file *file = &result->files[member->file];
        char text[48];
        shown(file->output_name, file->output_name_size, text);
        return sw_fail(err, EINVAL, "an output cannot be called '%s'", text);
    }
    int r = find_clashes(result, err);
    if (r < 0)
        return r;
    result->by_name = sw_alloc(result->n_members, sizeof *result->by_name);
    for (size_t i = 0; i < result->n_members; i++)
        result->by_name[i] = result->members[i].file;
    qsort_r(result->by_name, result->n_members, sizeof *result->by_name, compare_members, result);
    return 0;
}

int sw_result_find(const struct sw_result *result, const char *output_name, size_t size)
{
    size_t low = 0, high = result->rule.concat ? 0 : result->n_members;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint32_t file = result->by_name[middle];
        int r = compare_output_names(&result->files[file], output_name, size);
        if (r == 0)
            return (int)file;
        if (r < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -ENOENT;
}
