/* Jobs whose rows or plans cannot be read: they end as failed, in words. */
#ifndef BROKER_DAMAGED_H
#define BROKER_DAMAGED_H

#include "broker/broker.h"

/* At start: durable when it returns. -errno with words: the store failed. */
int damaged_end(struct broker *broker, uint64_t job, const char *why, struct sw_err *err);

/* Its row alone, as far as it can be told. */
int damaged_save(const struct sw_store_ops *ops,
                 struct sw_store *store,
                 struct sw_arena *arena,
                 uint64_t job,
                 const char *why,
                 struct sw_err *err);

#endif
