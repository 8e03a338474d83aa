/* Start-up: what the store kept becomes the core's state again. Streams: a job's rows are never all
 * in memory. A job that cannot be read ends (damaged.c), the others go on. Folders without a row
 * are removed. */
#include "broker/broker.h"
#include "broker/damaged.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

int load_job_row(struct broker *broker, const struct sw_job_row *row)
{
    struct sw_msg_job_row body;
    struct sw_err err;
    if (sw_decode_record(&sw_record_job_row, row->body, row->body_size, &broker->row_arena, false,
                         &body) < 0)
        return -EBADMSG;
    struct card *card = card_new(sw_record_clone(&sw_record_job_row, &body), &broker->kinds);
    card->job = row->job;
    if (card_check(card, &err) < 0) /* an older type: nobody has it, `why` says so */
        sw_log(SW_LOG_WARNING, "job of an unknown type job=%ju error=%s", (uintmax_t)row->job,
               err.text);
    card->counted = row->final_ms ? row->bytes : 0; /* RETRY: it counts already */
    card_put(broker, card);
    data_job(broker->data, card->job, card->row->nonce,
             sw_kernel_growth(card->kernel, &card->values), row->status < JOB_COMPLETED);
    struct core_load_job load = {.job = row->job,
                                 .kind = card->kind,
                                 .priority = (int32_t)body.priority,
                                 .sealed = body.sealed,
                                 .has_key = body.key.n > 0,
                                 .body_hash = body.body_hash,
                                 .status = (enum core_job_status)row->status};
    if (body.key.n)
        crypto_generichash(load.key, sizeof load.key, (const unsigned char *)body.key.p, body.key.n,
                           NULL, 0);
    core_load_job(broker->core, &load, sw_boot_ms());
    return 0;
}

static void sizes_of(const struct sw_plan_file *plan, uint64_t *ret_sizes)
{
    for (size_t i = 0; i < plan->n; i++)
        ret_sizes[plan->pieces[i].chunk] += plan->pieces[i].size;
}

static int load_inline(struct broker *broker,
                       struct card *card,
                       uint32_t add,
                       const struct sw_msg_add_row *body,
                       struct sw_err *err)
{
    struct inline_add *in = card_add_inline(card, add, (uint32_t)body->first_chunk);
    sw_buf_put(&in->manifest.bytes, body->manifest.p, body->manifest.n);
    sw_buf_put(&in->bytes, body->bytes.p, body->bytes.n);
    card->inline_bytes += in->bytes.size;
    broker->inline_bytes += in->bytes.size;
    int r = sw_manifest_parse(&in->manifest, err);
    return r < 0 ? r : sw_plan_decode(body->plan.p, body->plan.n, &in->plan, err);
}

static int load_file(struct broker *broker,
                     uint64_t job,
                     uint32_t add,
                     const struct sw_msg_add_row *body,
                     struct sw_plan_file *ret_plan,
                     struct sw_err *err)
{
    AUTO_FD int job_fd = -1;
    uint32_t first = (uint32_t)body->first_chunk, n = (uint32_t)body->chunks;
    source_add(broker->source, job, add, first, n);
    data_add(broker->data, job, add, first, n);
    int r = sw_job_dir_open(broker->jobs_fd, job, &job_fd);
    if (r < 0)
        return sw_fail(err, -r, "its folder: %s", strerror(-r));
    r = sw_plan_read(job_fd, add, ret_plan, err);
    if (r == 0 && (ret_plan->head.first_chunk != first || ret_plan->head.n_chunks != n))
        r = sw_fail(err, EBADMSG, "plan.%u is another ADD's", add);
    return r;
}

static int load_add(struct broker *broker, const struct sw_add_row *row, struct sw_err *err)
{
    struct sw_msg_add_row body;
    struct sw_plan_file from_disk = {0};
    struct card *card = card_find(broker, row->job);
    if (!card || sw_decode_record(&sw_record_add_row, row->body, row->body_size, &broker->row_arena,
                                  false, &body) < 0)
        return sw_fail(err, EBADMSG, "its row of ADD %u cannot be read", row->add);
    bool is_inline = body.plan.n > 0;
    int r = is_inline ? load_inline(broker, card, row->add, &body, err)
                      : load_file(broker, row->job, row->add, &body, &from_disk, err);
    const struct sw_plan_file *plan =
        is_inline ? &card->inlines[card->n_inlines - 1].plan : &from_disk;
    if (r == 0) {
        uint64_t *sizes = sw_alloc(plan->head.n_chunks, sizeof *sizes);
        sizes_of(plan, sizes);
        r = core_load_add(broker->core, row->job, body.key, sizes, plan->head.n_chunks, body.files,
                          body.failed_files);
        if (r < 0)
            sw_fail(err, -r, "its ADD %u has more chunks than a job may have", row->add);
        sw_release(sizes);
        card->next_add = row->add + 1;
        card->next_chunk = (uint32_t)(body.first_chunk + body.chunks);
    }
    sw_plan_done(&from_disk);
    return r;
}

int load_add_row(struct broker *broker, const struct sw_add_row *row, struct sw_err *err)
{
    struct sw_err why = {""};
    int r = load_add(broker, row, &why);
    return r < 0 ? sw_fail(err, -r, "job %ju: %s", (uintmax_t)row->job, why.text) : 0;
}

int load_chunk_row(struct broker *broker, const struct sw_chunk_row *row)
{
    struct sw_msg_chunk_row body;
    if (sw_decode_record(&sw_record_chunk_row, row->body, row->body_size, &broker->row_arena, false,
                         &body) < 0)
        return -EBADMSG;
    struct core_load_chunk load = {.chunk = row->chunk,
                                   .state = (enum core_chunk_state)row->state,
                                   .attempts = row->attempts,
                                   .losses = row->losses,
                                   .bytes_out = body.bytes_out,
                                   .failed_files =
                                       row->state == CHUNK_READY ? 0 : (uint32_t)body.failed_files};
    if (load.state == CHUNK_DONE && body.stored)
        data_result(broker->data, row->job, row->chunk, body.n);
    return core_load_chunk(broker->core, row->job, &load);
}

struct walk {
    struct broker *broker;
    struct sw_err *err;
    bool damaged; /* this job's, not the store: err has the words */
    uint64_t jobs, chunks;
    uint64_t *ids;
    size_t room;
};

/* Not of the job is what the next start may do better: too little memory, a mode that is wrong. */
static int damage(struct walk *walk, int r)
{
    walk->damaged =
        r < 0 && r != -ENOMEM && r != -EMFILE && r != -ENFILE && r != -EACCES && r != -EPERM;
    return r;
}

static int on_job(void *arg, const struct sw_row *row)
{
    struct walk *walk = arg;
    sw_grow(&walk->ids, &walk->room, walk->jobs + 1, sizeof *walk->ids);
    walk->ids[walk->jobs++] = row->of.job.job;
    load_job_row(walk->broker, &row->of.job); /* no card: it cannot be read */
    return 0;
}

static int on_add(void *arg, const struct sw_row *row)
{
    struct walk *walk = arg;
    return damage(walk, load_add_row(walk->broker, &row->of.add, walk->err));
}

static int on_chunk(void *arg, const struct sw_row *row)
{
    struct walk *walk = arg;
    walk->chunks++;
    int r = load_chunk_row(walk->broker, &row->of.chunk);
    if (r < 0)
        sw_fail(walk->err, -r, "job %ju: the row of chunk %u does not fit its plan",
                (uintmax_t)row->of.chunk.job, row->of.chunk.chunk);
    return damage(walk, r);
}

static int load_rows(struct walk *walk, uint64_t job)
{
    struct sw_store *store = journal_store(walk->broker->journal);
    const struct sw_store_ops *ops = walk->broker->ops;
    if (!card_find(walk->broker, job))
        return damage(
            walk, sw_fail(walk->err, EBADMSG, "job %ju: its row cannot be read", (uintmax_t)job));
    int r = ops->adds(store, job, on_add, walk);
    return r < 0 ? r : ops->chunks(store, job, 0, UINT32_MAX, on_chunk, walk);
}

static int on_device(void *arg, const struct sw_row *row)
{
    struct broker *broker = ((struct walk *)arg)->broker;
    struct sw_msg_device_row body;
    if (sw_decode_record(&sw_record_device_row, row->of.device.body, row->of.device.body_size,
                         &broker->row_arena, false, &body) < 0)
        return 0; /* it says HELLO again */
    AUTO(sw_text) char *key = sw_copy_text(body.public_key.p, body.public_key.n);
    struct device *device =
        body.public_key.n == SW_KEY_TEXT - 1 ? device_get(&broker->devices, key) : NULL;
    if (!device)
        return 0;
    sw_release(device->row);
    device->row = sw_record_clone(&sw_record_device_row, &body);
    struct core_event drain = {.type = EV_DRAIN, .agent = device->index};
    if (body.draining)
        core_feed(broker->core, &drain, sw_boot_ms());
    return 0;
}

/* An ADD that a crash cut short; the next one would write over it, but there may be none. */
static void drop_add(struct broker *broker, uint64_t job)
{
    AUTO_FD int folder = -1;
    int r = sw_job_dir_open(broker->jobs_fd, job, &folder);
    if (r == 0)
        r = sw_job_dir_drop_add(folder, card_find(broker, job)->next_add);
    if (r < 0 && r != -ENOENT) /* it harms nobody */
        sw_log(SW_LOG_WARNING, "inputs of no row stay job=%ju error=%s", (uintmax_t)job,
               strerror(-r));
}

static int load_jobs(struct broker *broker, struct walk *walk)
{
    struct sw_store *store = journal_store(broker->journal);
    int r = broker->ops->jobs(
        store, &(struct sw_job_query){.unfinished = true, .limit = UINT32_MAX}, on_job, walk);
    for (uint64_t i = 0; r == 0 && i < walk->jobs; i++) {
        walk->damaged = false;
        r = load_rows(walk, walk->ids[i]);
        if (r == 0) {
            data_results_told(broker->data, walk->ids[i]);
            drop_add(broker, walk->ids[i]);
        }
        if (!walk->damaged)
            continue;
        struct sw_err why = *walk->err;
        *walk->err = (struct sw_err){""};
        r = damaged_end(broker, walk->ids[i], why.text, walk->err);
    }
    return r;
}

static int is_there(void *arg, const struct sw_row *row)
{
    (void)row;
    *(bool *)arg = true;
    return 0;
}

/* A folder belongs to a job's row, live or ended; without one it is what a crash left behind. */
static int on_folder(void *arg, uint64_t job)
{
    struct broker *broker = ((struct walk *)arg)->broker;
    bool found = false;
    int r = broker->ops->job(journal_store(broker->journal), job, is_there, &found);
    return r < 0 || found ? r : sw_job_dir_remove(broker->jobs_fd, job);
}

int recover(struct broker *broker, struct sw_err *err)
{
    struct walk walk = {.broker = broker, .err = err};
    struct core_config config = {.epoch = broker->epoch};
    struct sw_store *store = journal_store(broker->journal);
    int64_t begin = sw_boot_ms();
    int r = broker->ops->last_job(store, &config.last_job);
    if (r < 0)
        return sw_fail(err, -r, "store: the last job's number: %s", strerror(-r));
    broker->core = core_new(&config, begin);
    broker->source = source_new(broker->jobs_fd, BROKER_SOURCE_BYTES);
    r = load_jobs(broker, &walk);
    if (r == 0)
        r = broker->ops->devices(store, on_device, &walk);
    if (r == 0)
        r = holdings_load(broker, err);
    if (r == 0)
        r = sw_job_dirs_each(broker->jobs_fd, on_folder, &walk);
    sw_release(walk.ids);
    if (r < 0 && !err->text[0])
        return sw_fail(err, -r, "store: cannot be read: %s", strerror(-r));
    if (r < 0)
        return r;
    uint32_t *online = sw_alloc(broker->devices.n, sizeof *online);
    size_t n = 0;
    for (size_t i = 0; i < broker->devices.n; i++)
        if (broker->devices.by_index[i]->row->online)
            online[n++] = (uint32_t)i;
    journal_start(broker->journal); /* all is read; what follows may write */
    core_loaded(broker->core, online, n, sw_boot_ms());
    sw_release(online);
    struct core_action action;
    while (core_next(broker->core, &action)) /* jobs whose last chunk was durable end now */
        apply_action(broker, &action);
    submit_recover(broker);
    if (walk.jobs)
        sw_log(SW_LOG_INFO, "recovered jobs=%ju chunks=%ju ms=%jd", (uintmax_t)walk.jobs,
               (uintmax_t)walk.chunks, (intmax_t)(sw_boot_ms() - begin));
    return 0;
}
