/* Opens and closes the SQLite store: the file, its lock, its settings, its statements, and the
 * words for its errors. It never opens the database file by itself while SQLite has it: closing
 * that second descriptor would drop SQLite's POSIX locks. The lock against a second broker is
 * therefore on a file beside it. */
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Another process that writes (an administrator's sqlite3) is waited for this long. */
#define BUSY_MS 5000
/* The pages a writer touches again and again fit: the tails of the tables and the upper levels. */
#define WRITER_CACHE_KIB 32768
#define READER_CACHE_KIB 4096

/* synchronous=FULL: a commit is on the disk when it returns. Checkpoints are made between batches
 * (sqlite_write.c), so the automatic ones are off. No mmap: it was not faster, and an I/O error in
 * a mapping is a SIGBUS instead of an error code. */
static const char writer_settings[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;";
static const char settings[] = "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
                               "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;";

static int code_of(struct sw_store *store, int result)
{
    int system = sqlite3_system_errno(store->db);
    switch (result & 0xff) {
    case SQLITE_FULL:
        return ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return EBUSY;
    case SQLITE_CONSTRAINT:
        return EEXIST;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return EBADMSG;
    case SQLITE_NOMEM:
        return ENOMEM;
    case SQLITE_TOOBIG:
        return EFBIG;
    case SQLITE_READONLY:
        return EROFS;
    case SQLITE_CANTOPEN:
        return system ? system : ENOENT;
    case SQLITE_IOERR:
        return system ? system : EIO;
    default:
        return EIO;
    }
}

int sqlite_fail(struct sw_store *store, int result, struct sw_err *err, const char *doing)
{
    int code = code_of(store, result);
    store->full = (result & 0xff) == SQLITE_FULL;
    const char *why = sqlite3_errmsg(store->db);
    if ((result & 0xff) == SQLITE_IOERR || (result & 0xff) == SQLITE_CANTOPEN)
        return sw_fail(err, code, "%s: cannot %s: %s (%s)", store->path, doing, why,
                       strerror(code));
    return sw_fail(err, code, "%s: cannot %s: %s", store->path, doing, why);
}

int sqlite_run(struct sw_store *store,
               enum sqlite_statement which,
               struct sw_err *err,
               const char *doing)
{
    sqlite3_stmt *statement = store->statement[which];
    int result = sqlite3_step(statement);
    int r = result == SQLITE_DONE ? 0 : sqlite_fail(store, result, err, doing);
    sqlite3_reset(statement);
    return r;
}

int sqlite_exec(struct sw_store *store, const char *sql, struct sw_err *err)
{
    int result = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return result == SQLITE_OK ? 0 : sqlite_fail(store, result, err, "set it up");
}

int sqlite_number(struct sw_store *store, const char *sql, int64_t *ret, struct sw_err *err)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_step(statement);
    int r = 0;
    if (result == SQLITE_ROW)
        *ret = sqlite3_column_int64(statement, 0);
    else
        r = sqlite_fail(store, result, err, "read it");
    sqlite3_finalize(statement);
    return r;
}

/* `sqlite:PATH`, a path, or a folder that holds store.sqlite. */
static char *path_of(const char *where)
{
    static const char scheme[] = "sqlite:";
    if (!strncmp(where, scheme, strlen(scheme)))
        where += strlen(scheme);
    struct sw_buf path = {0};
    struct stat about;
    sw_buf_text(&path, where);
    if (stat(where, &about) == 0 && S_ISDIR(about.st_mode))
        sw_buf_text(&path, "/store.sqlite");
    return sw_buf_take_text(&path);
}

/* The lock lives as long as the descriptor, so a killed broker never leaves it behind. The file
 * says who holds it, for the words of whoever comes second. */
int sqlite_lock(struct sw_store *store, struct sw_err *err)
{
    if (store->lock_fd >= 0)
        return 0;
    AUTO_BUF struct sw_buf path = {0};
    const char *slash = strrchr(store->path, '/');
    if (slash)
        sw_buf_put(&path, store->path, (size_t)(slash + 1 - store->path));
    sw_buf_text(&path, "store.lock");
    AUTO_FD int fd = open((char *)path.data, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return sw_fail(err, errno, "%s: cannot open: %s", (char *)path.data, strerror(errno));
    char text[32] = "";
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return sw_fail(err, errno, "%s: cannot lock: %s", (char *)path.data, strerror(errno));
        ssize_t n = pread(fd, text, sizeof text - 1, 0);
        text[n > 0 ? strspn(text, "0123456789") : 0] = '\0';
        return sw_fail(err, EBUSY, "%s: another broker uses this store (process %s)", store->path,
                       *text ? text : "unknown");
    }
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) < 0) {
        /* a full disk: the lock itself holds, only the words are lost */
    }
    store->lock_fd = TAKE_FD(fd);
    return 0;
}

static int open_database(struct sw_store *store, struct sw_err *err)
{
    if (store->writer) {
        /* It holds secrets, and SQLite would make it 0644. O_EXCL: never a second descriptor of a
         * live one. */
        AUTO_FD int fd = open(store->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST)
            return sw_fail(err, errno, "%s: cannot create: %s", store->path, strerror(errno));
    }
    int flags = store->writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    int result = sqlite3_open_v2(store->path, &store->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (!store->db)
        return sw_fail(err, ENOMEM, "%s: cannot open: out of memory", store->path);
    if (result != SQLITE_OK)
        return sqlite_fail(store, result, err, "open it");
    char cache[48];
    snprintf(cache, sizeof cache, "PRAGMA cache_size = -%d",
             store->writer ? WRITER_CACHE_KIB : READER_CACHE_KIB);
    sqlite3_extended_result_codes(store->db, 1);
    sqlite3_busy_timeout(store->db, BUSY_MS);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    int r = sqlite_exec(store, settings, err);
    if (r == 0)
        r = sqlite_exec(store, cache, err);
    return r;
}

static int try_open_writer(struct sw_store *store, struct sw_err *err)
{
    int r = sqlite_schema_known(store, err);
    if (r == 0)
        r = sqlite_exec(store, writer_settings, err);
    if (r < 0)
        return r;
    r = sqlite_lock(store, err);
    if (r == -EBUSY)
        return sqlite_schema_check(store, err); /* claim will say it; here only reading is safe */
    if (r == 0)
        r = sqlite_schema_make(store, err);
    /* After a failed fsync the log's pages may be in memory and not on the disk, and no later fsync
     * of the log would say so. Writing them into the database and syncing that makes sure of what
     * was recovered. */
    if (r == 0)
        r = sqlite_checkpoint(store, SQLITE_CHECKPOINT_RESTART, err);
    if (r == 0)
        r = sqlite_wal_fill(store, err);
    int keep = 1; /* the log's file, when the handle is closed */
    sqlite3_file_control(store->db, NULL, SQLITE_FCNTL_PERSIST_WAL, &keep);
    sqlite3_wal_hook(store->db, sqlite_wal_grew, store);
    return r;
}

/* On a full disk it starts with what the one before it left for that. */
static int open_writer(struct sw_store *store, struct sw_err *err)
{
    sqlite_reserve_open(store);
    int r = try_open_writer(store, err);
    if (r == -ENOSPC && sqlite_reserve_give(store, 0))
        r = try_open_writer(store, err);
    return r;
}

static void sqlite_close(struct sw_store *store)
{
    for (int i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(store->statement[i]);
    if (store->db &&
        store->broken) /* nothing more is written after a failure: recovery reads the log */
        sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(store->db);
    sw_fd_close(&store->reserve_fd);
    sw_fd_close(&store->lock_fd);
    free(store->path);
    free(store);
}

static int sqlite_open(const char *where, bool writer, struct sw_store **ret, struct sw_err *err)
{
    struct sw_store *store = sw_alloc(1, sizeof *store);
    store->path = path_of(where);
    store->writer = writer;
    store->lock_fd = store->reserve_fd = -1;
    int r = open_database(store, err);
    if (r == 0)
        r = writer ? open_writer(store, err) : sqlite_schema_check(store, err);
    if (r == 0)
        r = sqlite_prepare(store, err);
    if (r < 0) {
        sqlite_close(store);
        return r;
    }
    *ret = store;
    return 0;
}

const struct sw_store_ops sw_store_sqlite = {
    .scheme = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .claim = sqlite_claim,
    .epoch = sqlite_epoch,
    .commit = sqlite_commit,
    .tidy = sqlite_tidy,
    .meta_get = sqlite_meta_get,
    .meta_put = sqlite_meta_put,
    .job = sqlite_job,
    .job_by_key = sqlite_job_by_key,
    .jobs = sqlite_jobs,
    .adds = sqlite_adds,
    .chunks = sqlite_chunks,
    .devices = sqlite_devices,
    .last_job = sqlite_last_job,
};
