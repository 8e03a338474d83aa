/* The write-ahead log's file: made whole once, kept, and checkpointed between batches. A commit
 * that overwrites a file is one flush of the disk; one that makes it longer also commits the file
 * system's journal, which took twice as long. Called by the writing handle; never writes where the
 * log has content. */
#include "store/sqlite.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Pages in the log at which it is copied into the database: long enough that a page written often
 * is copied once, short enough to be read back within 0.1 s after a crash. */
#define CHECKPOINT_PAGES 2048
/* After a try that found the disk full. */
#define AGAIN_PAGES 256
#define LOG_BYTES   ((off_t)CHECKPOINT_PAGES * (4096 + 24) + 32) /* pages, each with its header */

int sqlite_wal_grew(void *arg, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    struct sw_store *store = arg;
    store->wal_pages = pages;
    return SQLITE_OK;
}

/* A reader in the middle of a walk keeps the log from starting over; then the next try comes after
 * as much again, so that the log grows by steps instead of being scanned at each commit. A full
 * disk is no failure either: the log stays as it is, and what is committed is in it. */
int sqlite_checkpoint(struct sw_store *store, int mode, struct sw_err *err)
{
    int in_log = 0, copied = 0;
    int result = sqlite3_wal_checkpoint_v2(store->db, NULL, mode, &in_log, &copied);
    if ((result & 0xff) == SQLITE_FULL && sqlite_reserve_give(store, SQLITE_RESERVE_START))
        result = sqlite3_wal_checkpoint_v2(store->db, NULL, mode, &in_log, &copied);
    bool full = (result & 0xff) == SQLITE_FULL;
    if (result != SQLITE_OK && !full && (result & 0xff) != SQLITE_BUSY)
        return sqlite_fail(store, result, err, "checkpoint");
    bool whole = result == SQLITE_OK && copied == in_log;
    store->checkpoint_at = (whole ? 0 : store->wal_pages) + (full ? AGAIN_PAGES : CHECKPOINT_PAGES);
    if (whole)
        sqlite_reserve_make(store);
    return 0;
}

static int fill(int fd, off_t from)
{
    static const uint8_t zeros[65536];
    int r = 0;
    for (off_t at = from; r == 0 && at < LOG_BYTES; at += (off_t)sizeof zeros)
        r = sw_pwrite_all(fd, zeros, sizeof zeros, (uint64_t)at);
    if (r == 0 && fdatasync(fd) < 0)
        r = -errno;
    return r;
}

/* What the log took beyond its length while the disk was full is given back when it starts over. */
static int limit_size(struct sw_store *store, struct sw_err *err)
{
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA journal_size_limit = %jd", (intmax_t)LOG_BYTES);
    return sqlite_exec(store, sql, err);
}

/* The log's reader stops at zeros, and while the write lock is held nobody appends. SQLite's own
 * locks lie on other files, so this descriptor may be closed. Without it (a full disk) commits are
 * slower, no more. */
int sqlite_wal_fill(struct sw_store *store, struct sw_err *err)
{
    int r = limit_size(store, err);
    if (r == 0)
        r = sqlite_exec(store, "BEGIN IMMEDIATE", err);
    if (r < 0)
        return r;
    AUTO_BUF struct sw_buf name = {0};
    sw_buf_printf(&name, "%s-wal", store->path);
    const char *path = (const char *)name.data;
    AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    struct stat about;
    if (fd >= 0 && fstat(fd, &about) == 0 && about.st_size < LOG_BYTES &&
        fill(fd, about.st_size) < 0 && ftruncate(fd, about.st_size) < 0)
        r = sw_fail(err, errno, "%s: cannot cut: %s", path, strerror(errno));
    int rolled = sqlite_exec(store, "ROLLBACK", r < 0 ? NULL : err);
    return r < 0 ? r : rolled;
}
