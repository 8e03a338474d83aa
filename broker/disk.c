/* How much room the state directory's disk has, and the words for when it is little: new work is
 * refused early, so that what runs can finish. Called by whoever takes work in, and by status. What
 * is written when nothing is left is the store's and data's own care. */
#include "broker/broker.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <sys/statvfs.h>

#define LOOK_MS                                                                                    \
    100 /* between two looks: at 10,000 small jobs a second they take less than 1 MiB              \
         */

/* Words for people: they compare it with what `df -h` says. */
static void size_text(uint64_t bytes, char ret[32])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    while (bytes >= 10240 && unit + 1 < SW_COUNT(units)) {
        bytes >>= 10;
        unit++;
    }
    snprintf(ret, 32, "%ju %s", (uintmax_t)bytes, units[unit]);
}

static void look(struct broker *broker)
{
    struct disk *disk = &broker->disk;
    struct statvfs about;
    int64_t now = sw_boot_ms();
    if (now < disk->next_look_ms)
        return;
    disk->next_look_ms = now + LOOK_MS;
    if (fstatvfs(broker->state_fd, &about) == 0)
        disk->free = (uint64_t)about.f_bavail * about.f_frsize;
}

uint64_t disk_free(struct broker *broker)
{
    look(broker);
    return broker->disk.free;
}

/* Into the log when it changes, not each time that somebody is told. */
static void tell(struct disk *disk, bool low)
{
    if (low == disk->told)
        return;
    disk->told = low;
    if (low)
        sw_log(SW_LOG_WARNING, "disk low: new work is refused reason=\"%s\"", disk->words);
    else
        sw_log(SW_LOG_NOTICE, "disk has room again free=%ju", (uintmax_t)disk->free);
}

const char *disk_words(struct broker *broker)
{
    struct disk *disk = &broker->disk;
    char room[32], need[32];
    look(broker);
    bool full = journal_waits_for_room(broker->journal);
    bool low = full || disk->free < (uint64_t)broker->config.disk_low;
    if (low) {
        size_text(disk->free, room);
        size_text((uint64_t)broker->config.disk_low, need);
        snprintf(disk->words, sizeof disk->words,
                 "%s of the state directory's disk are free, new work needs %s (disk-low): delete "
                 "jobs that nobody needs (shadowctl delete JOB), or give it more room%s",
                 room, need, full ? "; nothing can be written now" : "");
    }
    tell(disk, low);
    return low ? disk->words : NULL;
}
