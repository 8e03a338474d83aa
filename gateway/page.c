/* Owns the dashboard's files: read once at the start, then served from memory, so that no request
 * ever names a file on disk. Called by main and by the table of routes; knows nothing of what is in
 * them.
 *
 * The build puts NAME.gz beside what shrinks. Files below assets/ carry a hash of their content in
 * their names and never change; index.html names them, and is asked for again each time. */
#include "page.h"

#include "base/io.h"
#include "base/log.h"
#include "base/own.h"
#include "handlers.h"
#include "reply.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#define FILES_MAX 256
#define BYTES_MAX ((size_t)16 << 20) /* of one file: a page that is larger is a mistake */

/* Scripts from here alone; 'wasm-unsafe-eval' is WebAssembly, no eval(). */
#define POLICY                                                                                     \
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "                 \
    "img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "               \
    "form-action 'self'; frame-ancestors 'none'"

struct page_file {
    char *name;                /* "index.html", "assets/index-1a2b3c.js" */
    struct sw_buf plain, gzip; /* gzip.size 0: it has none */
    char tag[20];              /* a number for the content, without quotes */
    UT_hash_handle hh;
};

struct page {
    struct page_file *files;
    unsigned n;
};

static void file_destroy(struct page_file **file)
{
    if (!*file)
        return;
    sw_buf_done(&(*file)->plain);
    sw_buf_done(&(*file)->gzip);
    sw_release((*file)->name);
    sw_release(*file);
    *file = NULL;
}

void page_destroy(struct page **page)
{
    struct page_file *file, *next;
    if (!*page)
        return;
    HASH_ITER(hh, (*page)->files, file, next)
    {
        HASH_DEL((*page)->files, file);
        file_destroy(&file);
    }
    sw_release(*page);
    *page = NULL;
}

/* FNV-1a: tells versions of a file apart; nobody has to trust it. */
static uint64_t number_of(const struct sw_buf *content)
{
    uint64_t number = 14695981039346656037U;
    for (size_t i = 0; i < content->size; i++)
        number = (number ^ content->data[i]) * 1099511628211U;
    return number;
}

static int read_file(struct page *page, int fd, const char *folder, const char *name)
{
    char with_gz[NAME_MAX + 8];
    size_t n = strlen(name);
    if (n > 3 && strcmp(name + n - 3, ".gz") == 0)
        return 0; /* comes with its original */
    if (page->n++ == FILES_MAX)
        return -EFBIG;
    struct page_file *file = sw_alloc(1, sizeof *file);
    AUTO_BUF struct sw_buf path = {0};
    sw_buf_printf(&path, "%s%s", folder, name);
    file->name = sw_buf_take_text(&path);
    HASH_ADD_KEYPTR(hh, page->files, file->name, strlen(file->name), file);
    int r = sw_file_read(fd, name, BYTES_MAX, &file->plain);
    if (r < 0)
        return r;
    snprintf(file->tag, sizeof file->tag, "%016jx", (uintmax_t)number_of(&file->plain));
    snprintf(with_gz, sizeof with_gz, "%s.gz", name);
    r = sw_file_read(fd, with_gz, BYTES_MAX, &file->gzip);
    return r == -ENOENT ? 0 : r;
}

/* The files of one folder; takes the descriptor. Folders in it are not entered. */
static int read_folder(struct page *page, int fd, const char *folder)
{
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int r = 0;
    if (!dir)
        return -errno;
    for (struct dirent *entry; r == 0 && (entry = readdir(dir));) {
        struct stat what;
        if (fstatat(fd, entry->d_name, &what, 0) == 0 && S_ISREG(what.st_mode))
            r = read_file(page, fd, folder, entry->d_name);
    }
    closedir(dir);
    return r;
}

static int read_all(struct page *page, const char *path)
{
    AUTO_FD int fd = open(path, O_DIRECTORY | O_CLOEXEC | O_RDONLY);
    if (fd < 0)
        return -errno;
    int r = read_folder(page, openat(fd, ".", O_DIRECTORY | O_CLOEXEC | O_RDONLY), "");
    if (r < 0)
        return r;
    r = read_folder(page, openat(fd, "assets", O_DIRECTORY | O_CLOEXEC | O_RDONLY), "assets/");
    return r == -ENOENT ? 0 : r;
}

static void place_of_build(char *path, size_t room)
{
    ssize_t n = readlink("/proc/self/exe", path, room - 1);
    path[n < 0 ? 0 : n] = '\0';
    char *last = strrchr(path, '/');
    if (last)
        snprintf(last, room - (size_t)(last - path), "/dashboard/page");
}

static bool has_index(const struct page *page)
{
    struct page_file *file;
    HASH_FIND(hh, page->files, "index.html", strlen("index.html"), file);
    return file != NULL;
}

int page_open(struct gateway *g, struct sw_err *err)
{
    char built[PATH_MAX + 32];
    place_of_build(built, sizeof built);
    const char *asked = g->options->pages;
    const char *places[] = {asked ? asked : built, asked ? NULL : PAGES_INSTALLED};
    g->page = sw_alloc(1, sizeof *g->page);
    for (size_t i = 0; i < SW_COUNT(places) && places[i] && !has_index(g->page); i++) {
        int r = read_all(g->page, places[i]);
        if (r < 0 && (asked || (r != -ENOENT && r != -ENOTDIR)))
            return sw_fail(err, -r, "pages %s: %s", places[i], strerror(-r));
    }
    if (asked && !has_index(g->page))
        return sw_fail(err, ENOENT, "pages %s: no index.html in it", asked);
    if (!has_index(g->page))
        sw_log(SW_LOG_NOTICE, "no dashboard: it was built without one");
    return 0;
}

static const char *media_type_of(const char *name)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".ico", "image/x-icon"},
        {".wasm", "application/wasm"},
        {".json", "application/json"},
        {".woff2", "font/woff2"},
        {".webmanifest", "application/manifest+json"},
    };
    const char *ending = strrchr(name, '.');
    for (size_t i = 0; ending && i < SW_COUNT(types); i++) {
        if (strcmp(ending, types[i].ending) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}

/* A list of codings; one refused by `q=0` is rare enough to get the plain file for any `q=`. */
static bool takes_gzip(const struct request *r)
{
    const char *codings = request_header(r, "Accept-Encoding");
    const char *at = codings ? strcasestr(codings, "gzip") : NULL;
    return at && at[strlen("gzip")] != ';';
}

static void serve(struct request *r, const struct page_file *file)
{
    bool packed = file->gzip.size && takes_gzip(r);
    bool forever = strncmp(file->name, "assets/", strlen("assets/")) == 0;
    const struct sw_buf *body = packed ? &file->gzip : &file->plain;
    char tag[32];
    snprintf(tag, sizeof tag, "\"%s%s\"", file->tag, packed ? "-gz" : "");
    const char *known = request_header(r, "If-None-Match");
    bool fresh = known && strstr(known, tag);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        fresh ? 0 : body->size, fresh ? "" : (void *)body->data, MHD_RESPMEM_PERSISTENT);
    if (!response)
        return reply_error(r, REPLY_BUSY, "out of memory");
    reply_header(response, "Content-Type", "%s", media_type_of(file->name));
    reply_header(response, "Content-Security-Policy", "%s", POLICY);
    reply_header(response, "Referrer-Policy", "no-referrer");
    reply_header(response, "Cache-Control", "%s",
                 forever ? "public, max-age=31536000, immutable" : "no-cache");
    reply_header(response, "ETag", "%s", tag);
    reply_header(response, "Vary", "Accept-Encoding");
    if (packed && !fresh)
        reply_header(response, "Content-Encoding", "gzip");
    request_reply(r, fresh ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, response);
}

void page_index(struct request *r)
{
    struct page_file *file;
    HASH_FIND(hh, r->gateway->page->files, "index.html", strlen("index.html"), file);
    if (file)
        serve(r, file);
    else
        reply_error(r, REPLY_NOT_FOUND,
                    "this gateway was built without the dashboard (that needs Node 20.19 and npm); "
                    "the API is at /api, its description at /api/openapi.yaml");
}

void page_asset(struct request *r)
{
    struct page_file *file;
    char name[sizeof "assets/" + ARGUMENT_MAX];
    int n = snprintf(name, sizeof name, "assets/%s", r->argument);
    HASH_FIND(hh, r->gateway->page->files, name, (size_t)n, file);
    if (file)
        serve(r, file);
    else
        reply_error(r, REPLY_NOT_FOUND, "the dashboard has no such file");
}
