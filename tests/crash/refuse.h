/* Memory that is refused, for a test program that links refuse.c: malloc and its kin, of the
 * program and of every library in it, count and fail on demand. */
#ifndef REFUSE_H
#define REFUSE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

/* From now on call number `at` for memory fails, counted from 1, and if `lasts` all after it. 0:
 * none does. */
void refuse_from(uint64_t at, bool lasts);
/* Ends it; how many calls there were. */
uint64_t refuse_end(void);
uint64_t refuse_calls(void); /* up to now */

/* Blocks that were given and not taken back. */
int64_t refuse_blocks(void);

/* What abort() comes back to, in the thread that armed it; NULL: it is the end, as elsewhere. */
extern jmp_buf *refuse_abort;

#endif
