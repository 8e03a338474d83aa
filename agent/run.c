/* The lanes: which work goes to which slot, and when. A lane keeps to one recipe, since another one
 * means another process; a recipe that nobody serves gets the next lane that may be spared.
 *
 * A slot is fed about 20 ms ahead: hundreds of tiny runs, or one long one, so that it never waits
 * for the loop and no run waits behind a long one while another slot is idle. */
#include "agent.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define AHEAD_US    20000.0
#define AHEAD_RUNS  512 /* twice what a slot keeps in flight */
#define TURN_MS     250 /* a lane serves its recipe so long before one that nobody serves */
#define FILL_ROUNDS 4

int run_open(struct agent *agent, struct sw_err *err)
{
    agent->lanes = sw_alloc((size_t)agent->config.slots, sizeof *agent->lanes);
    for (; agent->n_lanes < (size_t)agent->config.slots; agent->n_lanes++) {
        struct lane *lane = &agent->lanes[agent->n_lanes];
        lane->agent = agent;
        lane->slot = slot_new(&result_calls, lane);
        if (!lane->slot)
            return sw_fail(err, ENOMEM, "slot %zu: no memory or descriptors", agent->n_lanes + 1);
    }
    return 0;
}

void run_close(struct agent *agent)
{
    for (size_t i = 0; i < agent->n_lanes; i++)
        slot_destroy(&agent->lanes[i].slot);
    sw_release(agent->lanes);
    agent->lanes = NULL;
    agent->n_lanes = 0;
}

void run_pump(struct agent *agent, struct lane *lane)
{
    lane->touched = false;
    slot_pump(lane->slot, agent->now_ms);
}

void run_leave(struct agent *agent, struct work *work)
{
    struct lane *lane = work->lane;
    DL_DELETE2(lane->first, work, lane_prev, lane_next);
    work->lane = NULL;
    lane->expected_us -= work->expect_us;
    if (!lane->first || lane->expected_us < 0)
        lane->expected_us = 0;
    agent->lane_free = true;
}

/* The first that is ready goes to the lane. */
static void give(struct agent *agent, struct lane *lane, struct recipe *recipe)
{
    struct work *work = recipe->ready;
    assert(work);
    work->run.cpu_seconds = recipe_cpu_seconds(recipe, work->bytes, agent->config.slot_cpu_seconds);
    DL_DELETE2(recipe->ready, work, ready_prev, ready_next);
    work->state = WORK_IN_SLOT;
    work->lane = lane;
    DL_APPEND2(lane->first, work, lane_prev, lane_next);
    work->expect_us = recipe_expect_us(recipe, work->bytes);
    lane->expected_us += work->expect_us;
    if (work->in.piped) {
        work->run.input_fd = fetch_open_pipe(agent, work);
        if (work->run.input_fd < 0) {
            const char *why = strerror(-work->run.input_fd);
            work->run.input_fd = -1;
            work->state = WORK_FETCHING; /* the slot does not have it */
            run_leave(agent, work);
            work_back(agent, work, why, true);
            return;
        }
    }
    slot_add(lane->slot, &work->run);
    lane->touched = true;
}

static bool is_served(const struct agent *agent, const struct recipe *recipe)
{
    for (size_t i = 0; i < agent->n_lanes; i++)
        if (agent->lanes[i].recipe == recipe)
            return true;
    return false;
}

/* The recipe with work that has waited longest without a lane of its own. */
static struct recipe *find_passed_over(struct agent *agent)
{
    struct recipe *found = NULL;
    for (struct recipe *recipe = agent->recipes; recipe; recipe = recipe->hh.next) {
        if (!recipe->ready || is_served(agent, recipe)) {
            recipe->passed_over = 0;
            continue;
        }
        if (!recipe->passed_over)
            recipe->passed_over = agent->now_ms;
        if (!found || recipe->passed_over < found->passed_over)
            found = recipe;
    }
    return found;
}

static struct recipe *find_any(struct agent *agent)
{
    for (struct recipe *recipe = agent->recipes; recipe; recipe = recipe->hh.next)
        if (recipe->ready)
            return recipe;
    return NULL;
}

/* Another recipe means another process: only for an empty lane. */
static void take_recipe(struct agent *agent, struct lane *lane, struct recipe *recipe)
{
    struct slot_setup setup = {
        .kernel = recipe->type,
        .params = recipe->params,
        .n_params = recipe->n_params,
        .memory_bytes = (uint64_t)agent->config.memory,
    };
    int r = slot_prepare(lane->slot, &setup);
    if (r < 0) {
        sw_log(SW_LOG_ERROR, "slot not prepared error=%s", strerror(-r));
        return;
    }
    lane->recipe = recipe;
    lane->busy_since = agent->now_ms;
    recipe->passed_over = 0;
}

static bool has_room(const struct agent *agent, const struct lane *lane)
{
    if (agent->credit.closed)
        return false; /* paused: what is held waits; of what stops nothing waits */
    if (!lane->first)
        return agent->unsent_bytes < AGENT_UNSENT_MAX * agent->n_lanes;
    return lane->expected_us < AHEAD_US && slot_count(lane->slot) < AHEAD_RUNS &&
           agent->unsent_bytes < AGENT_UNSENT_MAX * agent->n_lanes;
}

/* One work for this lane, or none. */
static bool fill_lane(struct agent *agent, struct lane *lane, struct recipe *waiting)
{
    bool own = lane->recipe && lane->recipe->ready;
    bool turn_over = waiting && agent->now_ms - lane->busy_since >= TURN_MS;
    if (!has_room(agent, lane))
        return false;
    if (!own || turn_over) {
        if (slot_count(lane->slot))
            return false; /* it runs empty first */
        struct recipe *next = waiting ? waiting : find_any(agent);
        if (!next)
            return false;
        take_recipe(agent, lane, next);
        if (lane->recipe != next)
            return false;
    }
    give(agent, lane, lane->recipe);
    return true;
}

void run_fill(struct agent *agent)
{
    for (int round = 0; round < FILL_ROUNDS && agent->lane_free; round++) {
        agent->lane_free = false;
        for (bool any = true; any;) {
            struct recipe *waiting = find_passed_over(agent);
            any = false;
            for (size_t i = 0; i < agent->n_lanes; i++) { /* one each: nobody runs dry */
                struct lane *lane = &agent->lanes[i];
                if (fill_lane(agent, lane, waiting)) {
                    any = true;
                    waiting = find_passed_over(agent);
                }
            }
        }
        for (size_t i = 0; i < agent->n_lanes; i++)
            if (agent->lanes[i].touched)
                run_pump(agent, &agent->lanes[i]);
    }
}

int64_t run_wake(const struct agent *agent)
{
    int64_t wake = agent->lane_free ? agent->now_ms : INT64_MAX;
    for (size_t i = 0; i < agent->n_lanes; i++)
        wake = SW_MIN(wake, slot_wake(agent->lanes[i].slot));
    return wake;
}
