/* The walls round a slot process. Two steps, because a kernel's `open` needs more than its `run`:
 * the limits first, the system call filter after it. */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "base/err.h"

#include <stdint.h>

/* True when built with address or thread sanitizers, which map terabytes: no RLIMIT_AS then. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANDBOX_SANITIZED 1
#endif
#endif
#ifndef SANDBOX_SANITIZED
#define SANDBOX_SANITIZED 0
#endif

/* Dies with its parent, gains no privileges, cannot be traced or dumped, keeps descriptors up to
 * last_fd only, may not fork, opens few descriptors, runs when nobody else wants to. */
int sandbox_limits(int last_fd, uint64_t memory_bytes, uint64_t file_bytes, struct sw_err *err);

/* Only the system calls that reading, computing and writing need; no memory that can be executed.
 * Any other one raises SIGSYS instead of happening. Cannot be undone. */
int sandbox_close(struct sw_err *err);

/* "connect" for its number; "" when unknown. */
void sandbox_call_name(uint64_t number, char *ret_name, size_t room);

#endif
