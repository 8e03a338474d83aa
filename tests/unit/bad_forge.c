/* A slot process that lies: records that look right, sent by the kernel behind the back of the code
 * that should send them. Part of the hostile kernels; linked into tests only. */
#include "bad_kernels.h"

#include "agent/slot_wire.h"

#include <stdio.h>
#include <unistd.h>

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* A number that a record may hold: mostly small, sometimes absurd. */
static uint64_t some_number(uint64_t *seed)
{
    static const uint64_t odd[] = {UINT64_MAX, UINT32_MAX, INT64_MAX, 1024, 1025, 16384, 1 << 24};
    uint64_t r = next_random(seed);
    return r % 4 ? r / 4 % 5 : odd[r / 4 % SW_COUNT(odd)];
}

/* Records that look right, about the run that is being worked on. */
void bad_forge(const char *text)
{
    unsigned long long seed, number;
    sscanf(text, "forge %llu %llu", &seed, &number);
    uint64_t random = seed * 2654435761 + 88172645463325252;
    for (uint64_t left = 1 + next_random(&random) % 3; left; left--) {
        struct sw_buf packet = {0};
        for (uint64_t n = 1 + next_random(&random) % 2; n; n--) {
            struct slot_result_record result = {
                .status = next_random(&random) % 3 ? 0 : (uint32_t)some_number(&random),
                .code = (int32_t)some_number(&random),
                .n_segments = (uint32_t)some_number(&random),
                .more = next_random(&random) % 8 == 0,
                .inline_size = (uint32_t)some_number(&random),
                .has_part = next_random(&random) % 4 == 0,
                .part_size = some_number(&random),
            };
            uint64_t body[8];
            for (size_t i = 0; i < SW_COUNT(body); i++)
                body[i] = next_random(&random) % 3 ? 0 : some_number(&random);
            bool is_result = next_random(&random) % 2;
            slot_record_put(&packet, is_result ? SLOT_RESULT : next_random(&random) % 14,
                            next_random(&random) % 8 ? number : some_number(&random), &result,
                            is_result ? sizeof result : 0, body,
                            next_random(&random) % (sizeof body + 1));
        }
        slot_packet_send(SLOT_SOCKET, packet.data, packet.size, -1, 0);
        sw_buf_done(&packet);
    }
    if (next_random(&random) % 2)
        _exit(0);
}
