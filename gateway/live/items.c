/* A hash of JSON objects. Called by mirror.c; knows nothing of what they mean. */
#include "live/items.h"

#include "base/own.h"

#include <stdio.h>
#include <string.h>
#include <uthash.h>

struct items {
    char key[32];
    json_t *json;
    UT_hash_handle hh;
};

void items_forget(struct items **list, const char *key)
{
    struct items *item;
    HASH_FIND_STR(*list, key, item);
    if (!item)
        return;
    HASH_DEL(*list, item);
    json_decref(item->json);
    sw_release(item);
}

void items_clear(struct items **list)
{
    struct items *item, *next;
    HASH_ITER(hh, *list, item, next)
    items_forget(list, item->key);
}

bool items_learn(struct items **list, const char *key, json_t *json_take)
{
    struct items *item;
    HASH_FIND_STR(*list, key, item);
    bool is_new = !item;
    if (is_new) {
        item = sw_alloc(1, sizeof *item);
        snprintf(item->key, sizeof item->key, "%s", key);
        HASH_ADD_STR(*list, key, item);
    }
    json_decref(item->json);
    item->json = json_take;
    return is_new;
}

json_t *items_json(const struct items *list)
{
    json_t *array = json_array();
    for (const struct items *item = list; item; item = item->hh.next)
        json_array_append(array, item->json);
    return array;
}
