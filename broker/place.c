/* Which store a name means, and taking it for oneself. Called by the tools and, for the mark of a
 * half copy, at start; lists jobs and writes no row. */
#include "broker/place.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define NAME_MAX_BYTES 4096
#define PAGE           1000 /* jobs that are listed at a time */
#define HALF           "half_copied"

/* The first line: a URI with a password must not be on a command line. */
static int read_name(const char *path, struct sw_buf *ret, struct sw_err *err)
{
    int r = sw_file_read(AT_FDCWD, path, NAME_MAX_BYTES, ret);
    if (r < 0)
        return sw_fail(err, -r, "%s: %s", path, strerror(-r));
    sw_buf_put(ret, "", 1);
    ret->data[strcspn((char *)ret->data, "\r\n")] = '\0';
    return 0;
}

int place_of(const char *state, const char *name, struct place *ret, struct sw_err *err)
{
    AUTO_BUF struct sw_buf text = {0};
    struct sw_buf where = {0};
    int r = 0;
    if (*name == '@')
        r = read_name(name + 1, &text, err);
    else
        sw_buf_text(&text, name);
    if (r < 0)
        return r;
    name = (const char *)text.data;
    *ret = (struct place){.ops = sw_store_for(name, err)};
    if (!ret->ops)
        return -EINVAL;
    if (!strcmp(name, "sqlite"))
        sw_buf_printf(&where, "%s/store.sqlite", state);
    else
        sw_buf_text(&where, name);
    ret->where = sw_buf_take_text(&where);
    return 0;
}

void place_close(struct place *place)
{
    struct sw_store *store = TAKE(place->store);
    if (store)
        place->ops->close(store);
}

void place_done(struct place *place)
{
    place_close(place);
    sw_text_destroy(&place->where);
}

int place_read(struct place *place, struct sw_err *err)
{
    return place->ops->open(place->where, false, &place->store, err);
}

int place_claim(struct place *place, struct sw_err *err)
{
    int r = place->ops->open(place->where, true, &place->store, err);
    if (r == 0)
        r = place->ops->claim(place->store, &place->epoch, err);
    if (r < 0)
        place_close(place);
    return r;
}

struct page {
    uint64_t jobs[PAGE];
    size_t n;
};

static int on_listed(void *arg, const struct sw_row *row)
{
    struct page *page = arg;
    page->jobs[page->n++] = row->of.job.job;
    return 0;
}

int place_jobs(struct place *place, uint64_t before, int (*fn)(void *arg, uint64_t job), void *arg)
{
    struct sw_job_query query = {.before = before, .limit = PAGE};
    struct page page;
    int r;
    do {
        page.n = 0;
        r = place->ops->jobs(place->store, &query, on_listed, &page);
        for (size_t i = 0; r == 0 && i < page.n; i++)
            r = fn(arg, page.jobs[i]);
        query.before = page.n ? page.jobs[page.n - 1] : 0;
    } while (r == 0 && page.n == PAGE && query.before > 1);
    return r;
}

int place_mark(struct place *place, bool half)
{
    return place->ops->meta_put(place->store, HALF, half ? "1" : "0", 1);
}

int place_whole(const struct sw_store_ops *ops, struct sw_store *store, struct sw_err *err)
{
    AUTO_BUF struct sw_buf half = {0};
    int r = ops->meta_get(store, HALF, &half);
    if (r < 0)
        return sw_fail(err, -r, "store: cannot be read: %s", strerror(-r));
    if (half.size && half.data[0] == '1')
        return sw_fail(err, EBADMSG, "store: a copy that was not finished: make it again");
    return 0;
}
