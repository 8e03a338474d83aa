/* Recipes: a kernel with its parameters, shared by the chunks of one job and of jobs like it, and
 * what is known of its speed. Called by inbox.c and work.c. */
#include "agent.h"

#include "base/pack.h"

#include <string.h>

#define OVERHEAD_BYTES 256  /* what a chunk costs besides its bytes, as bytes */
#define SLOWEST        0.05 /* us a byte, while nothing is known: 20 MB/s */
#define LIMIT_FACTOR   20   /* design.md section 3: the CPU limit is 20 x expected */

static void encode(const struct sw_msg_assign *assign, struct sw_buf *ret)
{
    sw_pack_text(ret, assign->type.p, assign->type.n);
    sw_pack_u64(ret, assign->rev);
    for (size_t i = 0; i < assign->n_params; i++) {
        sw_pack_text(ret, assign->params[i].name.p, assign->params[i].name.n);
        sw_pack_text(ret, assign->params[i].value.p, assign->params[i].value.n);
    }
}

static bool can_run(const struct agent *agent, const struct sw_msg_assign *assign)
{
    if (assign->n_params > SW_PARAMS_MAX)
        return false;
    for (size_t i = 0; i < assign->n_params; i++)
        if (assign->params[i].value.n > SW_PARAM_TEXT_MAX)
            return false;
    for (size_t i = 0; i < agent->n_kernels; i++)
        if (sw_str_is(assign->type, agent->kernels[i]->name) &&
            assign->rev == agent->kernels[i]->rev)
            return true;
    return false;
}

struct recipe *recipe_get(struct agent *agent, const struct sw_msg_assign *assign)
{
    AUTO_BUF struct sw_buf key = {0};
    struct recipe *recipe;
    encode(assign, &key);
    HASH_FIND(hh, agent->recipes, key.data, key.size, recipe);
    if (!recipe) {
        recipe = sw_alloc(1, sizeof *recipe);
        recipe->key = key;
        key = (struct sw_buf){0};
        /* without a type it is only there to be handed back */
        if (can_run(agent, assign) && assign->type.n < sizeof recipe->type) {
            memcpy(recipe->type, assign->type.p, assign->type.n);
            for (size_t i = 0; i < assign->n_params; i++)
                recipe->params[recipe->n_params++] = (struct sw_param_text){
                    .name = sw_copy_text(assign->params[i].name.p, assign->params[i].name.n),
                    .value = sw_copy_text(assign->params[i].value.p, assign->params[i].value.n),
                    .value_size = assign->params[i].value.n,
                };
        }
        HASH_ADD_KEYPTR(hh, agent->recipes, recipe->key.data, recipe->key.size, recipe);
    }
    recipe->n_works++;
    return recipe;
}

void recipe_drop(struct agent *agent, struct recipe *recipe)
{
    if (--recipe->n_works)
        return;
    for (size_t i = 0; i < agent->n_lanes; i++)
        if (agent->lanes[i].recipe == recipe)
            agent->lanes[i].recipe = NULL; /* its process stays, for the next one like it */
    HASH_DEL(agent->recipes, recipe);
    input_drop_spares(agent, recipe);
    for (size_t i = 0; i < recipe->n_params; i++) {
        sw_release((void *)recipe->params[i].name);
        sw_release((void *)recipe->params[i].value);
    }
    sw_buf_done(&recipe->key);
    sw_release(recipe);
}

void recipe_learn(struct recipe *recipe, uint64_t bytes, uint64_t wall_us)
{
    double rate = (double)wall_us / (double)(bytes + OVERHEAD_BYTES);
    recipe->us_per_byte = recipe->us_per_byte > 0 ? recipe->us_per_byte * 0.8 + rate * 0.2 : rate;
}

double recipe_expect_us(const struct recipe *recipe, uint64_t bytes)
{
    double rate = recipe->us_per_byte > 0 ? recipe->us_per_byte : SLOWEST;
    return rate * (double)(bytes + OVERHEAD_BYTES);
}

/* A file that cannot be split may be as large as it likes: the limit grows with it. */
uint32_t recipe_cpu_seconds(const struct recipe *recipe, uint64_t bytes, int64_t least)
{
    double us = SW_MAX(recipe->us_per_byte, SLOWEST) * (double)bytes * LIMIT_FACTOR;
    double seconds = SW_MAX(us / 1e6, (double)least);
    return seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX;
}
