/* The allocator of the tests of refused memory: glibc's, which counts and fails when it is told to.
 * Linked into test programs alone; libc's own calls for memory come here as well. */
#include "refuse.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* NOLINTBEGIN(bugprone-reserved-identifier): glibc's names */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);
/* NOLINTEND(bugprone-reserved-identifier) */

jmp_buf *refuse_abort;
static bool counts, then_all;
static uint64_t calls, fail_at;
static int64_t blocks;

void refuse_from(uint64_t at, bool lasts)
{
    calls = 0;
    fail_at = at;
    then_all = lasts;
    __atomic_store_n(&counts, true, __ATOMIC_SEQ_CST);
}

uint64_t refuse_end(void)
{
    __atomic_store_n(&counts, false, __ATOMIC_SEQ_CST);
    return calls;
}

uint64_t refuse_calls(void)
{
    return __atomic_load_n(&calls, __ATOMIC_SEQ_CST);
}

int64_t refuse_blocks(void)
{
    return __atomic_load_n(&blocks, __ATOMIC_SEQ_CST);
}

static bool refused(void)
{
    if (!__atomic_load_n(&counts, __ATOMIC_SEQ_CST))
        return false;
    uint64_t n = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
    if (!fail_at || n < fail_at || (n > fail_at && !then_all))
        return false;
    errno = ENOMEM;
    return true;
}

static void *given(void *p)
{
    if (p)
        __atomic_add_fetch(&blocks, 1, __ATOMIC_SEQ_CST);
    return p;
}

void *malloc(size_t size)
{
    return refused() ? NULL : given(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
    return refused() ? NULL : given(__libc_calloc(n, size));
}

void *realloc(void *p, size_t size)
{
    if (refused())
        return NULL;
    return p ? __libc_realloc(p, size) : given(__libc_malloc(size));
}

void free(void *p)
{
    if (p)
        __atomic_sub_fetch(&blocks, 1, __ATOMIC_SEQ_CST);
    __libc_free(p);
}

void abort(void)
{
    if (refuse_abort)
        longjmp(*refuse_abort, 1);
    signal(SIGABRT, SIG_DFL);
    kill(getpid(), SIGABRT);
    for (;;)
        pause();
}
