/* Reads what a work verb was asked to do: the kernel's parameters from options and first arguments,
 * checked here by the kernel's own declaration so that a mistake costs no transfer. Called by
 * work.c. */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

static bool is_given(const struct order *order, const char *name)
{
    for (size_t i = 0; i < order->n_params; i++)
        if (!strcmp(order->params[i].name, name))
            return true;
    return false;
}

static void give(const struct call *call, struct order *order, const char *name, const char *value)
{
    if (!text_is_utf8(value, strlen(value)))
        options_usage(call->verb, "%s must be UTF-8", name);
    order->params[order->n_params++] =
        (struct sw_param_text){.name = name, .value = value, .value_size = strlen(value)};
}

static void read_params(const struct call *call, struct order *order, size_t *ret_first)
{
    const struct sw_kernel *kernel = call->verb->kernel;
    for (size_t i = 0; i < kernel->n_params; i++) {
        const struct sw_param *param = &kernel->params[i];
        const char *value = call_option(call, param->name);
        if (value)
            give(call, order, param->name, param->type == SW_PARAM_BOOL ? "true" : value);
    }
    for (size_t i = 0; i < kernel->n_params; i++) {
        const struct sw_param *param = &kernel->params[i];
        if (param->required && !is_given(order, param->name) && *ret_first < call->n_args)
            give(call, order, param->name, call->args[(*ret_first)++]);
    }
}

void order_read(const struct call *call,
                struct order *ret,
                struct sw_values *ret_values,
                size_t *ret_first)
{
    struct sw_err err = {0};
    struct order order = {.kernel = call->verb->kernel, .name = call_option(call, "name")};
    *ret_first = 0;
    read_params(call, &order, ret_first);
    if (sw_params_parse(order.kernel, order.params, order.n_params, ret_values, &err))
        options_usage(call->verb, "%s", err.text);
    order.priority = call_number(call, "priority", -100, 100, 0);
    order.chunk_count = call_number(call, "chunk-count", 1, 1000000, 0);
    if (order.name && !text_is_utf8(order.name, strlen(order.name)))
        options_usage(call->verb, "the name must be UTF-8");
    if (*ret_first >= call->n_args)
        options_usage(call->verb, "no FILE given: %s needs %s", call->verb->name, call->verb->args);
    *ret = order;
}
