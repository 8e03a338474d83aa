/* The simulated world: everything between one seed and the verdict.
 *
 * sim.c runs it; network, shell, agents, store, clients and oracle each own one field of it and may
 * read the rest. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "broker/core/bug.h"
#include "heap.h"
#include "model.h"
#include "rng.h"

#include <stdio.h>
#include <unistd.h>

enum { SIM_EXIT_FOUND = 3 }; /* of a run that found something */
enum { WORLD_ENGINES = 2, WORLD_OWNERS = 4, WORLD_NATIVES = 2 /* never a browser: the first */ };

struct oracle; /* oracle.c */

struct world {
    struct sim_options options;
    struct rng network_rng, agent_rng, store_rng, client_rng, fault_rng;
    struct heap heap;
    int64_t now_ms;
    uint64_t step;
    bool healed;
    uint64_t trace;

    struct core *core; /* NULL while the broker is down */
    struct shell shell;
    struct store store;
    struct process *processes;
    uint32_t n_processes; /* the first options.agents have a key each, the rest are copies */
    bool *quarantined, *draining;
    int64_t (*cut_until_ms)[2]; /* by process: to the broker, from it */
    int64_t (*last_arrival_ms)[2];
    struct client *clients;
    uint32_t n_clients;
    struct oracle *oracle;

    bool laboratory;     /* policy.c: no faults, fixed agents */
    uint64_t counts[12]; /* printed at the end: enum count */
};
enum count {
    COUNT_ASSIGNED,
    COUNT_DONE,
    COUNT_SURPLUS,
    COUNT_TWINS,
    COUNT_STARTS,
    COUNT_SESSIONS,
    COUNT_LOST,
    COUNT_JOBS,
    COUNT_CHECKS,
    COUNT_LIES,
    COUNT_CAUGHT,
    COUNT_WRONG
};

static inline bool world_has(const struct world *w, enum fault fault)
{
    return !w->healed && (w->options.faults >> fault & 1);
}

/* What broke, then the whole process ends: parents (shrink, bugs) read the line. */
_Noreturn void world_fail(const struct world *w, int invariant, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void world_trace(struct world *w, uint64_t value);

/* world.c */
void world_init(struct world *w, const struct sim_options *options);
void world_done(struct world *w);
bool world_step(struct world *w); /* false: nothing is going to happen any more */
void world_heal(struct world *w);
void world_later(struct world *w,
                 int64_t delay_ms,
                 enum entry_kind kind,
                 uint32_t who,
                 uint32_t what,
                 uint64_t generation);

/* faults.c */
extern const char *const fault_names[FAULTS];
void faults_init(struct world *w);
void faults_happen(struct world *w, enum fault fault);
void faults_heal(struct world *w);

/* plans.c */
uint64_t world_content(uint64_t nonce, const struct add *add, uint32_t index); /* of an input */
uint64_t world_result(uint64_t content);                                       /* the reference */
bool world_is_right(uint64_t content, uint64_t result);                        /* of any engine */

/* network.c */
struct message *message_new(enum message_type type, uint32_t n);
void network_to_broker_take(struct world *w, struct message *m);
void network_to_agent_take(struct world *w, struct message *m);
bool network_reachable(const struct world *w, uint32_t process, uint64_t connection);
void network_break(struct world *w, struct process *p, bool seen);

enum timer {
    TIMER_CONNECT,
    TIMER_BEAT,
    TIMER_FLUSH,
    TIMER_FETCHED,
    TIMER_FINISH,
    TIMER_DIE,
    TIMER_START,
    TIMER_RESUME,
    TIMER_LIE
};

/* agents.c: what a process does; session.c: how it talks */
void agents_init(struct world *w);
void agents_done(struct world *w);
void agents_start(struct world *w, struct process *p);
void agents_die(struct world *w, struct process *p);
void agents_leave(struct world *w, struct process *p);
void agents_pause(struct world *w, struct process *p, int64_t ms);
void agents_arm(
    struct world *w, struct process *p, enum timer timer, int64_t delay, uint64_t number);
void agents_timer(struct world *w, const struct entry *e);
void agents_hear(struct world *w, const struct message *m);

/* work.c */
struct lease *work_find(struct process *p, uint64_t n);
void work_flush_soon(struct world *w, struct process *p);
void work_start(struct world *w, struct process *p);
void work_finish(struct world *w, struct process *p, uint64_t n);
void work_give_back(struct world *w, struct process *p);
void work_accept(struct world *w, struct process *p, const struct item *item);
void work_let_go(struct world *w, struct process *p, uint64_t n);

/* session.c */
void session_connect(struct world *w, struct process *p);
void session_send(struct world *w,
                  struct process *p,
                  enum message_type type,
                  const struct item *items,
                  uint32_t n);
void session_grant(struct world *w, struct process *p);
void session_repeat(struct world *w, struct process *p);
void session_lie(struct world *w, struct process *p);

/* store.c */
void store_done(struct store *s);
void store_put(struct world *w, const struct row *row);
void store_commit(struct world *w, const struct entry *e);
void store_crash(struct world *w);
struct stored_job *store_job(struct world *w, uint64_t job);
void store_load(struct world *w);
bool store_load_job(struct world *w, uint64_t job); /* one that ended, for RETRY */
uint64_t store_find_key(struct world *w, const uint8_t key[16], uint64_t *ret_body_hash);

/* shell.c: the actions; control.c: the events */
void shell_act(struct world *w, const struct core_event *event, const struct message *from);
struct folder *shell_folder(const struct world *w, uint64_t job);
void shell_open_folder(struct world *w, uint64_t job, struct client *client);
void shell_add(struct folder *folder, uint32_t add);
uint64_t shell_token(const struct world *w, uint64_t job, uint32_t chunk, uint64_t n, uint32_t key);
void control_start(struct world *w);
void control_stop(struct world *w);
void control_done(struct world *w);
void control_feed(struct world *w, struct core_event *event, const struct message *from);
void control_message(struct world *w, const struct message *m);
void control_tick(struct world *w, const struct entry *e);
void control_plan_tick(struct world *w);

/* kept.c */
struct kept *kept_find(const struct world *w, uint64_t job, uint32_t chunk, uint64_t n);
void kept_hold(struct world *w, const struct core_event *event, const struct core_action *a);
struct kept kept_let_go(struct world *w, const struct core_action *a);
void kept_save(struct world *w, const struct core_action *a, struct row *row);

/* requests.c */
void control_request(struct world *w, uint32_t client, enum core_event_type what, uint32_t number);
void control_lookup(struct world *w, const struct entry *e);

/* clients.c, plans.c */
void clients_init(struct world *w);
void clients_done(struct world *w);
void clients_timer(struct world *w, const struct entry *e);
void clients_reply(struct world *w, uint32_t client, const struct reply *reply); /* sends it */
bool clients_over(const struct world *w);
void clients_heal(struct world *w);
void clients_hear(struct world *w, uint32_t client, const struct reply *reply);
enum core_job_status world_job_status(struct world *w, uint64_t job, bool *ret_known);

/* oracle.c and its parts */
void oracle_init(struct world *w);
void oracle_done(struct world *w);
void oracle_restart(struct world *w);
void oracle_loaded(struct world *w, const uint32_t *known, size_t n);
void oracle_reload(struct world *w, uint64_t job); /* an ended job is back for RETRY */
void oracle_before(struct world *w, const struct core_event *event);
void oracle_action(struct world *w, const struct core_event *event, const struct core_action *a);
void oracle_after(struct world *w, const struct core_event *event);
void oracle_tick(struct world *w, int64_t late_ms);
void oracle_row(struct world *w, const struct row *row); /* just before it becomes durable */
void oracle_resubmitted(struct world *w, const struct client *c, const struct reply *reply);
void oracle_finish(struct world *w); /* after healing: everything is final and right */

#endif
