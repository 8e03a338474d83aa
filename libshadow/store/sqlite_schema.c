/* All SQL of the store: the tables, as a list of migrations that the database's user_version
 * counts, and the statements. Called when a store is opened. A migration that was released is never
 * edited, a new one is appended; values are bound, never written into the text. */
#include "store/sqlite.h"

#include <errno.h>

/* "SHDW": a database of another program is refused, not filled. */
#define APPLICATION_ID 0x53484457

/* Chunks, adds and devices are found by their key alone, so the key is the table (WITHOUT ROWID).
 * `mark` holds what outlives rows: store_epoch, and the highest job id that was ever forgotten. */
static const char *const migrations[] = {
    "CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE mark (name TEXT NOT NULL PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE job (job INTEGER NOT NULL PRIMARY KEY, status INTEGER NOT NULL,"
    " type TEXT NOT NULL, owner TEXT NOT NULL, key TEXT NOT NULL, final_ms INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL, body BLOB NOT NULL);"
    "CREATE UNIQUE INDEX job_key ON job (key) WHERE key <> '';"
    "CREATE INDEX job_unfinished ON job (job) WHERE final_ms = 0;"
    "CREATE TABLE job_add (job INTEGER NOT NULL, n INTEGER NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY (job, n)) WITHOUT ROWID;"
    "CREATE TABLE chunk (job INTEGER NOT NULL, chunk INTEGER NOT NULL, state INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL, losses INTEGER NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY (job, chunk)) WITHOUT ROWID;"
    "CREATE TABLE device (device TEXT NOT NULL PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;",
    /* jobs whose row is gone and whose chunks and adds go in pieces; jobs by the time of their end
     */
    "CREATE TABLE gone (job INTEGER NOT NULL PRIMARY KEY);"
    "CREATE INDEX job_ended ON job (final_ms, job) WHERE final_ms <> 0;",
};
#define VERSION ((int64_t)SW_COUNT(migrations))

#define JOB_COLUMNS "SELECT job, status, type, owner, key, final_ms, bytes, body FROM job "
#define IS_THERE    "NOT EXISTS (SELECT 1 FROM gone WHERE gone.job = ?1) "
#define JOB_FILTER  "AND (?2 = 0 OR (?2 >> status) & 1) AND (?3 IS NULL OR type = ?3) "

static const char *const statements[STATEMENT_COUNT] = {
    [STATEMENT_META_GET] = "SELECT value FROM meta WHERE name = ?1",
    [STATEMENT_JOB] = JOB_COLUMNS "WHERE job = ?1",
    [STATEMENT_JOB_BY_KEY] = JOB_COLUMNS "WHERE key = ?1 AND key <> ''",
    [STATEMENT_JOBS] = JOB_COLUMNS "WHERE job < ?1 " JOB_FILTER "ORDER BY job DESC LIMIT ?4",
    [STATEMENT_JOBS_UNFINISHED] =
        JOB_COLUMNS "WHERE final_ms = 0 AND job > ?1 " JOB_FILTER "ORDER BY job LIMIT ?4",
    [STATEMENT_JOBS_ENDED] =
        JOB_COLUMNS "WHERE final_ms <> 0 " JOB_FILTER "ORDER BY final_ms, job LIMIT ?4",
    [STATEMENT_ADDS] = "SELECT job, n, body FROM job_add WHERE job = ?1 AND " IS_THERE "ORDER BY n",
    [STATEMENT_CHUNKS] = "SELECT job, chunk, state, attempts, losses, body FROM chunk "
                         "WHERE job = ?1 AND chunk >= ?2 AND " IS_THERE "ORDER BY chunk LIMIT ?3",
    [STATEMENT_DEVICES] = "SELECT device, body FROM device ORDER BY device",
    [STATEMENT_LAST_JOB] = "SELECT max(coalesce((SELECT max(job) FROM job), 0),"
                           " coalesce((SELECT n FROM mark WHERE name = 'last_job'), 0))",
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_EPOCH] = "SELECT n FROM mark WHERE name = 'store_epoch'",
    [STATEMENT_EPOCH_RAISE] = "INSERT INTO mark (name, n) VALUES ('store_epoch', max(1, ?1)) "
                              "ON CONFLICT (name) DO UPDATE SET n = max(n + 1, ?1)",
    [STATEMENT_META_PUT] = "REPLACE INTO meta (name, value) VALUES (?1, ?2)",
    /* not REPLACE: that would silently delete another job which has the same idempotency key */
    [STATEMENT_PUT_JOB] =
        "INSERT INTO job (job, status, type, owner, key, final_ms, bytes, body) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (job) DO UPDATE SET "
        "status = ?2, type = ?3, owner = ?4, key = ?5, final_ms = ?6, bytes = ?7, "
        "body = ?8",
    [STATEMENT_PUT_ADD] = "REPLACE INTO job_add (job, n, body) VALUES (?1, ?2, ?3)",
    [STATEMENT_PUT_CHUNK] = "REPLACE INTO chunk (job, chunk, state, attempts, losses, body) "
                            "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [STATEMENT_PUT_DEVICE] = "REPLACE INTO device (device, body) VALUES (?1, ?2)",
    [STATEMENT_FORGET_MARK] = "INSERT INTO mark (name, n) VALUES ('last_job', ?1) "
                              "ON CONFLICT (name) DO UPDATE SET n = max(n, ?1)",
    [STATEMENT_FORGET_CHUNKS] = "DELETE FROM chunk WHERE job = ?1 AND chunk IN "
                                "(SELECT chunk FROM chunk WHERE job = ?1 ORDER BY chunk LIMIT ?2)",
    [STATEMENT_FORGET_ADDS] = "DELETE FROM job_add WHERE job = ?1 AND n IN "
                              "(SELECT n FROM job_add WHERE job = ?1 ORDER BY n LIMIT ?2)",
    [STATEMENT_FORGET_JOB] = "DELETE FROM job WHERE job = ?1",
    [STATEMENT_GONE_PUT] = "REPLACE INTO gone (job) VALUES (?1)",
    [STATEMENT_GONE_FIRST] = "SELECT job FROM gone ORDER BY job LIMIT 1",
    [STATEMENT_GONE_END] = "DELETE FROM gone WHERE job = ?1",
};

static int read_version(struct sw_store *store, int64_t *ret_version, struct sw_err *err)
{
    int64_t application = 0, tables = 0;
    int r = sqlite_number(store, "PRAGMA application_id", &application, err);
    if (r == 0)
        r = sqlite_number(store, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (r == 0)
        r = sqlite_number(store, "PRAGMA user_version", ret_version, err);
    if (r < 0)
        return r;
    if (application != APPLICATION_ID && (application != 0 || tables != 0))
        return sw_fail(err, EBADMSG, "%s: is a database of another program", store->path);
    if (*ret_version > VERSION)
        return sw_fail(err, EPROTONOSUPPORT,
                       "%s: schema %jd is newer than this program's %jd; upgrade ShadowWork, or "
                       "use another state"
                       " directory",
                       store->path, (intmax_t)*ret_version, (intmax_t)VERSION);
    return 0;
}

int sqlite_schema_known(struct sw_store *store, struct sw_err *err)
{
    int64_t version = 0;
    return read_version(store, &version, err);
}

int sqlite_schema_check(struct sw_store *store, struct sw_err *err)
{
    int64_t version = 0;
    int r = read_version(store, &version, err);
    if (r == 0 && version < VERSION)
        r = sw_fail(err, EAGAIN,
                    "%s: schema %jd is older than this program's %jd; the broker migrates it when "
                    "it starts",
                    store->path, (intmax_t)version, (intmax_t)VERSION);
    return r;
}

/* All missing migrations in one transaction: a crash leaves the old schema or the new one. */
int sqlite_schema_make(struct sw_store *store, struct sw_err *err)
{
    int64_t version = 0;
    int r = read_version(store, &version, err);
    if (r < 0 || version == VERSION)
        return r;
    r = sqlite_exec(store, "BEGIN IMMEDIATE", err);
    for (int64_t i = version; r == 0 && i < VERSION; i++)
        r = sqlite_exec(store, migrations[i], err);
    if (r == 0) {
        char sql[96];
        sqlite3_snprintf(sizeof sql, sql,
                         "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
                         APPLICATION_ID, (int)VERSION);
        r = sqlite_exec(store, sql, err);
    }
    if (r < 0)
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

int sqlite_prepare(struct sw_store *store, struct sw_err *err)
{
    int n = store->writer ? STATEMENT_COUNT : STATEMENT_WRITES;
    for (int i = 0; i < n; i++) {
        int result = sqlite3_prepare_v3(store->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                                        &store->statement[i], NULL);
        if (result != SQLITE_OK)
            return sqlite_fail(store, result, err, "prepare it");
    }
    return 0;
}
