/* The disk as it may be found after a power cut: what each file holds for sure, and what of the
 * rest got there. Called by test_power.c; one thread. */
#include "power_image.h"

#include "base/io.h"
#include "base/own.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512

static uint64_t chance = 1;

void power_seed(uint64_t seed)
{
    chance = seed * 2 + 1;
}

uint64_t power_draw(uint64_t below)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return chance % below;
}

static void apply(struct image *image, const struct disk_event *event, size_t size)
{
    size_t end = event->kind == DISK_TRUNCATE ? event->at : event->at + size;
    if (end > image->room) {
        image->p = sw_realloc(image->p, end * 2, 1);
        image->room = end * 2;
    }
    if (end > image->size)
        memset(image->p + image->size, 0, end - image->size);
    if (event->kind == DISK_TRUNCATE || end > image->size)
        image->size = end;
    if (event->kind == DISK_WRITE)
        memcpy(image->p + event->at, event->data, size);
}

void image_step(struct image *images, size_t i, bool lying)
{
    const struct disk_event *event = &disk_events[i];
    struct image *image = &images[event->file];
    if (event->kind == DISK_ACK)
        return;
    if (event->kind != DISK_SYNC) {
        image->pending[image->n_pending++] = i;
        return;
    }
    if (lying && event->file == DISK_LOG)
        return;
    for (size_t j = 0; j < image->n_pending; j++)
        apply(image, &disk_events[image->pending[j]], disk_events[image->pending[j]].size);
    image->n_pending = 0;
}

void image_lose(const struct image *durable, struct image *ret, enum power_loss loss)
{
    size_t *order = sw_alloc(durable->n_pending + 1, sizeof *order);
    memcpy(order, durable->pending, durable->n_pending * sizeof *order);
    for (size_t i = durable->n_pending; loss == LOSE_AND_REORDER && i > 1; i--) {
        size_t j = power_draw(i), other = order[i - 1];
        order[i - 1] = order[j];
        order[j] = other;
    }
    if (ret->room < durable->size) {
        ret->p = sw_realloc(ret->p, durable->size * 2, 1);
        ret->room = durable->size * 2;
    }
    if (durable->size)
        memcpy(ret->p, durable->p, durable->size);
    ret->size = durable->size;
    for (size_t i = 0; loss != LOSE_ALL && i < durable->n_pending; i++) {
        const struct disk_event *event = &disk_events[order[i]];
        size_t size = event->size;
        if (loss != LOSE_NOTHING && power_draw(2))
            continue;
        if (loss != LOSE_NOTHING && power_draw(4) == 0)
            size = size > SECTOR ? power_draw(size / SECTOR) * SECTOR : power_draw(size + 1);
        if (size || event->kind == DISK_TRUNCATE)
            apply(ret, event, size);
    }
    sw_release(order);
}

void image_put(const struct image *image, const char *folder, enum disk_file file)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, disk_names[file]);
    unlink(path);
    AUTO_FD int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    size_t used = image->size; /* the log is made long, of zeros: a hole is as good, and faster */
    while (used && image->p[used - 1] == 0)
        used--;
    assert(fd >= 0 && sw_pwrite_all(fd, image->p, used, 0) == 0);
    assert(ftruncate(fd, (off_t)image->size) == 0);
}
