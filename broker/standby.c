/* Opens the store and takes the writer's place, or waits for it: a standby holds no port and no row
 * until the broker before it is gone. Called by main.c at start. */
#include "broker/broker.h"
#include "broker/place.h"

#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#define LOOK_MS                                                                                    \
    250 /* between two looks at a lock or a full disk; a lease is watched for longer               \
         */

/* What a start may take (TimeoutStartSec): to a unit a standby has started long before it loads. */
#define TAKE_OVER "600000000"

static int token_key(struct broker *broker, const struct sw_store_ops *ops, struct sw_err *err)
{
    struct sw_store *store = journal_store(broker->journal);
    AUTO_BUF struct sw_buf kept = {0};
    int r = ops->meta_get(store, "token_key", &kept);
    if (r == 0 && kept.size != sizeof broker->token_key) {
        sw_buf_clear(&kept);
        randombytes_buf(sw_buf_reserve(&kept, sizeof broker->token_key), sizeof broker->token_key);
        kept.size = sizeof broker->token_key;
        r = ops->meta_put(store, "token_key", kept.data, kept.size);
    }
    if (r < 0)
        return sw_fail(err, -r, "store: token key: %s", strerror(-r));
    memcpy(broker->token_key, kept.data, sizeof broker->token_key);
    return 0;
}

/* What the store keeps for this is used up too: nothing can be promised before there is room. */
static void await_room(bool *told, const struct sw_err *err)
{
    if (!*told)
        sw_log(SW_LOG_ERROR, "disk full: waits for room error=%s", err->text);
    *told = true;
    sd_notify(0, "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=10000000\nSTATUS=disk full: waits for room");
    poll(NULL, 0, LOOK_MS);
}

/* SIGTERM ends it as it ends any program that has begun nothing. */
static int await_place(struct broker *broker, struct sw_err *err)
{
    bool told = false, full = false;
    for (;;) {
        int r =
            journal_open(broker->ops, broker->store_where, &broker->journal, &broker->epoch, err);
        if (r == -ENOSPC) {
            await_room(&full, err);
            continue;
        }
        if (r == -EBUSY && !broker->config.standby) {
            struct sw_err seen = *err;
            return sw_fail(err, EBUSY, "%s; --standby waits for its place", seen.text);
        }
        if (!broker->config.standby || (r != -EBUSY && r != -EAGAIN))
            return r;
        if (!told) {
            sw_log(SW_LOG_INFO, "standby: waits store=%s reason=%s", broker->ops->scheme,
                   err->text);
            sd_notify(0, "READY=1\nSTATUS=standby: another broker works");
            sd_notify(0, "WATCHDOG_USEC=" TAKE_OVER);
        }
        told = true;
        sd_notify(0, "WATCHDOG=1");
        poll(NULL, 0, LOOK_MS);
    }
}

int store_open(struct broker *broker, struct sw_err *err)
{
    struct place place;
    int r = place_of(broker->config.state, broker->config.store, &place, err);
    if (r < 0)
        return r;
    broker->ops = place.ops;
    broker->store_where = place.where;
    r = await_place(broker, err);
    if (r == 0)
        r = place_whole(broker->ops, journal_store(broker->journal), err);
    return r < 0 ? r : token_key(broker, broker->ops, err);
}
