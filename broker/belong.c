/* Whether STATE/jobs is the folder of this store's jobs: both keep one random number, written once.
 * A folder that is not mounted, or another system's, would make every job look damaged and every
 * folder left over. Called by main.c at start and by check.c, as the store's writer, before
 * anything is loaded or swept, and by copy.c. */
#include "broker/belong.h"

#include "base/io.h"
#include "base/log.h"
#include "files/files.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define NAME      "system"      /* of the file in jobs/, and of the store's mark */
#define COPIED    "copied_from" /* of a copy's mark: the number of its original */
#define NUMBER    16            /* random bytes, as hexadecimal digits and a newline */
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

static void new_number(struct sw_buf *ret)
{
    uint8_t random[NUMBER];
    char text[2 * NUMBER + 1];
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(text, sizeof text, random, sizeof random);
    sw_buf_printf(ret, "%s\n", text);
}

/* The folder first: what a crash leaves of it is taken up by mark_store. */
static int mark_both(const struct belonging *place)
{
    AUTO_BUF struct sw_buf number = {0};
    new_number(&number);
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

static bool is_same(const struct sw_buf *a, const struct sw_buf *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

/* Both have a number, not the same one: a copy takes over its original's folder. A check leaves it
 * to the broker. */
static int take_over(const struct belonging *place,
                     const struct sw_buf *number,
                     const struct sw_buf *found,
                     struct sw_err *err)
{
    AUTO_BUF struct sw_buf original = {0};
    int r = place->ops->meta_get(place->store, COPIED, &original);
    if (r == 0 && !is_same(&original, found))
        return sw_fail(err, EEXIST,
                       "%.60s/jobs belongs to another system: its file `" NAME
                       "` is not that of this store",
                       place->state);
    if (r == 0 && !place->every)
        r = sw_file_replace(place->jobs_fd, NAME, number->data, number->size, 0640);
    return r;
}

int jobs_belong_to_copy(const struct sw_store_ops *from_ops,
                        struct sw_store *from,
                        const struct sw_store_ops *to_ops,
                        struct sw_store *to)
{
    AUTO_BUF struct sw_buf original = {0}, number = {0};
    int r = from_ops->meta_get(from, NAME, &original);
    if (r < 0 || !original.size)
        return r; /* it never had a folder, or is older: the start marks both */
    new_number(&number);
    r = to_ops->meta_put(to, COPIED, original.data, original.size);
    return r < 0 ? r : to_ops->meta_put(to, NAME, number.data, number.size);
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
    else if (r == 0 && !is_same(&stored, &found))
        r = take_over(place, &stored, &found, &why);
    if (r < 0 && !why.text[0])
        return sw_fail(err, -r, "%.80s/jobs/" NAME ": %s", place->state, strerror(-r));
    return r < 0 ? sw_fail(err, -r, "%s", why.text) : 0;
}
