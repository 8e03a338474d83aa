/* The sets of output names behind names.h: 16 bytes a name, keyed hashes, so that names from
 * outside can neither be made to meet nor to crowd one place of the table. */
#include "broker/names.h"

#include "base/own.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define SETS_MAX 8 /* jobs that grow at the same time; others are read in again */
#define ROOM_MIN ((size_t)64)

struct digest {
    uint64_t word[2]; /* never both 0 */
};

struct set {
    uint64_t job;      /* 0: unused */
    uint32_t next_add; /* those before it are in the table */
    uint64_t used_at;
    struct digest *table; /* a power of two, at most half full */
    size_t n, room;
};

struct names {
    uint8_t key[crypto_shorthash_siphashx24_KEYBYTES];
    uint64_t clock;
    struct set sets[SETS_MAX];
};

struct names *names_new(void)
{
    struct names *names = sw_alloc(1, sizeof *names);
    randombytes_buf(names->key, sizeof names->key);
    return names;
}

static void empty(struct set *set)
{
    sw_release(set->table);
    *set = (struct set){0};
}

void names_destroy(struct names **p)
{
    struct names *names = TAKE(*p);
    for (size_t i = 0; names && i < SETS_MAX; i++)
        empty(&names->sets[i]);
    sw_release(names);
}

void names_forget(struct names *names, uint64_t job)
{
    for (size_t i = 0; i < SETS_MAX; i++)
        if (names->sets[i].job == job)
            empty(&names->sets[i]);
}

/* false: it was there. */
static bool put(struct set *set, const struct digest *digest)
{
    size_t at = digest->word[0] & (set->room - 1);
    for (; set->table[at].word[0] | set->table[at].word[1]; at = (at + 1) & (set->room - 1))
        if (memcmp(&set->table[at], digest, sizeof *digest) == 0)
            return false;
    set->table[at] = *digest;
    set->n++;
    return true;
}

static void make_room(struct set *set, size_t more)
{
    struct set bigger = *set;
    bigger.room = SW_MAX(set->room, ROOM_MIN);
    while (bigger.room / 2 < set->n + more)
        bigger.room *= 2;
    if (bigger.room == set->room)
        return;
    bigger.n = 0;
    bigger.table = sw_alloc(bigger.room, sizeof *bigger.table);
    for (size_t i = 0; i < set->room; i++)
        if (set->table[i].word[0] | set->table[i].word[1])
            put(&bigger, &set->table[i]);
    sw_release(set->table);
    *set = bigger;
}

static int put_all(struct names *names,
                   struct set *set,
                   const struct names_request *request,
                   const struct sw_manifest *manifest,
                   struct sw_err *err)
{
    AUTO_BUF struct sw_buf name = {0};
    make_room(set, manifest->n);
    for (size_t i = 0; i < manifest->n; i++) {
        const struct sw_entry *entry = &manifest->entries[i];
        struct digest digest;
        if (entry->state != SW_ENTRY_FILE)
            continue;
        sw_buf_clear(&name);
        request->kernel->output_name(request->values, entry->name, entry->name_size, &name);
        crypto_shorthash_siphashx24((uint8_t *)digest.word, name.data, name.size, names->key);
        digest.word[1] |= 1;
        if (!put(set, &digest))
            return sw_fail(err, EINVAL, "two inputs would both give the output %.*s",
                           (int)SW_MIN(name.size, (size_t)100), (const char *)name.data);
    }
    return 0;
}

static struct set *find(struct names *names, uint64_t job)
{
    struct set *found = &names->sets[0];
    for (size_t i = 0; i < SETS_MAX; i++) {
        struct set *set = &names->sets[i];
        if (set->job == job)
            return set;
        if (set->used_at < found->used_at)
            found = set;
    }
    empty(found);
    found->job = job;
    return found;
}

/* What came with earlier ADDs and is not in the table; inline ones have no manifest on disk, and
 * come before all uploads. */
static int catch_up(struct names *names,
                    struct set *set,
                    const struct names_request *request,
                    struct sw_err *err)
{
    if (set->next_add > request->add) {
        uint64_t job = set->job;
        empty(set);
        set->job = job;
    }
    if (set->next_add == 0 && request->inlines) {
        int r = put_all(names, set, request, request->inlines, err);
        if (r < 0)
            return r;
    }
    for (; set->next_add < request->add; set->next_add++) {
        struct sw_manifest manifest = {0};
        char file[32];
        snprintf(file, sizeof file, "manifest.%u", set->next_add);
        int r = sw_manifest_load(request->job_fd, file, &manifest, err);
        if (r == 0)
            r = put_all(names, set, request, &manifest, err);
        sw_manifest_done(&manifest);
        if (r < 0 && r != -ENOENT)
            return r;
    }
    return 0;
}

int names_add(struct names *names,
              const struct names_request *request,
              const struct sw_manifest *manifest,
              struct sw_err *err)
{
    if (request->kernel->shape != SW_FILES)
        return 0;
    struct set *set = find(names, request->job);
    set->used_at = ++names->clock;
    int r = catch_up(names, set, request, err);
    if (r == 0)
        r = put_all(names, set, request, manifest, err);
    if (r < 0)
        empty(set);
    else
        set->next_add = request->add + 1;
    return r;
}

int names_check(const struct sw_kernel *kernel,
                const struct sw_values *values,
                const struct sw_manifest *manifest,
                struct sw_err *err)
{
    AUTO(names) struct names *names = names_new();
    struct names_request request = {.job = 1, .job_fd = -1, .kernel = kernel, .values = values};
    return names_add(names, &request, manifest, err);
}
