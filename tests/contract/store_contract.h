/* What the files of the store's contract share: a fresh place for each test, rows that carry their
 * own number, and a collector for what a walk hands on. */
#ifndef STORE_CONTRACT_H
#define STORE_CONTRACT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/store.h"

/* The store under test: chosen by argv[1] or SHADOW_TEST_STORE; SQLite in a scratch folder without.
 */
extern const struct sw_store_ops *ops;
extern char place[4096]; /* where this test's store is; new for each test */
bool is_sqlite(void);

int place_make(void **state);
int place_remove(void **state);
void remove_tree(const char *path);

struct sw_store *open_writer(uint32_t *ret_epoch); /* opens and claims, or fails the test */
struct sw_store *open_reader(void);
void commit_ok(struct sw_store *, const struct sw_row *rows, size_t n);

/* Plain rows with the fields that tests look at; adds have row_bytes as their body. */
extern const uint8_t row_bytes[5];
struct sw_row job_row(uint64_t id, uint32_t status, const char *type, int64_t final_ms);
struct sw_row add_row(uint64_t id, uint32_t n);
struct sw_row chunk_row(uint64_t id, uint32_t index);
struct sw_row device_row(const char *name, const char *body);

/* Chunk k of job 1: its body says k many times over, `size` bytes of it. */
#define NUMBERED_MAX 512
struct sw_row numbered(uint32_t k, uint8_t *body, size_t size);

/* Collects copies of the ids that a walk hands on, and the last row whole. */
struct seen {
    uint64_t ids[256];
    size_t n;
    size_t stop_at; /* returns 77 at this many; 0 = never */
    struct sw_row last;
    char text[3][64]; /* where last's texts are copied to */
    uint8_t body[64];
    size_t body_size;
};
int see(void *arg, const struct sw_row *row);
void list_jobs(struct sw_store *, struct seen *, struct sw_job_query);
void assert_ids(const struct seen *, size_t n, const uint64_t *ids);
#define ASSERT_IDS(seen, ...)                                                                      \
    assert_ids(seen, sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t),                         \
               (uint64_t[]){__VA_ARGS__})

#ifdef SW_WITH_MONGODB
#include <mongoc/mongoc.h>

extern const struct CMUnitTest mongodb_tests[], fence_tests[];
extern const size_t n_mongodb_tests, n_fence_tests;
void mongodb_drop(void); /* the database of this test */
void mongodb_let_the_lease_go(void);
/* Behind the store's back; change takes filter and change. */
mongoc_collection_t *mongodb_collection(const char *name);
void mongodb_change(const char *name, bson_t *filter, bson_t *change);
#endif

extern const struct CMUnitTest forget_tests[];
extern const size_t n_forget_tests;
extern const struct CMUnitTest row_tests[], list_tests[], crash_tests[], sqlite_tests[],
    schema_tests[], full_tests[];
int full_why_not(void); /* 0: small disks can be mounted; else errno */
extern const size_t n_row_tests, n_list_tests, n_crash_tests, n_sqlite_tests, n_schema_tests,
    n_full_tests;

/* Rounds of the crash test's child, run in its own process: commits numbered rows for ever and
 * writes the count to standard output after each commit. */
int crash_child(const char *where);

/* sqlite_contract.c: NULL, or what `PRAGMA integrity_check` complains of. */
const char *sqlite_damage(const char *folder);

#endif
