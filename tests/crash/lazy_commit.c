/* A broken broker, for LD_PRELOAD: while the file named by LAZY_COMMIT is there, its store calls a
 * batch committed and does not commit it. What is acknowledged then is lost by kill -9. The oracle
 * of tests/crash must find it out. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sqlite3;
struct sqlite3_stmt;
int sqlite3_step(struct sqlite3_stmt *statement);
const char *sqlite3_sql(struct sqlite3_stmt *statement);
struct sqlite3 *sqlite3_db_handle(struct sqlite3_stmt *statement);
int sqlite3_get_autocommit(struct sqlite3 *db);

#define DONE 101

int sqlite3_step(struct sqlite3_stmt *statement)
{
    static __typeof__(&sqlite3_step) real;
    if (!real)
        real = (__typeof__(&sqlite3_step))dlsym(RTLD_NEXT, "sqlite3_step");
    const char *lazy = getenv("LAZY_COMMIT"), *sql = sqlite3_sql(statement);
    if (lazy && sql && access(lazy, F_OK) == 0) {
        if (!strcmp(sql, "COMMIT"))
            return DONE;
        if (!strcmp(sql, "BEGIN IMMEDIATE") &&
            !sqlite3_get_autocommit(sqlite3_db_handle(statement)))
            return DONE;
    }
    return real(statement);
}
