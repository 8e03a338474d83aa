/* What each token's jobs hold: live jobs, and bytes under jobs/ of live and ended ones. Counted
 * where rows are written and taken away, made anew from the store at start; only where a quota or
 * retention asks for it. Says whether new work may come in. Belongs to the loop. */
#include "broker/broker.h"

#include <stdio.h>
#include <string.h>

struct holder {
    char *owner;
    uint64_t bytes;
    uint32_t live;
    UT_hash_handle hh;
};

static bool is_counted(const struct broker *broker)
{
    const struct broker_config *config = &broker->config;
    return config->retention_bytes || config->quota_jobs || config->quota_bytes;
}

static struct holder *holder_of(struct broker *broker, const char *owner)
{
    struct holder *holder = NULL;
    HASH_FIND_STR(broker->holdings.by_owner, owner, holder);
    if (!holder) {
        holder = sw_alloc(1, sizeof *holder);
        holder->owner = sw_copy_text(owner, strlen(owner));
        HASH_ADD_KEYPTR(hh, broker->holdings.by_owner, holder->owner, strlen(owner), holder);
    }
    return holder;
}

static void change(struct broker *broker, const char *owner, uint64_t before, uint64_t now)
{
    struct holder *holder = holder_of(broker, owner);
    holder->bytes += now - before; /* wraps to what is less */
    broker->holdings.bytes += now - before;
}

static bool is_gone(const struct broker *broker, uint64_t job)
{
    for (size_t i = 0; i < SW_COUNT(broker->holdings.gone); i++)
        if (broker->holdings.gone[i] == job)
            return true;
    return false;
}

static void set_gone(struct broker *broker, uint64_t job)
{
    struct holdings *holdings = &broker->holdings;
    holdings->gone[holdings->n_gone++ % SW_COUNT(holdings->gone)] = job;
}

void holdings_live(struct broker *broker, const struct card *card, bool lives)
{
    if (is_counted(broker))
        holder_of(broker, card->row->owner.p)->live += lives ? 1 : UINT32_MAX;
}

void holdings_changed(struct broker *broker, struct card *card)
{
    struct core_job_view view = {0};
    if (!is_counted(broker) || card->gone || !core_job(broker->core, card->job, &view))
        return;
    uint64_t bytes = view.bytes_in + view.bytes_out;
    change(broker, card->row->owner.p, card->counted, bytes);
    card->counted = bytes;
}

void holdings_forget_live(struct broker *broker, struct card *card)
{
    struct sw_job_row row = {.job = card->job, .owner = card->row->owner.p, .bytes = card->counted};
    holdings_forget(broker, &row);
}

bool holdings_forget(struct broker *broker, const struct sw_job_row *row)
{
    if (is_gone(broker, row->job))
        return false;
    set_gone(broker, row->job);
    if (is_counted(broker))
        change(broker, row->owner, row->bytes, 0);
    return true;
}

static int count_ended(void *arg, const struct sw_row *row)
{
    struct broker *broker = arg;
    if (row->of.job.final_ms)
        change(broker, row->of.job.owner, 0, row->of.job.bytes);
    return 0;
}

int holdings_load(struct broker *broker, struct sw_err *err)
{
    if (!is_counted(broker))
        return 0;
    int r = broker->ops->jobs(journal_store(broker->journal), &(struct sw_job_query){.ended = true},
                              count_ended, broker);
    if (r < 0)
        return sw_fail(err, -r, "store: what its jobs hold: %s", strerror(-r));
    struct card *card, *next;
    HASH_ITER(hh, broker->cards, card, next)
    {
        holdings_changed(broker, card);
    }
    return 0;
}

void holdings_done(struct broker *broker)
{
    struct holder *holder, *next;
    HASH_ITER(hh, broker->holdings.by_owner, holder, next)
    {
        HASH_DEL(broker->holdings.by_owner, holder);
        sw_text_destroy(&holder->owner);
        sw_release(holder);
    }
}

static bool is_beyond(
    struct broker *broker, struct sw_str owner, uint64_t size, bool new_job, struct refusal *ret)
{
    const struct broker_config *config = &broker->config;
    AUTO(sw_text) char *name = sw_copy_text(owner.p, owner.n);
    const struct holder *holder = holder_of(broker, name);
    uint64_t most = (uint64_t)config->quota_bytes;
    if (new_job && config->quota_jobs && holder->live >= config->quota_jobs) {
        snprintf(ret->text, sizeof ret->text,
                 "%u jobs of this token are live, and quota-jobs allows %jd: wait for one to end, "
                 "or cancel one",
                 holder->live, (intmax_t)config->quota_jobs);
        return true;
    }
    if (most && size > most) { /* waiting does not help */
        ret->code = "too_large";
        snprintf(ret->text, sizeof ret->text,
                 "this brings %ju bytes, and quota-bytes allows %ju for all jobs of a token: send "
                 "less, or have the quota raised",
                 (uintmax_t)size, (uintmax_t)most);
        return true;
    }
    if (most && (holder->bytes >= most || size > most - holder->bytes)) {
        snprintf(ret->text, sizeof ret->text,
                 "the jobs of this token hold %ju bytes, and quota-bytes allows %ju: delete some "
                 "(shadowctl delete JOB)",
                 (uintmax_t)holder->bytes, (uintmax_t)most);
        return true;
    }
    return false;
}

bool holdings_refuse(
    struct broker *broker, struct sw_str owner, uint64_t size, bool new_job, struct refusal *ret)
{
    const char *disk = disk_words(broker);
    if (disk) {
        ret->code = "disk_full";
        snprintf(ret->text, sizeof ret->text, "%s", disk);
        return true;
    }
    ret->code = "quota";
    return is_counted(broker) && is_beyond(broker, owner, size, new_job, ret);
}
