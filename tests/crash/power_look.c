/* What the gateway would find of each upload in a folder: a line `ID OFFSET COMPLETE STATUS`, for
 * test_power_files.py. Opens each as the gateway does, which cuts it to what is recorded, and reads
 * a complete one's manifest and all its bytes against their sums. */
#include "files/checked.h"
#include "files/uploads.h"

#include "base/own.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int read_all(struct sw_checker *checker, int dir_fd, const struct sw_upload_info *info)
{
    static char block[1 << 20];
    char name[64];
    struct sw_manifest manifest = {0};
    struct sw_err err;
    AUTO(sw_checked) struct sw_checked *file = NULL;
    snprintf(name, sizeof name, "%s.manifest", info->id);
    int r = sw_manifest_load(dir_fd, name, &manifest, &err);
    sw_manifest_done(&manifest);
    if (r == 0)
        r = sw_checked_open(checker, dir_fd, info->id, &file);
    for (uint64_t at = 0; r == 0 && at < info->offset; at += sizeof block)
        r = sw_checked_read(file, block, SW_MIN(sizeof block, (size_t)(info->offset - at)), at,
                            &err);
    return r;
}

static void look(struct sw_checker *checker, int dir_fd, const char *id)
{
    struct sw_upload *upload = NULL;
    int r = sw_upload_open(dir_fd, id, &upload);
    if (r == 0) {
        const struct sw_upload_info *info = sw_upload_info(upload);
        if (info->complete)
            r = read_all(checker, dir_fd, info);
        printf("%s %" PRIu64 " %d %d\n", id, info->offset, info->complete, r);
        sw_upload_close(&upload);
    } else if (r != -ENOENT) {
        printf("%s 0 0 %d\n", id, r);
    }
}

int main(int n, char **arguments)
{
    AUTO_FD int fd = n == 2 ? open(arguments[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    DIR *folder = n == 2 ? opendir(arguments[1]) : NULL;
    const struct dirent *entry;
    if (fd < 0 || !folder)
        return 2;
    struct sw_checker *checker = sw_checker_new(2);
    while ((entry = readdir(folder)))
        if (strlen(entry->d_name) == SW_UPLOAD_ID_SIZE + 5 && strstr(entry->d_name, ".info")) {
            char id[SW_UPLOAD_ID_SIZE + 1] = "";
            memcpy(id, entry->d_name, SW_UPLOAD_ID_SIZE);
            look(checker, fd, id);
        }
    closedir(folder);
    sw_checker_destroy(&checker);
    return 0;
}
