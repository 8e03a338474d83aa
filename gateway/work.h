/* Work off the loop: disk and hashing run on libuv's thread pool, their end is told on the loop.
 *
 * The job may touch only what it was handed; nobody else touches that until `then` runs. */
#ifndef GATEWAY_WORK_H
#define GATEWAY_WORK_H

#include "gateway.h"

void work_start(struct gateway *, void *arg, void (*run)(void *arg), void (*then)(void *arg));

#endif
