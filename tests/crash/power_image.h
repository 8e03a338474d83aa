/* Images of a store's files, made from what its process did. */
#ifndef POWER_IMAGE_H
#define POWER_IMAGE_H

#include "power_disk.h"

#include <stdbool.h>

void power_seed(uint64_t seed);
uint64_t power_draw(uint64_t below);

struct image { /* what is durable of one file */
    uint8_t *p;
    size_t size, room;
    size_t *pending; /* events since its last sync */
    size_t n_pending;
};

enum power_loss { LOSE_ALL, LOSE_NOTHING, LOSE_SOME, LOSE_AND_REORDER, LOSSES };

/* One more event happened. `lying`: the log's syncs do nothing. */
void image_step(struct image *images, size_t event, bool lying);
/* What is on the disk of one file after the cut. */
void image_lose(const struct image *durable, struct image *ret, enum power_loss);
void image_put(const struct image *, const char *folder, enum disk_file);

#endif
