/* The limit program's HTTP: a libmicrohttpd server that writes an upload to a file and gives a file
 * by sendfile, and a libcurl client that sends the input files one after another in one body.
 * Called by limit.c; knows nothing of jobs. */
#include "tests/bench/limit.h"

#include "base/io.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES ((size_t)256 << 10) /* of a connection, at both ends */

/* ---- the server ---- */

struct server {
    int in_fd, out_fd;
    sem_t uploaded;
};

static enum MHD_Result give_file(struct server *server, struct MHD_Connection *connection)
{
    struct stat about;
    limit_check(fstat(server->out_fd, &about) < 0 ? -errno : 0, "result");
    int fd = dup(server->out_fd); /* the response closes it */
    lseek(fd, 0, SEEK_SET);
    struct MHD_Response *response = MHD_create_response_from_fd64((uint64_t)about.st_size, fd);
    enum MHD_Result r = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return r;
}

static enum MHD_Result handle(void *arg,
                              struct MHD_Connection *connection,
                              const char *url,
                              const char *method,
                              const char *version,
                              const char *body,
                              size_t *size,
                              void **state)
{
    static int begun;
    struct server *server = arg;
    (void)url, (void)version;
    if (!*state) {
        *state = &begun;
        return MHD_YES;
    }
    if (strcmp(method, "GET") == 0)
        return give_file(server, connection);
    if (*size) {
        limit_check(sw_write_all(server->in_fd, body, *size), "upload");
        *size = 0;
        return MHD_YES;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
    enum MHD_Result r = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    sem_post(&server->uploaded);
    return r;
}

static int open_file(const char *folder, const char *name)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    limit_check(fd < 0 ? -errno : 0, path);
    return fd;
}

static void tell(int events, uint64_t word)
{
    limit_check(sw_write_all(events, &word, sizeof word), "the client ended");
}

void limit_serve(const struct limit *limit, const char *folder, int events, int alive)
{
    struct server server = {.in_fd = open_file(folder, "upload"),
                            .out_fd = open_file(folder, "result")};
    sem_init(&server.uploaded, 0, 0);
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL, 0, NULL, NULL, handle,
                         &server, MHD_OPTION_CONNECTION_MEMORY_LIMIT, BUFFER_BYTES, MHD_OPTION_END);
    limit_check(daemon ? 0 : -EADDRINUSE, "HTTP server");
    tell(events, MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    while (sem_wait(&server.uploaded) < 0)
        ;
    limit_feed_worker(limit, server.in_fd, server.out_fd);
    tell(events, 0);
    char byte;
    while (read(alive, &byte, 1) > 0)
        ;
    MHD_stop_daemon(daemon);
    close(server.in_fd);
    close(server.out_fd);
}

/* ---- the client ---- */

struct source {
    const struct limit *limit;
    size_t next;
    int fd;
};

static size_t read_files(char *p, size_t size, size_t n, void *arg)
{
    struct source *source = arg;
    for (;;) {
        ssize_t got = source->fd < 0 ? 0 : read(source->fd, p, size * n);
        limit_check(got < 0 ? -errno : 0, "input");
        if (got > 0)
            return (size_t)got;
        sw_fd_close(&source->fd);
        if (source->next == source->limit->n_files)
            return 0;
        const char *path = source->limit->files[source->next++];
        source->fd = open(path, O_RDONLY | O_CLOEXEC);
        limit_check(source->fd < 0 ? -errno : 0, path);
    }
}

static size_t write_file(char *p, size_t size, size_t n, void *arg)
{
    limit_check(sw_write_all(*(int *)arg, p, size * n), "output");
    return size * n;
}

static CURL *open_curl(uint64_t port)
{
    char url[64];
    CURL *curl = curl_easy_init();
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", (unsigned)port);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, (long)BUFFER_BYTES);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
    return curl;
}

static void perform(CURL *curl)
{
    CURLcode code = curl_easy_perform(curl);
    limit_check(code == CURLE_OK ? 0 : -EIO, curl_easy_strerror(code));
    curl_easy_cleanup(curl);
}

void limit_upload(const struct limit *limit, uint64_t port)
{
    struct source source = {.limit = limit, .fd = -1};
    CURL *curl = open_curl(port);
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)limit->bytes);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, read_files);
    curl_easy_setopt(curl, CURLOPT_READDATA, &source);
    perform(curl);
}

uint64_t limit_download(const char *folder, uint64_t port)
{
    AUTO_FD int fd = open_file(folder, "download");
    struct stat about;
    CURL *curl = open_curl(port);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, write_file);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &fd);
    perform(curl);
    limit_check(fstat(fd, &about) < 0 ? -errno : 0, "download");
    return (uint64_t)about.st_size;
}
