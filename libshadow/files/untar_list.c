/* Which members of a tar become entries: refused names, hard links, later duplicates. Called by
 * untar. Everything is decided at the end by one sort over the names: no hash table that a hostile
 * tar could fill with collisions. Never touches a file. */
#include "files/untar_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct item {
    struct sw_entry entry; /* its name is set at the end, when the names stay where they are */
    size_t name_at, target_at, target_size;
    bool is_link, refused, replaced;
};

struct untar_list {
    struct item *items;
    size_t n, room;
    struct sw_buf names;
};

struct key {
    const char *name;
    uint32_t size, index;
};

struct untar_list *untar_list_new(void)
{
    return sw_alloc(1, sizeof(struct untar_list));
}

void untar_list_destroy(struct untar_list **p)
{
    struct untar_list *list = TAKE(*p);
    if (!list)
        return;
    sw_release(list->items);
    sw_buf_done(&list->names);
    sw_release(list);
}

static void strip_slashes(const char **name, size_t *size)
{
    while (*size && **name == '/') {
        ++*name;
        --*size;
    }
}

static bool has_parent_part(const char *name, size_t size)
{
    for (size_t from = 0; from < size;) {
        const char *slash = memchr(name + from, '/', size - from);
        size_t to = slash ? (size_t)(slash - name) : size;
        if (to - from == 2 && name[from] == '.' && name[from + 1] == '.')
            return true;
        from = to + 1;
    }
    return false;
}

bool untar_list_refuse(struct sw_entry *entry)
{
    const char *reason = NULL;
    strip_slashes(&entry->name, &entry->name_size);
    if (entry->name_size > SW_NAME_MAX) {
        entry->name_size = SW_NAME_MAX;
        reason = "its name is longer than 4096 bytes (cut here)";
    } else if (entry->name_size == 0) {
        entry->name = "?";
        entry->name_size = 1;
        reason = "it has no name";
    } else if (has_parent_part(entry->name, entry->name_size)) {
        reason = "its name has a part '..', which would lead out of the folder";
    }
    if (!reason)
        return false;
    entry->state = SW_ENTRY_FAILED;
    entry->reason = reason;
    entry->size = 0;
    return true;
}

static int
push(struct untar_list *list, const struct sw_entry *given, const char *target, struct sw_err *err)
{
    if (list->n == SW_MANIFEST_ENTRIES_MAX)
        return sw_fail(err, EFBIG, "the tar has more than %d files", SW_MANIFEST_ENTRIES_MAX);
    struct item item = {.entry = *given, .name_at = list->names.size};
    item.refused = untar_list_refuse(&item.entry);
    sw_buf_put(&list->names, item.entry.name, item.entry.name_size);
    if (target && !item.refused) {
        item.is_link = true;
        item.target_size = strlen(target);
        strip_slashes(&target, &item.target_size);
        item.target_at = list->names.size;
        sw_buf_put(&list->names, target, item.target_size);
    }
    if (list->names.size > SW_MANIFEST_BYTES_MAX)
        return sw_fail(err, EFBIG, "the names in the tar are longer than %zu bytes",
                       SW_MANIFEST_BYTES_MAX);
    sw_grow(&list->items, &list->room, list->n + 1, sizeof *list->items);
    list->items[list->n++] = item;
    return 0;
}

int untar_list_put(struct untar_list *list, const struct sw_entry *entry, struct sw_err *err)
{
    return push(list, entry, NULL, err);
}

int untar_list_link(struct untar_list *list,
                    const struct sw_entry *entry,
                    const char *target,
                    struct sw_err *err)
{
    return push(list, entry, target, err);
}

static int compare_names(const struct key *a, const struct key *b)
{
    int r = memcmp(a->name, b->name, SW_MIN(a->size, b->size));
    return r ? r : (a->size > b->size) - (a->size < b->size);
}

static int compare_keys(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    int r = compare_names(x, y);
    return r ? r : (x->index > y->index) - (x->index < y->index);
}

static void keys_destroy(struct key **p)
{
    sw_release(TAKE(*p));
}

/* Only names that stand for a file of their own: a refused one replaces nothing. */
static struct key *sort_names(struct untar_list *list, size_t *ret_n)
{
    struct key *keys = sw_alloc(list->n, sizeof *keys);
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++) {
        struct item *item = &list->items[i];
        item->entry.name = (const char *)list->names.data + item->name_at;
        if (!item->refused)
            keys[n++] =
                (struct key){item->entry.name, (uint32_t)item->entry.name_size, (uint32_t)i};
    }
    qsort(keys, n, sizeof *keys, compare_keys);
    for (size_t k = 1; k < n; k++)
        if (compare_names(&keys[k - 1], &keys[k]) == 0)
            list->items[keys[k - 1].index].replaced = true;
    *ret_n = n;
    return keys;
}

/* A hard link is the bytes that its target had when the link came: the last of that name before it.
 */
static void resolve_link(struct untar_list *list, uint32_t index, const struct key *keys, size_t n)
{
    struct item *item = &list->items[index];
    struct sw_entry *entry = &item->entry;
    struct key wanted = {(const char *)list->names.data + item->target_at,
                         (uint32_t)item->target_size, index};
    size_t low = 0, high = n; /* the first key that is not below `wanted` */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_keys(&keys[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    entry->state = SW_ENTRY_FAILED;
    entry->reason = "a hard link to a file that did not come before it";
    if (low == 0 || compare_names(&keys[low - 1], &wanted) != 0)
        return;
    const struct sw_entry *target = &list->items[keys[low - 1].index].entry;
    entry->state = target->state;
    entry->reason = target->reason;
    entry->size = target->size;
    entry->part = target->part;
    entry->offset = target->offset;
}

int untar_list_finish(struct untar_list *list, struct sw_buf *ret_manifest, struct sw_err *err)
{
    size_t n_keys;
    AUTO(keys) struct key *keys = sort_names(list, &n_keys);
    for (uint32_t i = 0; i < list->n; i++) {
        if (list->items[i].is_link)
            resolve_link(list, i, keys, n_keys);
        if (list->items[i].replaced)
            continue;
        int r = sw_manifest_append(ret_manifest, &list->items[i].entry);
        if (r < 0)
            return sw_fail(err, -r, "the list of the tar's files is too large");
    }
    return 0;
}
