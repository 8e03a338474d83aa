/* The table of options. Called by main. */
#include "options.h"

#include "base/own.h"
#include "proto/brokers.h"

#include <stddef.h>

/* clang-format off */
static const struct sw_config_key keys[] = {
    {"state", SW_CONFIG_TEXT, 0, offsetof(struct options, state), "/var/lib/shadowwork", 0, 0, "DIR",
     "the state folder that it shares with the broker"},
    {"listen", SW_CONFIG_TEXT, 0, offsetof(struct options, listen), "127.0.0.1", 0, 0, "ADDRESS",
     "where it listens; beyond loopback (0.0.0.0, ::) it speaks TLS only"},
    {"port", SW_CONFIG_INT, 0, offsetof(struct options, port), "8420", 1, 65535, "PORT",
     "its port, for HTTP, WebSockets and TLS"},
    {"broker", SW_CONFIG_TEXT, 0, offsetof(struct options, broker), "127.0.0.1:7420", 1, SW_BROKERS_TEXT_MAX,
     "HOST:PORT,...", "the broker's control port; where there are standbys, those of all"},
    {"host", SW_CONFIG_TEXT, 0, offsetof(struct options, host), NULL, 0, 0, "NAME,...",
     "further names and addresses that it answers to, as in the Host header; in its certificate"},
    {"cert", SW_CONFIG_TEXT, 0, offsetof(struct options, cert), NULL, 0, 0, "FILE",
     "one's own certificate in PEM, its chain behind it, instead of one by the gateway's own authority"},
    {"key", SW_CONFIG_TEXT, 0, offsetof(struct options, key), NULL, 0, 0, "FILE",
     "the key to cert, in PEM without a pass phrase; both are read again when they change"},
    {"pages", SW_CONFIG_TEXT, 0, offsetof(struct options, pages), NULL, 0, 0, "DIR",
     "the dashboard's files, where they are not those that were installed"},
    {"add-token", SW_CONFIG_TEXT, SW_CONFIG_COMMAND_LINE, offsetof(struct options, add_token), NULL, 0, 0,
     "ROLE[:NAME]", "make a token (viewer, submitter, device or admin), print it once and end"},
    {"revoke-token", SW_CONFIG_TEXT, SW_CONFIG_COMMAND_LINE, offsetof(struct options, revoke_token), NULL, 0, 0,
     "ID", "revoke a token by its id, as gateway/tokens lists it, and end"},
    {"standby", SW_CONFIG_BOOL, SW_CONFIG_COMMAND_LINE, offsetof(struct options, standby), NULL, 0, 0,
     NULL, "wait while another gateway uses this state folder, then take its place"},
    {"print-routes", SW_CONFIG_BOOL, SW_CONFIG_COMMAND_LINE, offsetof(struct options, print_routes), NULL, 0, 0,
     NULL, "print each route with the least role that may use it, and end"},
};
/* clang-format on */

const struct sw_config_program options_program = {
    .name = "gateway",
    .about = "shadow-gateway: ShadowWork's HTTP interface.",
    .keys = keys,
    .n_keys = SW_COUNT(keys),
};
