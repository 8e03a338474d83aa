/* JSON objects by a short key: the jobs, or the devices, that the broker told of. */
#ifndef GATEWAY_LIVE_ITEMS_H
#define GATEWAY_LIVE_ITEMS_H

#include <jansson.h>
#include <stdbool.h>

struct items; /* NULL is an empty list */

/* Takes the value; true: the key was not there before. */
bool items_learn(struct items **list, const char *key, json_t *json_take);
void items_forget(struct items **list, const char *key);
void items_clear(struct items **list);
json_t *items_json(const struct items *list); /* a new array of them, in the order they came */

#endif
