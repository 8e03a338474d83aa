/* An upload being written: create, reopen, append, sync. Called by the gateway, one thread at a
 * time per upload (the lock on ID.info holds the others off). Finishing is in upload_finish.c,
 * removal in sweep.c. Never renames or replaces: ID.info is made last, so an upload is there when
 * it is. */
#include "files/uploads.h"

#include "base/clock.h"
#include "files/disk.h"
#include "files/upload.h"
#include "files/upload_record.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

void sw_upload_info_done(struct sw_upload_info *info)
{
    if (!info)
        return;
    sw_buf_done(&info->name);
    *info = (struct sw_upload_info){0};
}

void sw_upload_close(struct sw_upload **p)
{
    struct sw_upload *upload = TAKE(*p);
    if (!upload)
        return;
    sw_fd_close(&upload->data_fd);
    sw_fd_close(&upload->sum_fd);
    sw_fd_close(&upload->info_fd);
    sw_fd_close(&upload->dir_fd);
    sw_sums_destroy(&upload->sums);
    sw_buf_done(&upload->entries);
    sw_upload_info_done(&upload->info);
    sw_release(upload);
}

static void upload_destroy(struct sw_upload **p)
{
    sw_upload_close(p);
}

static struct sw_upload *upload_new(int uploads_fd)
{
    struct sw_upload *upload = sw_alloc(1, sizeof *upload);
    upload->data_fd = upload->sum_fd = upload->info_fd = -1;
    upload->dir_fd = fcntl(uploads_fd, F_DUPFD_CLOEXEC, 0);
    upload->sums = sw_sums_new();
    return upload;
}

static int open_files(struct sw_upload *upload, const char *id, int flags)
{
    char name[UPLOAD_NAME_ROOM];
    if (upload->dir_fd < 0)
        return -EMFILE;
    upload_name(id, "", name);
    upload->data_fd = disk_open(upload->dir_fd, name, O_RDWR | flags, DISK_MODE_UPLOAD);
    if (upload->data_fd < 0)
        return upload->data_fd;
    upload_name(id, ".sum", name);
    upload->sum_fd = disk_open(upload->dir_fd, name, O_RDWR | flags, DISK_MODE_UPLOAD);
    return SW_MIN(upload->sum_fd, 0);
}

static int open_info(struct sw_upload *upload, const char *id, int flags)
{
    char name[UPLOAD_NAME_ROOM];
    upload_name(id, ".info", name);
    upload->info_fd = disk_open(upload->dir_fd, name, O_RDWR | flags, DISK_MODE_UPLOAD);
    if (upload->info_fd < 0)
        return upload->info_fd;
    if (flock(upload->info_fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    return 0;
}

static int make_id(char *ret_id)
{
    uint8_t random[SW_UPLOAD_ID_SIZE / 2];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return -EIO;
    for (size_t i = 0; i < SW_UPLOAD_ID_SIZE; i++)
        ret_id[i] = "0123456789abcdef"[random[i / 2] >> (i % 2 ? 0 : 4) & 15];
    ret_id[SW_UPLOAD_ID_SIZE] = 0;
    return 0;
}

static int make_durable(struct sw_upload *upload)
{
    /* The record last: what a crash leaves without a whole one is swept. */
    int r = open_info(upload, upload->info.id, O_CREAT | O_EXCL);
    if (r == 0)
        r = upload_record_write(upload->info_fd, &upload->info, upload->sequence);
    if (r == 0)
        r = disk_sync(upload->info_fd);
    return r < 0 ? r : sw_dir_sync(upload->dir_fd);
}

int sw_upload_create(int uploads_fd, struct sw_upload_info *info, struct sw_upload **ret)
{
    if (info->name.size > SW_NAME_MAX ||
        (info->name.size && memchr(info->name.data, 0, info->name.size)) || info->mode > 07777 ||
        !memchr(info->owner, 0, sizeof info->owner))
        return -EINVAL;
    AUTO(upload) struct sw_upload *upload = upload_new(uploads_fd);
    int r = make_id(upload->info.id);
    if (r < 0)
        return r;
    memcpy(info->id, upload->info.id, sizeof info->id);
    info->offset = 0;
    info->complete = false;
    info->touched_ms = info->created_ms;
    upload->info = *info;
    upload->info.name = (struct sw_buf){0};
    sw_buf_put(&upload->info.name, info->name.data, info->name.size);
    r = open_files(upload, upload->info.id, O_CREAT | O_EXCL);
    if (r == 0)
        r = make_durable(upload);
    if (r < 0) {
        upload_unlink(uploads_fd, info->id);
        return r;
    }
    *ret = TAKE(upload);
    return 0;
}

/* Cuts data and sums back to the recorded offset: what came after it was never acknowledged. */
static int resume(struct sw_upload *upload)
{
    uint64_t size, offset = upload->info.offset;
    int r = disk_size(upload->data_fd, &size);
    if (r < 0)
        return r;
    upload->received = offset;
    if (size < offset)
        return -EBADMSG;
    if (upload->info.complete)
        return 0; /* jobs may hold links to it: not a byte changes any more */
    if (size > offset && ftruncate(upload->data_fd, (off_t)offset) < 0)
        return -errno;
    return sw_sums_resume(upload->sums, upload->data_fd, upload->sum_fd, offset);
}

int sw_upload_open(int uploads_fd, const char *id, struct sw_upload **ret)
{
    if (!upload_id_valid(id))
        return -ENOENT;
    AUTO(upload) struct sw_upload *upload = upload_new(uploads_fd);
    int r = open_info(upload, id, 0);
    if (r == 0)
        r = upload_record_read(upload->info_fd, id, &upload->info, &upload->sequence);
    if (r == -EBADMSG)
        return -ENOENT; /* half-made: nobody was told of it */
    if (r == 0)
        r = open_files(upload, id, 0);
    if (r == 0)
        r = resume(upload);
    if (r < 0)
        return r;
    *ret = TAKE(upload);
    return 0;
}

const struct sw_upload_info *sw_upload_info(const struct sw_upload *upload)
{
    return &upload->info;
}

uint64_t sw_upload_received(const struct sw_upload *upload)
{
    return upload->received;
}

int sw_upload_append(struct sw_upload *upload, const void *p, size_t n)
{
    if (upload->broken)
        return -EIO;
    if (upload->info.complete || n > upload->info.length - upload->received)
        return -EFBIG;
    if (n > INT64_MAX - upload->received)
        return -EFBIG;
    int r = sw_pwrite_all(upload->data_fd, p, n, upload->received);
    if (r < 0) {
        /* Whole or not at all: the caller may try these bytes again when there is room. */
        if (ftruncate(upload->data_fd, (off_t)upload->received) < 0)
            upload->broken = true;
        return r;
    }
    sw_sums_feed(upload->sums, p, n);
    upload->received += n;
    return 0;
}

int sw_upload_sync(struct sw_upload *upload)
{
    if (upload->broken)
        return -EIO;
    if (upload->info.complete)
        return 0;
    /* After a failed sync the kernel may call lost pages clean: nothing later can be trusted. */
    upload->broken = true;
    int r = disk_sync(upload->data_fd);
    if (r == 0)
        r = sw_sums_write(upload->sums, upload->sum_fd);
    if (r == 0)
        r = disk_sync(upload->sum_fd);
    if (r < 0)
        return r;
    upload->info.offset = upload->received;
    r = upload_record(upload);
    upload->broken = r < 0;
    return r;
}

int upload_record(struct sw_upload *upload)
{
    upload->info.touched_ms = sw_wall_ms();
    int r = upload_record_slot(upload->info_fd, &upload->info, ++upload->sequence);
    return r < 0 ? r : disk_sync(upload->info_fd);
}

int sw_upload_stat(int uploads_fd, const char *id, struct sw_upload_info *ret_info)
{
    if (!upload_id_valid(id))
        return -ENOENT;
    char name[UPLOAD_NAME_ROOM];
    upload_name(id, ".info", name);
    AUTO_FD int fd = disk_open(uploads_fd, name, O_RDONLY, 0);
    if (fd < 0)
        return fd;
    uint64_t sequence;
    int r = upload_record_read(fd, id, ret_info, &sequence);
    return r == -EBADMSG ? -ENOENT : r;
}
