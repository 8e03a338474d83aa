/* Packets and records of slot_wire.h, for both ends: the slot in the agent and the slot process.
 * Knows bytes and bounds only; never what a record means. */
#include "slot_wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static size_t padded(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

void slot_record_put(struct sw_buf *packet,
                     enum slot_record_type type,
                     uint64_t run,
                     const void *head,
                     size_t head_size,
                     const void *body,
                     size_t body_size)
{
    size_t size = head_size + body_size;
    struct slot_record record = {.type = type, .size = (uint32_t)size, .run = run};
    uint8_t *p = sw_buf_reserve(packet, sizeof record + padded(size));
    memcpy(p, &record, sizeof record);
    p += sizeof record;
    if (head_size)
        memcpy(p, head, head_size);
    if (body_size)
        memcpy(p + head_size, body, body_size);
    memset(p + size, 0, padded(size) - size);
    packet->size += sizeof record + padded(size);
}

int slot_record_next(const uint8_t *packet,
                     size_t size,
                     size_t *at,
                     struct slot_record *ret_record,
                     const uint8_t **ret_body)
{
    size_t left = size - *at;
    if (left == 0)
        return 0;
    if (left < sizeof *ret_record)
        return -EBADMSG;
    memcpy(ret_record, packet + *at, sizeof *ret_record);
    left -= sizeof *ret_record;
    if (padded(ret_record->size) > left)
        return -EBADMSG;
    *ret_body = packet + *at + sizeof *ret_record;
    *at += sizeof *ret_record + padded(ret_record->size);
    return 1;
}

union control {
    struct cmsghdr head;
    char space[CMSG_SPACE(sizeof(int))];
};

int slot_packet_send(int sock, const void *p, size_t n, int fd, int flags)
{
    struct iovec bytes = {.iov_base = (void *)p, .iov_len = n};
    struct msghdr msg = {.msg_iov = &bytes, .msg_iovlen = 1};
    union control control = {0};
    if (fd >= 0) {
        msg.msg_control = control.space;
        msg.msg_controllen = sizeof control.space;
        struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(head), &fd, sizeof fd);
    }
    ssize_t sent;
    do
        sent = sendmsg(sock, &msg, flags | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

ssize_t slot_packet_receive(int sock, void *p, size_t room, int *ret_fd, int flags)
{
    struct iovec bytes = {.iov_base = p, .iov_len = room};
    union control control = {0};
    struct msghdr msg = {
        .msg_iov = &bytes,
        .msg_iovlen = 1,
        .msg_control = control.space,
        .msg_controllen = sizeof control.space,
    };
    *ret_fd = -1;
    ssize_t got;
    do
        got = recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
    if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
        memcpy(ret_fd, CMSG_DATA(head),
               sizeof *ret_fd); /* the room is for one: more were dropped */
    if (msg.msg_flags & MSG_TRUNC) {
        sw_fd_close(ret_fd);
        return -EMSGSIZE;
    }
    return got;
}

/* ---- SETUP: memory, n, then each text as size and bytes with a NUL ---- */

static void put_text(struct sw_buf *buf, const char *text, size_t size)
{
    uint32_t n = (uint32_t)size;
    sw_buf_put(buf, &n, sizeof n);
    sw_buf_put(buf, text, size);
    sw_buf_put(buf, "", 1);
}

void slot_setup_encode(struct sw_buf *buf, const struct slot_setup *setup)
{
    uint32_t n = (uint32_t)setup->n_params;
    sw_buf_put(buf, &setup->memory_bytes, sizeof setup->memory_bytes);
    sw_buf_put(buf, &n, sizeof n);
    put_text(buf, setup->kernel, strlen(setup->kernel));
    for (size_t i = 0; i < setup->n_params; i++) {
        put_text(buf, setup->params[i].name, strlen(setup->params[i].name));
        put_text(buf, setup->params[i].value, setup->params[i].value_size);
    }
}

static int take(const uint8_t **p, size_t *left, void *ret, size_t n)
{
    if (*left < n)
        return -EBADMSG;
    memcpy(ret, *p, n);
    *p += n;
    *left -= n;
    return 0;
}

static int take_text(const uint8_t **p, size_t *left, const char **ret_text, size_t *ret_size)
{
    uint32_t n;
    if (take(p, left, &n, sizeof n) < 0 || *left <= n || (*p)[n])
        return -EBADMSG;
    *ret_text = (const char *)*p;
    *ret_size = n;
    *p += n + 1;
    *left -= n + 1;
    return 0;
}

int slot_setup_decode(const uint8_t *p, size_t n, struct slot_setup *ret)
{
    struct slot_setup setup = {0};
    uint32_t n_params;
    size_t size;
    if (take(&p, &n, &setup.memory_bytes, sizeof setup.memory_bytes) < 0 ||
        take(&p, &n, &n_params, sizeof n_params) < 0 || n_params > SW_PARAMS_MAX ||
        take_text(&p, &n, &setup.kernel, &size) < 0)
        return -EBADMSG;
    struct sw_param_text *list = sw_alloc(n_params, sizeof *list);
    for (uint32_t i = 0; i < n_params; i++) {
        if (take_text(&p, &n, &list[i].name, &size) < 0 ||
            take_text(&p, &n, &list[i].value, &list[i].value_size) < 0) {
            sw_release(list);
            return -EBADMSG;
        }
    }
    setup.params = list;
    setup.n_params = n_params;
    *ret = setup;
    return 0;
}
