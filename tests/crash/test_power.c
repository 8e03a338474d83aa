/* Power loss under the SQLite store. A writer commits batches; then the disk is put together as it
 * may be found after a power cut at thousands of points of what it did: what was synced is there,
 * what was not is dropped, torn, or written in another order. The database must be whole, and hold
 * every acknowledged batch and none in part. A disk that lies about its syncs must be found out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "power_disk.h"
#include "power_image.h"

#include "base/own.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SMALL_BATCHES 120 /* of small rows: many commits in few bytes */
#define LARGE_BATCHES 60  /* of large ones: the log is copied into the database and begins anew */
#define BATCH_MAX     64
#define LARGE_BODY    3000
#define SMALL_CUTS    1800
#define LARGE_CUTS    300 /* each takes ten times as long */
#define CUTS          (SMALL_CUTS + LARGE_CUTS)

static char live[] = "/dev/shm/sw-power-live-XXXXXX", dead[] = "/dev/shm/sw-power-dead-XXXXXX";
static uint64_t seed;
static size_t n_small; /* events until the large batches */

static size_t body_of(uint32_t k, bool large, uint8_t *body)
{
    size_t size = large ? LARGE_BODY : 40;
    for (size_t i = 0; i < size; i += sizeof k)
        memcpy(body + i, &k, sizeof k);
    return size;
}

/* The life that the power ends: what it did is in disk_events. */
static void work(void)
{
    static struct sw_row rows[BATCH_MAX];
    static uint8_t bodies[BATCH_MAX][LARGE_BODY];
    struct sw_store *store = NULL;
    struct sw_err err = {""};
    uint32_t epoch, k = 0;
    disk_watch(live);
    assert_int_equal(sw_store_sqlite.open(live, true, &store, &err), 0);
    assert_int_equal(sw_store_sqlite.claim(store, &epoch, &err), 0);
    for (unsigned batch = 0; batch < SMALL_BATCHES + LARGE_BATCHES; batch++) {
        bool large = batch >= SMALL_BATCHES;
        if (!large)
            n_small = disk_n_events;
        size_t n = large ? BATCH_MAX : 1 + power_draw(BATCH_MAX);
        for (size_t i = 0; i < n; i++) {
            uint32_t chunk = k + (uint32_t)i;
            rows[i] = (struct sw_row){
                .kind = SW_ROW_CHUNK,
                .of.chunk = {.job = 1, .chunk = chunk, .state = 3, .body = bodies[i]}};
            rows[i].of.chunk.body_size = body_of(chunk, large, bodies[i]);
        }
        assert_int_equal(sw_store_sqlite.commit(store, rows, n, &err), 0);
        k += (uint32_t)n;
        disk_ack(k);
    }
    disk_watch(NULL);
    sw_store_sqlite.close(store);
}

/* ---- what is found ---- */

/* How many rows there are, from the first on. -1: there is no table yet; -EBADMSG: it is damaged.
 */
static int64_t rows_found(void)
{
    char path[256];
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    snprintf(path, sizeof path, "%s/%s-shm", dead, disk_names[DISK_DATABASE]);
    unlink(path);
    snprintf(path, sizeof path, "%s/%s", dead, disk_names[DISK_DATABASE]);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    bool whole =
        sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW &&
        !strcmp((const char *)sqlite3_column_text(statement, 0), "ok");
    sqlite3_finalize(statement);
    int64_t n = -1;
    static const char select[] = "SELECT chunk, body FROM chunk WHERE job = 1 ORDER BY chunk";
    if (sqlite3_prepare_v2(db, select, -1, &statement, NULL) == SQLITE_OK) {
        static uint8_t expected[LARGE_BODY];
        for (n = 0; sqlite3_step(statement) == SQLITE_ROW; n++) {
            size_t size = (size_t)sqlite3_column_bytes(statement, 1);
            whole = whole && sqlite3_column_int64(statement, 0) == n &&
                    body_of((uint32_t)n, size == LARGE_BODY, expected) == size &&
                    !memcmp(sqlite3_column_blob(statement, 1), expected, size);
        }
        sqlite3_finalize(statement);
    }
    sqlite3_close(db);
    return whole ? n : -EBADMSG;
}

/* A broker starts on it. */
static void opens(void)
{
    struct sw_store *store = NULL;
    struct sw_err err = {""};
    uint32_t epoch = 0;
    assert_int_equal(sw_store_sqlite.open(dead, true, &store, &err), 0);
    assert_int_equal(sw_store_sqlite.claim(store, &epoch, &err), 0);
    sw_store_sqlite.close(store);
}

/* The number of events before cut i of n. */
static size_t end_of(size_t i, size_t n)
{
    size_t small = n * SMALL_CUTS / CUTS;
    return i <= small ? n_small * i / small
                      : n_small + (disk_n_events - n_small) * (i - small) / (n - small);
}

/* Cuts the power at CUTS points and counts those at which an acknowledged row is
 * missing or the database damaged. */
static size_t cut_power(bool lying, size_t cuts)
{
    struct image images[DISK_FILES] = {0}, found[DISK_FILES] = {0};
    uint64_t acked = 0;
    size_t at = 0, lost = 0;
    for (int f = 0; f < DISK_FILES; f++)
        images[f].pending = sw_alloc(disk_n_events, sizeof *images[f].pending);
    for (size_t i = 1; i <= cuts; i++) {
        for (size_t stop = end_of(i, cuts); at < stop; at++) {
            image_step(images, at, lying);
            if (disk_events[at].kind == DISK_ACK)
                acked = disk_events[at].at;
        }
        uint64_t next = acked; /* a batch may be durable before it is acknowledged */
        for (size_t j = at; next == acked && j < disk_n_events; j++)
            next = disk_events[j].kind == DISK_ACK ? disk_events[j].at : next;
        for (enum disk_file f = 0; f < DISK_FILES; f++) {
            image_lose(&images[f], &found[f], (enum power_loss)power_draw(LOSSES));
            image_put(&found[f], dead, f);
        }
        int64_t n = rows_found();
        if (n == -EBADMSG || (acked && n < (int64_t)acked))
            lost++;
        else if (!lying)
            assert_true(n <= 0 || (uint64_t)n == acked || (uint64_t)n == next);
        if (!lying && i % 16 == 0)
            opens();
    }
    for (int f = 0; f < DISK_FILES; f++) {
        sw_release(images[f].pending);
        sw_release(images[f].p);
        sw_release(found[f].p);
    }
    return lost;
}

static void test_power_loss_loses_nothing_acknowledged(void **state)
{
    (void)state;
    assert_int_equal(cut_power(false, CUTS), 0);
    print_message("# covered: seed %ju, power cut at %d of %zu points, 0 acknowledged rows lost\n",
                  (uintmax_t)seed, CUTS, disk_n_events);
}

static void test_a_disk_that_lies_is_found_out(void **state)
{
    (void)state;
    assert_true(cut_power(true, CUTS / 10) > 0);
}

static int begin(void **state)
{
    (void)state;
    const char *said = getenv("SHADOW_SEED");
    seed = said ? strtoull(said, NULL, 10) : (uint64_t)time(NULL);
    power_seed(seed);
    assert_non_null(mkdtemp(live));
    assert_non_null(mkdtemp(dead));
    work();
    return 0;
}

static void remove_folder(const char *folder)
{
    static const char *const names[] = {"store.sqlite", "store.sqlite-wal", "store.sqlite-shm",
                                        "store.lock"};
    for (size_t i = 0; i < SW_COUNT(names); i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static int end(void **state)
{
    (void)state;
    disk_forget();
    remove_folder(live);
    remove_folder(dead);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_loss_loses_nothing_acknowledged),
        cmocka_unit_test(test_a_disk_that_lies_is_found_out),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
