/* Owns the table of routes. Called by the head check, by --print-routes and so by the tests, which
 * try every route with every role; handles nothing itself. */
#include "routes.h"

#include "handlers.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
#define V ROLE_VIEWER
#define S ROLE_SUBMITTER
#define A ROLE_ADMIN
const struct route routes[] = {
    {"GET",     "/",                 ROLE_NONE, BODY_NONE, page_index, NULL, NULL},
    {"GET",     "/assets/:id",       ROLE_NONE, BODY_NONE, page_asset, NULL, NULL},
    {"GET",     "/healthz",          ROLE_NONE, BODY_NONE, about_health, NULL, NULL},
    {"GET",     "/api/openapi.yaml", ROLE_NONE, BODY_NONE, about_openapi, NULL, NULL},
    {"GET",     "/api/ca.crt",       ROLE_NONE, BODY_NONE, about_ca, NULL, NULL},
    {"GET",     "/api/version",      V, BODY_NONE, about_version, NULL, NULL},
    {"GET",     "/api/types",        V, BODY_NONE, about_types, NULL, NULL},
    {"GET",     "/api/status",       V, BODY_NONE, status_show, NULL, NULL},
    {"GET",     "/metrics",          V, BODY_NONE, metrics_show, NULL, NULL},

    {"GET",     "/api/login",       ROLE_NONE, BODY_NONE, login_show, NULL, NULL},
    {"POST",    "/api/login",       ROLE_NONE, BODY_JSON, login_make, NULL, NULL},
    {"POST",    "/api/logout",      ROLE_NONE, BODY_NONE, login_end, NULL, NULL},
    {"POST",    "/api/login-codes", A, BODY_NONE, login_code, NULL, NULL},
    {"GET",     "/api/tokens",      A, BODY_NONE, tokens_list, NULL, NULL},
    {"POST",    "/api/tokens",      A, BODY_JSON, tokens_post, NULL, NULL},
    {"PATCH",   "/api/tokens/:id",  A, BODY_JSON, tokens_patch, NULL, NULL},
    {"DELETE",  "/api/tokens/:id",  A, BODY_NONE, tokens_delete, NULL, NULL},

    {"POST",    "/api/jobs",            S, BODY_EITHER, submit_any, submit_body_begin, submit_body_piece},
    {"GET",     "/api/jobs",            V, BODY_NONE, jobs_list, NULL, NULL},
    {"GET",     "/api/jobs/:id",        V, BODY_NONE, jobs_get, NULL, NULL},
    {"PATCH",   "/api/jobs/:id",        S, BODY_JSON, jobs_set, NULL, NULL},
    {"DELETE",  "/api/jobs/:id",        S, BODY_NONE, jobs_delete, NULL, NULL},
    {"POST",    "/api/jobs/:id/inputs", S, BODY_JSON, submit_add, NULL, NULL},
    {"POST",    "/api/jobs/:id/seal",   S, BODY_NONE, jobs_seal, NULL, NULL},
    {"POST",    "/api/jobs/:id/cancel", S, BODY_NONE, jobs_cancel, NULL, NULL},
    {"POST",    "/api/jobs/:id/retry",  S, BODY_NONE, jobs_retry, NULL, NULL},
    {"GET",     "/api/jobs/:id/files",  V, BODY_NONE, jobs_files, NULL, NULL},
    {"GET",     "/api/jobs/:id/result", S, BODY_NONE, jobs_result, NULL, NULL},
    {"GET",     "/api/jobs/:id/why",    V, BODY_NONE, jobs_why, NULL, NULL},

    {"GET",     "/api/devices",            V, BODY_NONE, devices_list, NULL, NULL},
    {"GET",     "/api/devices/:id",        V, BODY_NONE, devices_get, NULL, NULL},
    {"POST",    "/api/devices/:id/drain",  A, BODY_NONE, devices_drain, NULL, NULL},
    {"POST",    "/api/devices/:id/resume", A, BODY_NONE, devices_resume, NULL, NULL},

    {"OPTIONS", "/api/uploads",     S, BODY_NONE, tus_options, NULL, NULL},
    {"POST",    "/api/uploads",     S, BODY_STREAM, tus_create, tus_create_begin, tus_piece},
    {"OPTIONS", "/api/uploads/:id", S, BODY_NONE, tus_options, NULL, NULL},
    {"HEAD",    "/api/uploads/:id", S, BODY_NONE, tus_status, NULL, NULL},
    {"PATCH",   "/api/uploads/:id", S, BODY_STREAM, tus_patch, tus_patch_begin, tus_piece},
    {"DELETE",  "/api/uploads/:id", S, BODY_NONE, tus_remove, NULL, NULL},
};
/* clang-format on */
const size_t n_routes = sizeof routes / sizeof *routes;

/* Compares part by part; a part `:id` takes any one part that is not empty. */
static bool
path_matches(const char *pattern, const char *path, const char **ret_part, size_t *ret_n)
{
    *ret_n = 0;
    while (*pattern || *path) {
        if (*pattern == ':') {
            *ret_part = path;
            *ret_n = strcspn(path, "/");
            if (*ret_n == 0)
                return false;
            path += *ret_n;
            pattern += strcspn(pattern, "/");
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return true;
}

static void add_method(char *allow, size_t room, const char *method)
{
    size_t n = strlen(allow);
    snprintf(allow + n, room - n, "%s%s%s", n ? ", " : "", method,
             strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

const struct route *routes_find(const char *method,
                                const char *path,
                                char *ret_argument,
                                size_t argument_room,
                                char *ret_allow,
                                size_t allow_room)
{
    const struct route *as_get = NULL;
    bool head = strcmp(method, "HEAD") == 0;
    ret_allow[0] = '\0';
    for (size_t i = 0; i < n_routes; i++) {
        const char *part = "";
        size_t n;
        if (!path_matches(routes[i].path, path, &part, &n) || n >= argument_room)
            continue;
        memcpy(ret_argument, part, n);
        ret_argument[n] = '\0';
        if (strcmp(routes[i].method, method) == 0)
            return &routes[i];
        if (head && strcmp(routes[i].method, "GET") == 0)
            as_get = &routes[i];
        add_method(ret_allow, allow_room, routes[i].method);
    }
    return as_get;
}
