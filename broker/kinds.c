/* (type, rev) pairs as the small numbers that the core schedules by. */
#include "broker/broker.h"

#include <string.h>

int kind_of(struct kinds *kinds, struct sw_str type, uint64_t rev)
{
    for (uint32_t i = 0; i < kinds->n; i++)
        if (kinds->pair[i].rev == rev && sw_str_is(type, kinds->pair[i].type))
            return (int)i;
    if (kinds->n == CORE_KINDS_MAX || type.n >= sizeof kinds->pair[0].type)
        return -1;
    memcpy(kinds->pair[kinds->n].type, type.p, type.n);
    kinds->pair[kinds->n].type[type.n] = 0;
    kinds->pair[kinds->n].rev = rev;
    return (int)kinds->n++;
}
