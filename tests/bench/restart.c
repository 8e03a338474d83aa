/* From kill -9 of a broker with N pending chunks to the first ASSIGN of the next one, and what that
 * broker weighs. Usage: restart BROKER [CHUNKS]. */
#include "tests/bench/fleet.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

int main(int argc, char **argv)
{
    uint32_t n = argc > 2 ? (uint32_t)atoi(argv[2]) : 1000000;
    struct fleet fleet = {.broker = argv[1]};
    char id[FLEET_UPLOAD_ID];
    if (argc < 2 || fleet_start(&fleet) < 0) {
        fprintf(stderr, "usage: restart BROKER [CHUNKS]\n");
        return 2;
    }
    sw_link_start(1);
    zsock_t *client = fleet_peer(&fleet, "gateway", "bench");
    zsock_t *agent = fleet_peer(&fleet, "agent", "bare");
    for (uint32_t left = n, part; left > 0; left -= part) { /* a job has a million at most */
        part = SW_MIN(left, 1000000u);
        fleet_upload(&fleet, part, 16, id);
        fleet_submit(client, id, part);
    }
    kill(fleet.broker_pid, SIGKILL);
    waitpid(fleet.broker_pid, NULL, 0);
    double start = bench_now_s();
    fleet_start_broker(&fleet);
    struct sw_msg_kernel kernel = {.type = sw_str_of("hash"), .rev = 1};
    struct sw_msg_hello hello = {.session = 1,
                                 .serial = 1,
                                 .instance = 1,
                                 .slots = 1,
                                 .chunks = 1,
                                 .bytes = 4096,
                                 .bytes_limit = 4096,
                                 .kernels = &kernel,
                                 .n_kernels = 1};
    const struct sw_message *message = NULL;
    while (!message || message->type != SW_MSG_ASSIGN) {
        if (!message)
            client_say(agent, SW_MSG_HELLO, &hello, NULL, 0); /* again until it is heard */
        message = client_hear(agent, 100);
        if (bench_now_s() - start > 120)
            return 1;
    }
    printf("restart with %u pending chunks\n", n);
    bool bound = n <= 1000000;
    printf("  kill -9 to the first ASSIGN          %10.2f s%s\n", bench_now_s() - start,
           bound ? "   (limit 2)" : "");
    printf("  the broker weighs                    %10.0f MB%s\n",
           (double)bench_rss_bytes(fleet.broker_pid) / 1e6, bound ? "  (limit 200)" : "");
    zsock_destroy(&client);
    zsock_destroy(&agent);
    fleet_stop(&fleet);
    return 0;
}
