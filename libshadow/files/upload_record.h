/* ID.info: what is known of an upload, and its recorded offset, changed in place. Internal.
 *
 * Bytes 0..511 are the head (magic, size and sum of the fixed part), 512 and 1024 begin two slots,
 * the fixed part follows at 1536. A slot is written whole, the two in turn: a write torn by power
 * loss spoils only the slot that nobody was told about, because each has a sector of its own. */
#ifndef SW_FILES_UPLOAD_RECORD_H
#define SW_FILES_UPLOAD_RECORD_H

#include "files/uploads.h"

#define UPLOAD_NAME_ROOM 48 /* ID and the longest suffix */

bool upload_id_valid(const char *id); /* 32 lower-case hex digits and nothing else */
void upload_name(const char *id, const char *suffix, char ret_name[UPLOAD_NAME_ROOM]);

/* Writes a whole new record; no sync. */
int upload_record_write(int fd, const struct sw_upload_info *info, uint64_t sequence);

/* Writes the slot of `sequence` from info's length, offset, touched_ms and complete; no sync. */
int upload_record_slot(int fd, const struct sw_upload_info *info, uint64_t sequence);

/* -EBADMSG for one that was never whole. */
int upload_record_read(int fd,
                       const char *id,
                       struct sw_upload_info *ret_info,
                       uint64_t *ret_sequence);

#endif
