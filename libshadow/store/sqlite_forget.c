/* Forgetting a job of the SQLite store. What is small goes in the batch that says so; of a large
 * job the row goes, which makes it unknown, and the rest in pieces between batches, so that nobody
 * waits behind a million rows. A crash between two pieces leaves the job in `gone`. Called by
 * sqlite_write.c and `journal`. */
#include "store/sqlite.h"

/* In one batch or piece: some 10 ms. */
#define ROWS 4096
/* An add may hold 256 KiB of inline inputs, on pages of its own. */
#define ADD_COST 64

void sqlite_forget_begin(struct sw_store *store)
{
    store->forget_left = ROWS;
}

static int remove_some(struct sw_store *store, uint64_t job, bool *ret_all, struct sw_err *err)
{
    static const struct {
        enum sqlite_statement statement;
        int cost;
    } steps[] = {{STATEMENT_FORGET_CHUNKS, 1}, {STATEMENT_FORGET_ADDS, ADD_COST}};
    *ret_all = false;
    for (size_t i = 0; i < SW_COUNT(steps); i++) {
        int limit = store->forget_left / steps[i].cost;
        sqlite3_stmt *statement = store->statement[steps[i].statement];
        sqlite3_bind_int64(statement, 1, (int64_t)job);
        sqlite3_bind_int64(statement, 2, limit);
        int r = sqlite_run(store, steps[i].statement, err, "forget a job");
        if (r < 0)
            return r;
        int removed = sqlite3_changes(store->db);
        store->forget_left -= removed * steps[i].cost;
        if (removed == limit)
            return 0; /* there may be more */
    }
    *ret_all = true;
    return 0;
}

static int
run_for(struct sw_store *store, enum sqlite_statement which, uint64_t job, struct sw_err *err)
{
    sqlite3_bind_int64(store->statement[which], 1, (int64_t)job);
    return sqlite_run(store, which, err, "forget a job");
}

/* Ids are never given twice, so the highest one is remembered when its row goes. */
int sqlite_forget(struct sw_store *store, uint64_t job, struct sw_err *err)
{
    bool all = false;
    int r = run_for(store, STATEMENT_FORGET_MARK, job, err);
    if (r == 0)
        r = run_for(store, STATEMENT_FORGET_JOB, job, err);
    if (r == 0)
        r = remove_some(store, job, &all, err);
    return r < 0 || all ? r : run_for(store, STATEMENT_GONE_PUT, job, err);
}

static int first_gone(struct sw_store *store, uint64_t *ret_job, struct sw_err *err)
{
    sqlite3_stmt *statement = store->statement[STATEMENT_GONE_FIRST];
    int result = sqlite3_step(statement), r = 0;
    if (result == SQLITE_ROW)
        *ret_job = (uint64_t)sqlite3_column_int64(statement, 0);
    else if (result == SQLITE_DONE)
        *ret_job = 0;
    else
        r = sqlite_fail(store, result, err, "look for what to forget");
    sqlite3_reset(statement);
    return r;
}

int sqlite_tidy(struct sw_store *store, bool *ret_more, struct sw_err *err)
{
    uint64_t job = 0;
    bool all = true;
    *ret_more = false;
    int r = first_gone(store, &job, err);
    if (r < 0 || job == 0)
        return r;
    sqlite_forget_begin(store);
    if (!store->broken && store->wal_pages >= store->checkpoint_at)
        r = sqlite_checkpoint(store, SQLITE_CHECKPOINT_PASSIVE, err);
    if (r == 0)
        r = sqlite_begin(store, err);
    while (r == 0 && job && all) {
        r = remove_some(store, job, &all, err);
        if (r == 0 && all)
            r = run_for(store, STATEMENT_GONE_END, job, err);
        if (r == 0 && all)
            r = first_gone(store, &job, err);
    }
    r = sqlite_end(store, r, err);
    *ret_more = r == 0 && job;
    return r;
}
