/* Whether STATE/jobs is the folder of this store's jobs: both keep one random number, written once.
 * A folder that is not mounted, or another system's, would make every job look damaged and every
 * folder left over. Called by main.c at start and by check.c, as the store's writer, before
 * anything is loaded or swept. */
#include "broker/belong.h"

#include "base/io.h"
#include "base/log.h"
#include "files/files.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define NAME      "system" /* of the file in jobs/, and of the store's mark */
#define NUMBER    16       /* random bytes, as hexadecimal digits and a newline */
#define BYTES_MAX 256

static int on_job_row(void *arg, const struct sw_row *row)
{
    (void)row;
    *(bool *)arg = true;
    return 0;
}

static int on_folder(void *arg, uint64_t job)
{
    (void)job;
    *(bool *)arg = true;
    return 0;
}

/* The folder first: what a crash leaves of it is taken up by mark_store. */
static int mark_both(const struct belonging *place)
{
    AUTO_BUF struct sw_buf number = {0};
    uint8_t random[NUMBER];
    char text[2 * NUMBER + 1];
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(text, sizeof text, random, sizeof random);
    sw_buf_printf(&number, "%s\n", text);
    int r = sw_file_replace(place->jobs_fd, NAME, number.data, number.size, 0640);
    return r < 0 ? r : place->ops->meta_put(place->store, NAME, number.data, number.size);
}

/* The store has a number, the folder none: a new folder is fine where no job needs the old one. */
static int
mark_folder(const struct belonging *place, const struct sw_buf *number, struct sw_err *err)
{
    bool needed = false;
    int r = place->ops->jobs(place->store,
                             &(struct sw_job_query){.unfinished = !place->every, .limit = 1},
                             on_job_row, &needed);
    if (r == 0 && needed)
        return sw_fail(err, ENOENT,
                       "%.60s/jobs is not where the jobs of this store are: the file `" NAME
                       "` is not in it. Is it mounted?",
                       place->state);
    if (r == 0)
        r = sw_file_replace(place->jobs_fd, NAME, number->data, number->size, 0640);
    return r;
}

/* The folder has a number, the store none: an older or a copied store, unless it never had a job
 * while there are some. */
static int
mark_store(const struct belonging *place, const struct sw_buf *number, struct sw_err *err)
{
    struct sw_store *store = place->store;
    uint64_t last = 0;
    bool any = false;
    int r = place->ops->last_job(store, &last);
    if (r == 0 && last == 0)
        r = sw_job_dirs_each(place->jobs_fd, on_folder, &any);
    if (r == 0 && any)
        return sw_fail(err, EEXIST,
                       "%.50s/jobs holds jobs of another store. If that is gone for good, remove "
                       "its file `" NAME "`: then they go",
                       place->state);
    return r < 0 ? r : place->ops->meta_put(store, NAME, number->data, number->size);
}

int jobs_belong(const struct belonging *place, struct sw_err *err)
{
    AUTO_BUF struct sw_buf stored = {0}, found = {0};
    struct sw_store *store = place->store;
    struct sw_err why = {""};
    int r = place->ops->meta_get(store, NAME, &stored);
    if (r == 0)
        r = sw_file_read(place->jobs_fd, NAME, BYTES_MAX, &found);
    if (r == -ENOENT)
        r = 0;
    if (r == 0 && !stored.size && !found.size)
        r = mark_both(place);
    else if (r == 0 && !stored.size)
        r = mark_store(place, &found, &why);
    else if (r == 0 && !found.size)
        r = mark_folder(place, &stored, &why);
    else if (r == 0 &&
             (stored.size != found.size || memcmp(stored.data, found.data, found.size) != 0))
        r = sw_fail(&why, EEXIST,
                    "%.60s/jobs belongs to another system: its file `" NAME
                    "` is not that of this store",
                    place->state);
    if (r < 0 && !why.text[0])
        return sw_fail(err, -r, "%.80s/jobs/" NAME ": %s", place->state, strerror(-r));
    return r < 0 ? sw_fail(err, -r, "%s", why.text) : 0;
}
