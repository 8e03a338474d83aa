/* Takes a tar apart for test_untar.py: untar_run TAR EXPANDED MAX prints one line an entry, names
 * in hex; a refusal goes to standard error with exit status 1. */
#include "base/err.h"
#include "files/manifest.h"
#include "files/untar.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    AUTO_FD int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    AUTO_FD int expand_fd = open(argv[2], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct sw_manifest manifest = {0};
    struct sw_err err = {""};
    uint64_t expanded = 0;
    int r = sw_untar(fd, expand_fd, strtoull(argv[3], NULL, 10), &manifest.bytes, &expanded, &err);
    if (r == 0)
        r = sw_manifest_parse(&manifest, &err);
    if (r < 0)
        fprintf(stderr, "%d %s\n", -r, err.text);
    for (size_t i = 0; r == 0 && i < manifest.n; i++) {
        const struct sw_entry *entry = &manifest.entries[i];
        printf("%d %o %" PRId64 " %" PRIu64 " %u %" PRIu64 " ", entry->state, entry->mode,
               entry->mtime, entry->size, entry->part, entry->offset);
        for (size_t k = 0; k < entry->name_size; k++)
            printf("%02x", (uint8_t)entry->name[k]);
        printf(" %s\n", entry->reason);
    }
    sw_manifest_done(&manifest);
    return r < 0;
}
