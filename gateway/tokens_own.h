/* What tokens.c and tokens_change.c share. */
#ifndef GATEWAY_TOKENS_OWN_H
#define GATEWAY_TOKENS_OWN_H

#include "lines.h"
#include "tokens.h"

#define TOKENS_FILE "tokens"

struct tokens {
    struct lines file;
    struct token *list;
    size_t n, room;
    uint64_t version;
};

int tokens_load(struct tokens *, struct sw_err *err);
struct token *tokens_append(struct tokens *, const struct token *);
/* The first start. */
int tokens_make_admin(struct tokens *, struct sw_err *err);

#endif
