/* The memfds that carry outputs (and inputs too large for a packet). Called by the other slot_*.c
 * of the agent's side; what is handed out is sealed, so that a process that keeps a descriptor
 * cannot change a result behind the agent's back. */
#include "slot_parent.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

int slot_memfd(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd < 0 ? -errno : fd;
}

int slot_part_seal(struct slot *slot, uint64_t size)
{
    struct stat about;
    if (slot->part_fd < 0 || size == 0 || size > SLOT_PART_BYTES)
        return -EBADMSG;
    if (fcntl(slot->part_fd, F_ADD_SEALS, SEALS) < 0)
        return -EBADMSG; /* EBUSY: it is mapped for writing, which no kernel of ours does */
    if (fstat(slot->part_fd, &about) < 0 || (uint64_t)about.st_size != size)
        return -EBADMSG;
    return 0;
}

void slot_part_hand_out(struct slot *slot, struct slot_run *run, int fd, uint64_t size)
{
    run->parts_held++;
    slot->calls->part(slot->arg, slot, run, fd, size);
}

int slot_part_make(const void *p, size_t n)
{
    AUTO_FD int fd = slot_memfd("slot bytes");
    if (fd < 0)
        return fd;
    int r = sw_pwrite_all(fd, p, n, 0);
    if (r < 0)
        return r;
    if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
        return -errno;
    return TAKE_FD(fd);
}
