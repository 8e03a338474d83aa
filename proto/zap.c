/* The process's ZAP handler (RFC 27). libzmq lets everyone in when nobody answers, so every ROUTER
 * also refuses messages without a User-Id (link.c). The user id given here is the public key in
 * Z85. */
#include "proto/link.h"

#include <errno.h>
#include <string.h>

#define ZAP_ENDPOINT "inproc://zeromq.zap.01"
#define ZAP_FRAMES   7 /* version, request id, domain, address, identity, mechanism, key */

zsock_t *sw_zap_bind(struct sw_err *err)
{
    zsock_t *zap = zsock_new(ZMQ_REP);
    if (zap && zsock_bind(zap, ZAP_ENDPOINT) < 0)
        zsock_destroy(&zap);
    if (!zap)
        sw_fail(err, errno, "ZAP handler: %s", zmq_strerror(errno));
    return zap;
}

static int take_request(void *zap, char frames[ZAP_FRAMES][256], size_t sizes[ZAP_FRAMES])
{
    int more = 1, n = 0;
    for (; more; n++) {
        char spare[256];
        int size = zmq_recv(zap, n < ZAP_FRAMES ? frames[n] : spare, 255, ZMQ_DONTWAIT);
        if (size < 0)
            return -errno;
        if (n < ZAP_FRAMES) {
            sizes[n] = (size_t)(size > 255 ? 255 : size);
            frames[n][sizes[n]] = 0;
        }
        size_t more_size = sizeof more;
        zmq_getsockopt(zap, ZMQ_RCVMORE, &more, &more_size);
    }
    return n;
}

static void
answer(void *zap, const char *request_id, size_t request_id_size, int status, const char *user)
{
    const char *code = status == 200 ? "200" : status == 300 ? "300" : "400";
    zmq_send(zap, "1.0", 3, ZMQ_SNDMORE);
    zmq_send(zap, request_id, request_id_size, ZMQ_SNDMORE);
    zmq_send(zap, code, 3, ZMQ_SNDMORE);
    zmq_send(zap, "", 0, ZMQ_SNDMORE);
    zmq_send(zap, user, strlen(user), ZMQ_SNDMORE);
    zmq_send(zap, "", 0, 0);
}

void sw_zap_serve(zsock_t *zap, sw_zap_fn *decide, void *arg)
{
    void *handle = zsock_resolve(zap);
    char frames[ZAP_FRAMES][256];
    size_t sizes[ZAP_FRAMES] = {0};
    for (int n; (n = take_request(handle, frames, sizes)) > 0;) {
        char key[SW_KEY_TEXT] = "";
        int status = 400; /* fail closed: anything but a CURVE request of the right shape */
        if (n == ZAP_FRAMES && !strcmp(frames[5], "CURVE") && sizes[6] == 32) {
            zmq_z85_encode(key, (const uint8_t *)frames[6], 32);
            status = decide(arg, key, frames[2]);
        }
        answer(handle, frames[1], sizes[1], status, status == 200 ? key : "");
    }
}
