/* Whether the store answers, and the words for when it does not: a server that is away, a disk that
 * stands still. Called by whoever is told `busy` for it, by status and by the loop for the log.
 * What waits is the journal's care; nothing is given up here. */
#include "broker/broker.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define SHOWN_MS 4000 /* two renewals of a lease; a commit of 8 MiB on a slow disk takes less */

/* A client that asks now would be told nothing before its gateway gives up (12 s), or something
 * wrong; a server that starts anew or a standby that takes over is waited for. */
#define REFUSED_MS 8000

static void tell(struct stall *stall, bool stalls)
{
    if (stalls == stall->told)
        return;
    stall->told = stalls;
    if (stalls)
        sw_log(SW_LOG_WARNING, "store does not answer: what changes waits reason=\"%s\"",
               stall->words);
    else
        sw_log(SW_LOG_NOTICE, "store answers again seconds=%.1f", (double)stall->ms / 1000);
}

const char *stall_words(struct broker *broker)
{
    struct stall *stall = &broker->stall;
    int64_t ms = journal_stalled_ms(broker->journal);
    /* a full disk has words of its own */
    bool stalls = ms >= SHOWN_MS && !journal_waits_for_room(broker->journal);
    if (stalls) {
        stall->ms = ms;
        snprintf(stall->words, sizeof stall->words,
                 "the store has not answered for %jd s; what changes waits for it and goes on by "
                 "itself: %s",
                 (intmax_t)(ms / 1000),
                 broker->ops->silent_ms
                     ? "start its server, or mend the network to it"
                     : "the state directory's disk is very slow or stands still");
    }
    tell(stall, stalls);
    return stalls ? stall->words : NULL;
}

const char *stall_refuses(struct broker *broker)
{
    const char *text = stall_words(broker);
    return text && broker->stall.ms >= REFUSED_MS ? text : NULL;
}
