/* Outputs: out.CHUNK.N, written by STORE at growing offsets (the broker's). */
#ifndef SW_FILES_OUTPUT_H
#define SW_FILES_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

#define SW_OUTPUT_PATH 48
int sw_output_path(uint32_t chunk, uint64_t n, char ret_name[SW_OUTPUT_PATH]);

/* -ERANGE and the true size when offset is not the end; *ret_size is also written on success. */
int sw_output_append(int job_fd,
                     uint32_t chunk,
                     uint64_t n,
                     uint64_t offset,
                     const void *p,
                     size_t size,
                     uint64_t *ret_size);

/* Writes out.CHUNK.N.sum too, syncs both and the folder. -ENOENT. */
int sw_output_sync(int job_fd, uint32_t chunk, uint64_t n);

int sw_output_remove(int job_fd, uint32_t chunk, uint64_t n); /* 0 if not there */

/* Removes the outputs of every other lease of the chunk. Lists the whole folder: call it only for a
 * chunk that had other leases, and prefer sw_output_remove when their n is known. */
int sw_output_remove_others(int job_fd, uint32_t chunk, uint64_t keep_n);

#endif
