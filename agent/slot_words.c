/* What a dead slot process is said to have died of, and its last words. Called by slot_end.c; never
 * decides anything. */
#include "slot_parent.h"

#include "sandbox.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

void slot_words_death(const struct slot_process *process,
                      int status,
                      uint64_t peak_bytes,
                      uint64_t memory_bytes,
                      char *ret_words)
{
    if (*process->why) {
        memcpy(ret_words, process->why, SLOT_ERROR_MAX);
        return;
    }
    if (process->fault.forbidden_call) {
        char name[64];
        sandbox_call_name(process->fault.forbidden_call - 1, name, sizeof name);
        snprintf(ret_words, SLOT_ERROR_MAX, "killed by SIGSYS: the system call %s is forbidden",
                 *name ? name : "with that number");
        return;
    }
    if (!WIFSIGNALED(status)) {
        snprintf(ret_words, SLOT_ERROR_MAX, "exited with status %d", WEXITSTATUS(status));
        return;
    }
    const char *name = sigabbrev_np(WTERMSIG(status));
    int n = snprintf(ret_words, SLOT_ERROR_MAX, "killed by SIG%s", name ? name : "?");
    /* The fault handler has seen the address space used up; the peak is for those it could not tell
     * of. */
    if (memory_bytes && (process->fault.no_memory || peak_bytes > memory_bytes - memory_bytes / 8))
        snprintf(ret_words + n, SLOT_ERROR_MAX - (size_t)n, ": its %ju MiB of memory were used up",
                 (uintmax_t)(memory_bytes >> 20));
}

char *slot_words_stderr(const struct slot_process *process)
{
    size_t n = (size_t)SW_MIN(process->stderr_total, (uint64_t)SLOT_STDERR_MAX);
    char *text = sw_alloc(n + 1, 1);
    for (size_t i = 0; i < n; i++)
        text[i] = process->stderr_ring[(process->stderr_total - n + i) % SLOT_STDERR_MAX];
    slot_words_plain(text, n);
    return text;
}

/* Bytes of the well-formed UTF-8 character at p (RFC 3629), 0 when there is none. */
static size_t character(const unsigned char *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] >= 0xc2 && p[0] <= 0xdf   ? 2
               : (p[0] & 0xf0) == 0xe0        ? 3
               : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
                                              : 0;
    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool surrogate = p[0] == 0xed && p[1] > 0x9f;
    bool beyond = p[0] == 0xf4 && p[1] > 0x8f;
    bool control = p[0] == 0xc2 && p[1] < 0xa0; /* C1: terminals obey them */
    return overlong || surrogate || beyond || control ? 0 : n;
}

void slot_words_plain(char *text, size_t size)
{
    unsigned char *p = (unsigned char *)text;
    for (size_t at = 0; at < size;) {
        size_t n = character(p + at, size - at);
        bool keep = n > 1 || (n == 1 &&
                              (p[at] == '\n' || p[at] == '\t' || (p[at] >= 0x20 && p[at] != 0x7f)));
        if (!keep)
            p[at] = '?';
        at += n > 1 ? n : 1;
    }
}
