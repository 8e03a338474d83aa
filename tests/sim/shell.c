/* The actions of the core carried out: messages to agents (sessions, serials, many leases in one),
 * rows to the store, replies to clients. The counterpart of broker/control; called by control.c
 * after every event, which it never feeds itself. */
#include "world.h"

#include "base/own.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH_ITEMS = 32 };
static const uint64_t SECRET = UINT64_C(0x5eed0fa11c0ffee5);

struct folder *shell_folder(const struct world *w, uint64_t job)
{
    const struct shell *s = &w->shell;
    return job < s->n_folders && s->folders[job].client ? &s->folders[job] : NULL;
}

uint64_t shell_token(const struct world *w, uint64_t job, uint32_t chunk, uint64_t n, uint32_t key)
{
    const struct folder *folder = shell_folder(w, job);
    uint64_t nonce = folder ? folder->client->nonce : 0;
    return rng_mix(rng_mix(SECRET ^ nonce, job << 32 | chunk), rng_mix(n, key)) | !folder;
}

static void post(struct world *w, uint32_t agent, struct message *m)
{
    struct link *link = &w->shell.links[agent];
    m->process = link->process;
    m->connection = link->connection;
    m->session = link->session;
    m->serial = ++link->serial_out;
    if (network_reachable(w, m->process, m->connection)) {
        network_to_agent_take(w, m);
        return;
    }
    link->unreachable = true;
    free(m);
}

/* AGAIN and DUPLICATE answer one message and belong to no session. */
static void answer(struct world *w, const struct core_action *a, const struct message *from)
{
    const struct link *link = &w->shell.links[a->agent];
    struct message *m = message_new(a->type == ACT_AGAIN ? MESSAGE_AGAIN : MESSAGE_DUPLICATE, 0);
    if (a->session == link->hello_session || !from) {
        m->process = link->hello_process;
        m->connection = link->hello_connection;
        m->session = link->hello_session;
    } else {
        m->process = from->process;
        m->connection = from->connection;
        m->session = from->session;
    }
    network_to_agent_take(w, m);
}

static void welcome(struct world *w, const struct core_action *a)
{
    struct link *link = &w->shell.links[a->agent];
    if (link->hello_session != a->session)
        world_fail(w, 8, "WELCOME of a session that nobody asked for");
    link->session = a->session;
    link->connection = link->hello_connection;
    link->process = link->hello_process;
    link->serial_out = 0;
    link->unreachable = false;
    post(w, a->agent, message_new(MESSAGE_WELCOME, 0));
}

static void fill(struct world *w, const struct core_action *a, struct item *item)
{
    *item = (struct item){.job = a->job, .chunk = a->chunk, .n = a->n, .isolate = a->isolate};
    item->check = a->check == CHECK_VERIFY;
    item->token = shell_token(w, a->job, a->chunk, a->n, a->agent);
    const struct folder *folder = shell_folder(w, a->job);
    if (a->type != ACT_ASSIGN)
        return;
    if (item->check) {
        const struct kept *kept = kept_find(w, a->job, a->chunk, a->candidate_n);
        if (!kept)
            world_fail(w, 1, "a check of a result that is not kept");
        item->result = kept->item.result;
        item->failed_files = kept->item.failed_files;
    }
    uint32_t chunk = a->chunk;
    for (uint32_t i = 0; folder && i < folder->n_adds; i++) {
        const struct add *add = &folder->client->adds[folder->adds[i]];
        if (chunk < add->n_chunks) {
            item->content = world_content(folder->client->nonce, add, chunk);
            item->bytes = add->sizes[chunk];
            item->trait = add->traits[chunk];
            return;
        }
        chunk -= add->n_chunks;
    }
    world_fail(w, 1, "chunk %u of job %lu does not exist", a->chunk, (unsigned long)a->job);
}

/* Consecutive leases for one agent travel in one message. */
struct batch {
    struct message *m;
    uint32_t agent;
};

static void batch_send(struct world *w, struct batch *batch)
{
    if (batch->m)
        post(w, batch->agent, TAKE(batch->m));
}

static void batch_put(struct world *w, struct batch *batch, const struct core_action *a)
{
    enum message_type type = a->type == ACT_ASSIGN   ? MESSAGE_ASSIGN
                             : a->type == ACT_REVOKE ? MESSAGE_REVOKE
                                                     : MESSAGE_TAKEN;
    if (batch->m &&
        (batch->agent != a->agent || batch->m->type != type || batch->m->n == BATCH_ITEMS))
        batch_send(w, batch);
    if (!batch->m) {
        batch->m = message_new(type, BATCH_ITEMS);
        batch->m->n = 0;
        batch->agent = a->agent;
    }
    fill(w, a, &batch->m->items[batch->m->n++]);
}

static struct folder *make_folder(struct shell *s, uint64_t job)
{
    if (job >= s->n_folders) {
        size_t n = (size_t)job + 16;
        s->folders = sw_realloc(s->folders, n, sizeof *s->folders);
        memset(s->folders + s->n_folders, 0, (n - s->n_folders) * sizeof *s->folders);
        s->n_folders = n;
    }
    return &s->folders[job];
}

void shell_open_folder(struct world *w, uint64_t job, struct client *client)
{
    struct folder *folder = make_folder(&w->shell, job);
    free(folder->adds);
    *folder = (struct folder){.client = client};
}

void shell_add(struct folder *folder, uint32_t add)
{
    folder->adds = sw_realloc(folder->adds, folder->n_adds + 1, sizeof *folder->adds);
    folder->adds[folder->n_adds++] = add;
}

static void save_job(struct world *w, const struct core_action *a, struct row *row)
{
    struct core_job_view view;
    if (!core_job(w->core, a->job, &view))
        world_fail(w, 4, "SAVE of job %lu, which cannot be seen", (unsigned long)a->job);
    row->job = (struct core_load_job){.job = a->job,
                                      .kind = view.kind,
                                      .priority = view.priority,
                                      .sealed = view.sealed,
                                      .verify_all = view.verify_all,
                                      .has_key = view.has_key,
                                      .body_hash = view.body_hash,
                                      .status = view.row_status};
    memcpy(row->job.key, view.key, sizeof row->job.key);
    w->shell.saved_job = a->job;
    if (a->payload) /* a SUBMIT; its folder is empty, whatever an uncommitted job of that number
                       left */
        shell_open_folder(w, a->job, &w->clients[*(const uint32_t *)a->payload]);
    row->client = shell_folder(w, a->job) ? shell_folder(w, a->job)->client : NULL;
}

static void save(struct world *w, const struct core_event *event, const struct core_action *a)
{
    struct row row = {.seq = a->seq, .kind = a->row, .job.job = a->job};
    switch (a->row) {
    case ROW_JOB:
        save_job(w, a, &row);
        break;
    case ROW_ADD:
        row.add = a->add;
        row.index = *(const uint32_t *)a->payload;
        shell_add(shell_folder(w, a->job), row.index);
        break;
    case ROW_CHUNK:
        row.chunk = (struct core_load_chunk){
            .chunk = a->chunk, .state = a->state, .attempts = a->attempts, .losses = a->losses};
        row.agent = a->agent;
        if (a->state == CHUNK_DONE && a->held) {
            kept_save(w, a, &row);
        } else if (a->state == CHUNK_DONE) {
            const struct item *item = a->payload;
            row.result = item->result;
            row.chunk.bytes_out = event->of.result.bytes_out;
            row.chunk.failed_files = event->of.result.failed_files;
        }
        break;
    case ROW_FORGET:
        break;
    }
    store_put(w, &row);
}

static void reply(struct world *w, const struct core_action *a)
{
    struct shell *s = &w->shell;
    s->replied_ref = a->ref;
    s->replied_code = a->code;
    for (size_t i = 0; i < s->n_waiters; i++) {
        if (s->waiters[i].ref != a->ref)
            continue;
        struct waiter waiter = s->waiters[i];
        s->waiters[i] = s->waiters[--s->n_waiters];
        clients_reply(w, waiter.client,
                      &(struct reply){waiter.what, waiter.number, a->code, a->job});
        return;
    }
}

void shell_act(struct world *w, const struct core_event *event, const struct message *from)
{
    struct batch batch = {0};
    struct core_action a;
    while (core_next(w->core, &a)) {
        oracle_action(w, event, &a);
        if (a.type == ACT_ASSIGN || a.type == ACT_REVOKE || a.type == ACT_TAKEN) {
            batch_put(w, &batch, &a);
            continue;
        }
        if (a.type == ACT_BEAT || a.type == ACT_WELCOME || a.type == ACT_DROP)
            batch_send(w, &batch); /* the order of one agent's messages is kept */
        struct link *link = &w->shell.links[a.agent];
        switch (a.type) {
        case ACT_WELCOME:
            welcome(w, &a);
            break;
        case ACT_PROBE:
            link->probed = true;
            post(w, a.agent, message_new(MESSAGE_ANSWER, 0));
            break;
        case ACT_BEAT:
            post(w, a.agent, message_new(MESSAGE_ANSWER, 0));
            break;
        case ACT_DUPLICATE:
        case ACT_AGAIN:
            answer(w, &a, from);
            break;
        case ACT_SAVE:
            save(w, event, &a);
            break;
        case ACT_REPLY:
            reply(w, &a);
            break;
        case ACT_DROP:
            if (link->session == a.session)
                link->session = 0;
            break;
        case ACT_ENDED:
            if (a.forgotten && shell_folder(w, a.job)) {
                free(w->shell.folders[a.job].adds);
                w->shell.folders[a.job] = (struct folder){0};
            }
            break;
        case ACT_HOLD:
            kept_hold(w, event, &a);
            break;
        case ACT_LET_GO:
            kept_let_go(w, &a);
            break;
        case ACT_CAUGHT:
            w->quarantined[a.agent] = true;
            break;
        case ACT_NOTE:
        case ACT_ASSIGN:
        case ACT_REVOKE:
        case ACT_TAKEN:
            break;
        }
    }
    batch_send(w, &batch);
}
