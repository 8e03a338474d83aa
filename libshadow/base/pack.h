/* Reading msgpack without trusting it: a cursor over bytes that checks every count and length
 * against what is left before it says anything. Used for the wire, for rows, manifests and plans.
 * Writing is msgpack-c's work, or sw_pack_* where only numbers, strings and arrays are needed.
 *
 * A reader never allocates and never recurses deeper than SW_PACK_DEPTH_MAX. After the first error
 * it stays failed and returns zeros, so a caller may check once at the end. */
#ifndef SW_PACK_H
#define SW_PACK_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define SW_PACK_DEPTH_MAX 8

struct sw_cursor {
    const uint8_t *at, *end;
    bool failed;
};

/* 0 when the bytes are exactly one msgpack value: depth, counts and lengths within what is there.
 */
int sw_pack_scan(const void *p, size_t size);
/* The same for a value at the front; *ret_size = its bytes. -ENODATA when it is cut off (a growing
 * file). */
int sw_pack_scan_front(const void *p, size_t size, size_t *ret_size);

struct sw_cursor sw_cursor_of(const void *p, size_t size);
uint32_t sw_read_array(struct sw_cursor *); /* number of elements that follow */
uint64_t sw_read_u64(struct sw_cursor *);   /* a negative number fails */
int64_t sw_read_i64(struct sw_cursor *);    /* also takes a boolean as 0 or 1 */
double sw_read_f64(struct sw_cursor *);     /* also takes integers */
/* Text or binary; the pointer lives as long as the bytes. */
const char *sw_read_bytes(struct sw_cursor *, size_t *ret_size);
void sw_read_skip(struct sw_cursor *); /* any one value */

void sw_pack_array(struct sw_buf *, uint32_t n);
void sw_pack_u64(struct sw_buf *, uint64_t value);
void sw_pack_i64(struct sw_buf *, int64_t value);
void sw_pack_bytes(struct sw_buf *, const void *p, size_t size); /* as msgpack bin */
void sw_pack_text(struct sw_buf *, const void *p, size_t size);  /* as msgpack str */

#endif
