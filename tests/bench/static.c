/* An HTTP server that gives one file's bytes from memory, whatever is asked: what libmicrohttpd can
 * do at best with the answers of the REST line. Usage: static FILE. Prints its port, then answers
 * until its standard input ends. */
#include "base/io.h"

#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum MHD_Result handle(void *arg,
                              struct MHD_Connection *connection,
                              const char *url,
                              const char *method,
                              const char *version,
                              const char *body,
                              size_t *size,
                              void **state)
{
    (void)url, (void)method, (void)version, (void)body, (void)size, (void)state;
    return MHD_queue_response(connection, MHD_HTTP_OK, arg);
}

int main(int argc, char **argv)
{
    AUTO_BUF struct sw_buf bytes = {0};
    if (argc < 2 || sw_file_read(AT_FDCWD, argv[1], (size_t)1 << 20, &bytes) < 0) {
        fprintf(stderr, "usage: static FILE\n");
        return 2;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(bytes.size, bytes.data, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(response, "Content-Type", "application/json");
    struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL, 0,
                                                 NULL, NULL, handle, response, MHD_OPTION_END);
    if (!daemon)
        return 1;
    printf("%u\n", (unsigned)MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    MHD_stop_daemon(daemon);
    MHD_destroy_response(response);
    return 0;
}
