/* What a process wrote to the files of one store, and what it made durable, in order. */
#ifndef POWER_DISK_H
#define POWER_DISK_H

#include <stddef.h>
#include <stdint.h>

enum disk_kind { DISK_WRITE, DISK_TRUNCATE, DISK_SYNC, DISK_ACK };
enum disk_file { DISK_DATABASE, DISK_LOG, DISK_FILES };
extern const char *const disk_names[DISK_FILES];

struct disk_event {
    enum disk_kind kind;
    enum disk_file file;
    uint64_t at; /* of a write; size of a truncation; rows of an acknowledgement */
    size_t size;
    uint8_t *data;
};
extern struct disk_event *disk_events;
extern size_t disk_n_events;

void disk_watch(const char *folder); /* NULL: no more */
void disk_ack(uint64_t rows);
void disk_forget(void);

#endif
