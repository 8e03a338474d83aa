/* Reads STATE/gateway/broker.key. Called by the broker's link at start; says how it is made. */
#include "broker_keys.h"

#include "base/own.h"

#include <errno.h>
#include <stdio.h>

#define KEY_FILE "broker.key"

int broker_keys_read(const struct options *options, struct sw_keys *ret, struct sw_err *err)
{
    AUTO_BUF struct sw_buf path = {0};
    sw_buf_printf(&path, "%s/gateway/" KEY_FILE, options->state);
    int r = sw_keys_read((char *)path.data, ret, err);
    if (r == -ENOENT)
        return sw_fail(err, ENOENT,
                       "no key for the broker; make it: shadow-broker --state DIR --add-peer "
                       "gateway:gateway:DIR/gateway/" KEY_FILE);
    if (r == 0 && !ret->server_key[0])
        return sw_fail(err, EINVAL, "gateway/" KEY_FILE " lacks the broker's public key");
    return r;
}
