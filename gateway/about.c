/* What the gateway says of itself: health, version, its description, the kernels. Called by the
 * table of routes; asks nobody. */
#include "handlers.h"
#include "kernels/kernel.h"
#include "openapi.h"
#include "reply.h"
#include "tls/tls.h"

#include <stdlib.h>
#include <string.h>

void about_health(struct request *r)
{
    reply_json(r, MHD_HTTP_OK, json_object());
}

void about_version(struct request *r)
{
    reply_json(r, MHD_HTTP_OK, json_pack("{s:s}", "version", SHADOW_VERSION));
}

void about_openapi(struct request *r)
{
    reply_static(r, "application/yaml", openapi_yaml, openapi_yaml_size);
}

/* Read before anybody trusts us: shadowctl login, and people with a browser, compare its
 * fingerprint with what the log says. */
void about_ca(struct request *r)
{
    const char *pem = tls_authority_pem(r->gateway);
    if (pem)
        reply_static(r, "application/x-x509-ca-cert", pem, strlen(pem));
    else
        reply_error(r, REPLY_NOT_FOUND,
                    "this gateway's certificate is not by an authority of its own");
}

static json_t *choices_of(const char *choices)
{
    json_t *list = json_array();
    for (const char *at = choices; *at;) {
        size_t n = strcspn(at, " ");
        json_array_append_new(list, json_stringn(at, n));
        at += n + (at[n] == ' ');
    }
    return list;
}

static json_t *fallback_of(const struct sw_param *param)
{
    if (!param->fallback)
        return json_null();
    if (param->type == SW_PARAM_INT)
        return json_integer(strtoll(param->fallback, NULL, 10));
    if (param->type == SW_PARAM_BOOL)
        return json_boolean(strcmp(param->fallback, "true") == 0 ||
                            strcmp(param->fallback, "1") == 0);
    return json_string(param->fallback);
}

static json_t *param_of(const struct sw_param *param)
{
    static const char *const types[] = {[SW_PARAM_INT] = "integer",
                                        [SW_PARAM_BOOL] = "boolean",
                                        [SW_PARAM_TEXT] = "string",
                                        [SW_PARAM_CHOICE] = "string"};
    json_t *object =
        json_pack("{s:s, s:s, s:b, s:o, s:s}", "name", param->name, "type", types[param->type],
                  "required", param->required, "default", fallback_of(param), "help", param->help);
    if (param->type == SW_PARAM_INT) {
        json_object_set_new(object, "min", json_integer(param->min));
        json_object_set_new(object, "max", json_integer(param->max));
    } else if (param->type == SW_PARAM_TEXT) {
        json_object_set_new(object, "maxLength",
                            json_integer((json_int_t)sw_param_text_max(param)));
    } else if (param->type == SW_PARAM_CHOICE) {
        json_object_set_new(object, "choices", choices_of(param->choices));
    }
    return object;
}

/* A rule for people; the names themselves come with each file (`outputName`). */
static json_t *kernel_of(const struct sw_kernel *kernel)
{
    json_t *params = json_array();
    for (size_t i = 0; i < kernel->n_params; i++)
        json_array_append_new(params, param_of(&kernel->params[i]));
    const char *engine = sw_kernel_engine(kernel);
    return json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:o}", "type", kernel->name, "rev",
                     (int)kernel->rev, "title", kernel->title, "help", kernel->help, "engine",
                     engine ? engine : "", "output",
                     kernel->shape == SW_CONCAT ? "concat" : "files", "params", params);
}

void about_types(struct request *r)
{
    json_t *types = json_array();
    for (size_t i = 0; sw_kernels[i]; i++)
        json_array_append_new(types, kernel_of(sw_kernels[i]));
    reply_json(r, MHD_HTTP_OK, json_pack("{s:o}", "types", types));
}
