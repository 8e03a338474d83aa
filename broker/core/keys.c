/* Idempotency keys: one makes one job. Those of live jobs, and of ended ones for as long as a
 * look-up of the store, which would find them later, may be under way. */
#include "broker/core/state.h"

#include "base/own.h"

#include <string.h>
#include <utlist.h>

struct known_key *key_find(const struct core *core, const uint8_t key[16])
{
    struct known_key *known = NULL;
    HASH_FIND(hh, core->keys, key, sizeof known->key, known);
    return known;
}

uint64_t core_key_job(const struct core *core, const uint8_t key[16])
{
    const struct known_key *known = key_find(core, key);
    return known ? known->job : 0;
}

static bool has_ended(const struct known_key *known)
{
    return known->prev != NULL;
}

static void drop(struct core *core, struct known_key *known)
{
    if (has_ended(known))
        DL_DELETE(core->ended_keys, known);
    HASH_DEL(core->keys, known);
    sw_release(known);
}

/* The job is live, for the first time or again. */
void key_put(struct core *core, const struct job *job)
{
    struct known_key *known = key_find(core, job->key);
    if (known) {
        if (has_ended(known))
            DL_DELETE(core->ended_keys, known);
        known->prev = known->next = NULL;
        return;
    }
    known = sw_alloc(1, sizeof *known);
    memcpy(known->key, job->key, sizeof known->key);
    known->job = job->id;
    known->body_hash = job->body_hash;
    HASH_ADD(hh, core->keys, key, sizeof known->key, known);
}

static struct known_key *key_of(const struct core *core, const struct job *job)
{
    struct known_key *known = job->has_key ? key_find(core, job->key) : NULL;
    return known && known->job == job->id ? known : NULL;
}

void key_ended(struct core *core, const struct job *job, int64_t now_ms)
{
    struct known_key *known = key_of(core, job);
    if (!known)
        return;
    known->forget_ms = now_ms - core->late_ms + CORE_KEY_GRACE_MS;
    DL_APPEND(core->ended_keys, known);
}

/* `job` is NULL when it ended: then its key, if still here, is among a minute's worth of others. */
void key_forget(struct core *core, const struct job *job, uint64_t id)
{
    struct known_key *known = NULL;
    if (job)
        known = key_of(core, job);
    else
        DL_SEARCH_SCALAR(core->ended_keys, known, job, id);
    if (known)
        drop(core, known);
}

void key_tick(struct core *core, int64_t now_ms)
{
    while (core->ended_keys && core->ended_keys->forget_ms <= now_ms - core->late_ms)
        drop(core, core->ended_keys);
}

void key_drop_all(struct core *core)
{
    struct known_key *known, *next_key;
    HASH_ITER(hh, core->keys, known, next_key)
    {
        drop(core, known);
    }
}
