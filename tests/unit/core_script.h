// clang-format off
/* A script for broker/core: one line an event, and what must come of it.
 *
 *     "hello 0 s1 i1 -> welcome 0 s1"
 *
 * Events (a leading `+MS` lets time pass first; serials of a session are counted by the script, `skip A` loses one):
 *     tick, ticks N (each in its time), commit [SEQ]
 *     hello A sS iI [slots N] [kinds K] [limit B] [checked] [owner O] [engine E] [J/C#N[:q|r|f|c|bad]]...
 *     beat A [J/C#N:PERMILLE]..., credit A chunks N [bytes N], done|fail|return A J/C#N[:bad] [failed N] [took MS] [hash H] [draw D] [checked]
 *     checked A J/C#N[:bad] [right]
 *     gone|unreachable|drain|resume|quarantine A, as A sS (the session of its next messages)
 *     submit 0 [rR] [key K] [body B] [prio P] [kind K] [verify] [more]
 *     add J [rR] kK NxBYTES [failed N] [more], seal|cancel|retry|forget J [rR], set J [rR] [prio P]
 *     load J STATUS [sealed] [verify] [key K], loadadd J kK NxBYTES [failed N],
 *     loadchunk J/C STATE [attempts N] [losses N] [failed N], loaddrop J, loaded [A]
 * Questions: chunk J/C, job J, agent A, why J A
 * Leases are J/C#N, or J/C#E.N of another epoch than 1. Actions are written as render() in core_script.c does;
 * NOTEs are left out unless the line begins with `notes`. */
// clang-format on
#ifndef CORE_SCRIPT_H
#define CORE_SCRIPT_H

#include "broker/core/core.h"
#include "broker/core/view.h"

/* Runs the lines; the first that does not hold fails the cmocka test with both texts. */
void core_script(const char *const *lines);

/* A script ends with NULL; each is a test of its own. */
#define SCRIPT(name, ...)                                                                          \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        core_script((const char *const[]){__VA_ARGS__, NULL});                                     \
    }

/* ---- between core_script.c and core_words.c ---- */

enum { SCRIPT_AGENTS = 16, SCRIPT_LEASES = 64, SCRIPT_SIZES = 4096, SCRIPT_TEXT = 4096 };

struct script {
    struct core *core;
    int64_t now_ms;
    uint64_t session[SCRIPT_AGENTS], serial[SCRIPT_AGENTS];
    struct core_lease_ref refs[SCRIPT_LEASES];
    size_t n_refs;
    uint64_t sizes[SCRIPT_SIZES];
    uint32_t engines[CORE_KINDS_MAX];
    char text[SCRIPT_TEXT];
    bool notes;
};

extern const char *const script_states[7], *const script_statuses[5], *const script_codes[11],
                                                                          *const script_whys[12];

__attribute__((format(printf, 2, 3))) void script_say(struct script *s, const char *format, ...);
/* Feeds one event, loads one row or answers one question. */
void script_do(struct script *s, const char *line);

#endif
