/* Keeps the lease: a thread that renews it and does nothing else, and the looks at what it found.
 * Called by the writing handle's owner. */
#include "store/mongodb_lease.h"

#include "base/clock.h"
#include "base/io.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RENEW_MS 2000 /* design.md section 6 */
#define VALID_MS 6000 /* from the start of the renewal */
#define AGAIN_MS 250  /* after one that failed */
#define AWAIT_MS 20

struct mongodb_lease {
    struct sw_store *store; /* its pool, name and epoch, which stay as they are */
    pthread_t thread;
    bool runs;
    int stop; /* an eventfd */
    _Atomic int64_t renewed_ms;
    atomic_bool lost;
};

static void renew(struct mongodb_lease *lease, mongoc_collection_t *meta)
{
    int64_t begun_ms = sw_boot_ms();
    bool matched;
    bson_t *filter = BCON_NEW("_id", BCON_UTF8("lease"), "epoch", BCON_INT64(lease->store->epoch));
    bson_t *change = BCON_NEW("$inc", "{", "counter", BCON_INT64(1), "}");
    if (mongodb_lease_change(lease->store, meta, filter, change, &matched, NULL) == 0) {
        if (matched)
            atomic_store(&lease->renewed_ms, begun_ms);
        else
            atomic_store(&lease->lost, true);
    }
    bson_destroy(filter);
    bson_destroy(change);
}

static void *keep(void *arg)
{
    struct mongodb_lease *lease = arg;
    mongoc_client_t *client = mongoc_client_pool_pop(lease->store->pool);
    mongoc_collection_t *collection[MONGODB_COLLECTIONS];
    mongodb_collections(lease->store, client, collection);
    while (!atomic_load(&lease->lost)) {
        int64_t next_ms = atomic_load(&lease->renewed_ms) + RENEW_MS;
        int wait_ms = (int)SW_MAX(next_ms - sw_boot_ms(), (int64_t)AGAIN_MS);
        struct pollfd stop = {.fd = lease->stop, .events = POLLIN};
        if (poll(&stop, 1, wait_ms) > 0)
            break;
        renew(lease, collection[MONGODB_META]);
    }
    for (int i = 0; i < MONGODB_COLLECTIONS; i++)
        mongoc_collection_destroy(collection[i]);
    mongoc_client_pool_push(lease->store->pool, client);
    return NULL;
}

int mongodb_keep_start(struct sw_store *store, int64_t taken_ms, struct sw_err *err)
{
    struct mongodb_lease *lease = sw_alloc(1, sizeof *lease);
    lease->store = store;
    lease->renewed_ms = taken_ms;
    lease->stop = eventfd(0, EFD_CLOEXEC);
    store->lease = lease;
    sigset_t all, before; /* signals are for the main thread */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = lease->stop < 0 ? errno : pthread_create(&lease->thread, NULL, keep, lease);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    lease->runs = r == 0;
    return r ? sw_fail(err, r, "%s: no thread for its lease: %s", store->name, strerror(r)) : 0;
}

int mongodb_still_writer(struct sw_store *store, struct sw_err *err)
{
    if (store->lease && atomic_load(&store->lease->lost))
        return sw_fail(err, ESTALE, "%s: another broker took over (our epoch was %u)", store->name,
                       store->epoch);
    return 0;
}

int64_t mongodb_silent_ms(struct sw_store *store)
{
    int64_t ms = store->lease ? sw_boot_ms() - atomic_load(&store->lease->renewed_ms) : 0;
    return ms > RENEW_MS + AGAIN_MS ? ms : 0;
}

int mongodb_lease_await(struct sw_store *store, struct sw_err *err)
{
    for (;;) {
        int r = mongodb_still_writer(store, err);
        if (r < 0)
            return r;
        if (sw_boot_ms() < atomic_load(&store->lease->renewed_ms) + VALID_MS)
            return 0;
        if (atomic_load(&store->given_up))
            return sw_fail(err, ECANCELED, "%s: given up while it was away", store->name);
        poll(NULL, 0, AWAIT_MS);
    }
}

void mongodb_give_up(struct sw_store *store)
{
    atomic_store(&store->given_up, true);
}

/* A lease that is let go of has no process: the next broker need not wait. */
static void let_go(struct sw_store *store)
{
    bool matched;
    bson_t *filter = BCON_NEW("_id", BCON_UTF8("lease"), "epoch", BCON_INT64(store->epoch));
    bson_t *change = BCON_NEW("$set", "{", "owner.pid", BCON_INT64(0), "}");
    mongodb_lease_change(store, store->collection[MONGODB_META], filter, change, &matched, NULL);
    bson_destroy(filter);
    bson_destroy(change);
}

void mongodb_lease_end(struct sw_store *store)
{
    struct mongodb_lease *lease = TAKE(store->lease);
    if (!lease)
        return;
    if (lease->runs) {
        eventfd_write(lease->stop, 1);
        pthread_join(lease->thread, NULL);
        if (!atomic_load(&lease->lost) && sw_boot_ms() < lease->renewed_ms + VALID_MS)
            let_go(store);
    }
    sw_fd_close(&lease->stop);
    sw_release(lease);
}
