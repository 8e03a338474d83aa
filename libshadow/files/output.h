/* Outputs: out.CHUNK.N, written by STORE at growing offsets (the broker's), and sealed with
 * out.CHUNK.N.sum: from then on its bytes stay as they are. */
#ifndef SW_FILES_OUTPUT_H
#define SW_FILES_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SW_OUTPUT_PATH 64
int sw_output_path(uint32_t chunk, uint64_t n, char ret_name[SW_OUTPUT_PATH]);

/* *ret_size is what is there afterwards, also with -ERANGE, when offset is not the end, and with
 * -EEXIST, when it is sealed: both change nothing. */
int sw_output_append(int job_fd,
                     uint32_t chunk,
                     uint64_t n,
                     uint64_t offset,
                     const void *p,
                     size_t size,
                     uint64_t *ret_size);

/* Makes the sums, syncs bytes and sums, and then gives these their name; the caller syncs the
 * folder. A sealed one is left as it is. -ENOENT; *ret_fatal: a sync failed, so what is on the disk
 * is unknown. */
int sw_output_seal(int job_fd, uint32_t chunk, uint64_t n, bool *ret_fatal);

int sw_output_remove(int job_fd, uint32_t chunk, uint64_t n); /* 0 if not there */

/* Calls fn for what is in the folder, more than once for one that is sealed. */
typedef void sw_output_fn(void *arg, uint32_t chunk, uint64_t n);
int sw_outputs_each(int job_fd, sw_output_fn *fn, void *arg);

#endif
