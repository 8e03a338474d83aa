/* An open upload from the inside, shared by uploads.c, upload_finish.c and sweep.c. Internal. */
#ifndef SW_FILES_UPLOAD_H
#define SW_FILES_UPLOAD_H

#include "files/sums.h"
#include "files/uploads.h"

struct sw_upload {
    struct sw_upload_info info;           /* info.offset is the recorded, durable one */
    uint64_t received;                    /* appended so far */
    uint64_t sequence;                    /* of the record's newest slot */
    int dir_fd, data_fd, sum_fd, info_fd; /* info_fd holds the lock */
    struct sw_sums *sums;
    struct sw_buf entries; /* manifest of an upload of several files, so far */
    uint64_t entries_size; /* where the next of them begins */
    size_t n_entries;
    bool broken; /* a sync or a cut failed: only closing is left */
};

int upload_record(struct sw_upload *upload);        /* the next slot, durable */
void upload_unlink(int uploads_fd, const char *id); /* every file of it, the record first */

#endif
