/* Where the gateway is and what token opens it: command line, else environment, else
 * shadowctl.conf. Owns the settings in struct ctl. Called once by main; never talks to the gateway.
 *
 * ${XDG_CONFIG_HOME:-~/.config}/shadowwork/shadowctl.conf, written by quickstart, holds `key =
 * value` lines: gateway, token-file, ca-file. Paths in it are relative to its folder; without
 * token-file the token is in `token` beside it. */
#include "ctl.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_MAX ((size_t)64 << 10)
#define TOKEN_MAX  ((size_t)4096)

static char *config_folder(void)
{
    AUTO_BUF struct sw_buf path = {0};
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (xdg && xdg[0] == '/')
        sw_buf_printf(&path, "%s/shadowwork", xdg);
    else if (home && home[0])
        sw_buf_printf(&path, "%s/.config/shadowwork", home);
    else
        return NULL;
    return sw_buf_take_text(&path);
}

static char *join(const char *folder, const char *name)
{
    AUTO_BUF struct sw_buf path = {0};
    if (name[0] == '/')
        sw_buf_text(&path, name);
    else
        sw_buf_printf(&path, "%s/%s", folder, name);
    return sw_buf_take_text(&path);
}

static void set_text(char **field, const char *text)
{
    sw_release(*field);
    *field = sw_copy_text(text, strlen(text));
}

static char *trim(char *text)
{
    text += strspn(text, " \t\r\n");
    size_t n = strlen(text);
    while (n && strchr(" \t\r\n", text[n - 1]))
        text[--n] = 0;
    return text;
}

static int
config_line(struct ctl *ctl, const char *folder, char *line, int number, struct sw_err *err)
{
    char *equals = strchr(line, '=');
    char *key = trim(line);
    if (!key[0] || key[0] == '#' || key[0] == ';' || key[0] == '[')
        return 0;
    if (!equals)
        return sw_fail(err, EINVAL, "%s:%d: not `key = value`",
                       text_short(ctl->config_file, CTL_NAME_BYTES).text, number);
    *equals = 0;
    key = trim(line);
    char *value = trim(equals + 1);
    if (!strcmp(key, "gateway"))
        set_text(&ctl->gateway, value);
    else if (!strcmp(key, "token-file")) {
        sw_release(ctl->token_file);
        ctl->token_file = join(folder, value);
    } else if (!strcmp(key, "ca-file")) {
        sw_release(ctl->ca_file);
        ctl->ca_file = join(folder, value);
    } else
        return sw_fail(
            err, EINVAL, "%s:%d: unknown key `%s`; known are gateway, token-file, ca-file",
            text_short(ctl->config_file, CTL_NAME_BYTES).text, number, text_short(key, 30).text);
    return 0;
}

static int config_read(struct ctl *ctl, const char *folder, struct sw_err *err)
{
    AUTO_BUF struct sw_buf text = {0};
    ctl->config_file = join(folder, "shadowctl.conf");
    int r = sw_file_read(AT_FDCWD, ctl->config_file, CONFIG_MAX, &text);
    if (r == -ENOENT || r == -ENOTDIR)
        return 0;
    if (r)
        return sw_fail(err, EINVAL, "%s: %s", text_short(ctl->config_file, CTL_NAME_BYTES).text,
                       strerror(-r));
    ctl->config_found = true;
    ctl->token_file = join(folder, "token");
    int number = 1;
    char *rest = (char *)text.data;
    for (char *line; rest && (line = strsep(&rest, "\n")); number++) {
        r = config_line(ctl, folder, line, number, err);
        if (r)
            return r;
    }
    return 0;
}

/* One of the list, without blanks and slashes around it. */
static int gateway_add(struct sw_buf *list, char *url, struct sw_err *err)
{
    url = trim(url);
    size_t n = strlen(url);
    while (n && url[n - 1] == '/')
        url[--n] = 0;
    if ((strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) ||
        strpbrk(url, " \t"))
        return sw_fail(err, EINVAL,
                       "gateway `%s`: expected http://HOST:PORT or https://…, several "
                       "with commas",
                       text_short(url, CTL_NAME_BYTES).text);
    sw_buf_printf(list, "%s%s", list->size ? "," : "", url);
    return 0;
}

static int gateways_read(struct ctl *ctl, struct sw_err *err)
{
    AUTO_BUF struct sw_buf list = {0};
    char *rest = ctl->gateway;
    size_t n = 0;
    for (char *url; (url = strsep(&rest, ","));) {
        if (n++ == CTL_GATEWAYS_MAX)
            return sw_fail(err, EINVAL, "more than %d gateways are named", CTL_GATEWAYS_MAX);
        int r = gateway_add(&list, url, err);
        if (r)
            return r;
    }
    sw_release(ctl->gateway);
    ctl->gateway = sw_buf_take_text(&list);
    return 0;
}

/* A token file that was named must be readable; the usual place may be empty. */
static int token_read(struct ctl *ctl, bool named, struct sw_err *err)
{
    AUTO_BUF struct sw_buf text = {0};
    int r = ctl->token_file ? sw_file_read(AT_FDCWD, ctl->token_file, TOKEN_MAX, &text) : -ENOENT;
    if (r && named)
        return sw_fail(err, EINVAL, "token file %s: %s",
                       text_short(ctl->token_file, CTL_NAME_BYTES).text, strerror(-r));
    char *token = r || !text.size ? "" : trim((char *)text.data);
    if (!token[0] && !named)
        return 0;
    bool is_good = token[0];
    for (const char *c = token; *c; c++)
        is_good &= *c > ' ' && *c <= '~';
    if (!is_good)
        return sw_fail(err, EINVAL, "token file %s holds no token",
                       text_short(ctl->token_file, CTL_NAME_BYTES).text);
    set_text(&ctl->token, token);
    return 0;
}

int config_load(const struct ctl_flags *flags, struct ctl *ret_ctl, struct sw_err *err)
{
    AUTO(sw_text) char *folder = config_folder();
    const char *gateway = flags->gateway ? flags->gateway : getenv("SHADOW_GATEWAY");
    const char *token_file = flags->token_file ? flags->token_file : getenv("SHADOW_TOKEN_FILE");
    bool named = token_file && token_file[0];

    *ret_ctl = (struct ctl){.json = flags->json};
    int r = folder ? config_read(ret_ctl, folder, err) : 0;
    if (r)
        return r;
    if (gateway && gateway[0])
        set_text(&ret_ctl->gateway, gateway);
    if (!ret_ctl->gateway)
        set_text(&ret_ctl->gateway, "http://127.0.0.1:8420");
    ret_ctl->token_named = named;
    ret_ctl->ca_named = flags->ca_file;
    if (named)
        set_text(&ret_ctl->token_file, token_file);
    if (flags->ca_file)
        set_text(&ret_ctl->ca_file, flags->ca_file);
    r = gateways_read(ret_ctl, err);
    return r ? r : token_read(ret_ctl, named, err);
}

static int store(int folder_fd, const char *name, const char *text, struct sw_err *err)
{
    int r = sw_file_replace(folder_fd, name, text, strlen(text), 0600);
    return r ? sw_fail(err, -r, "%s in ~/.config/shadowwork: %s", name, strerror(-r)) : 0;
}

/* The settings come last: until then they are the old ones. */
int config_store(const char *gateway, const char *token, const char *ca_pem, struct sw_err *err)
{
    AUTO(sw_text) char *folder = config_folder();
    AUTO_BUF struct sw_buf line = {0}, settings = {0};
    if (!folder)
        return sw_fail(err, ENOENT, "neither HOME nor XDG_CONFIG_HOME says where to keep it");
    char *last = strrchr(folder, '/');
    *last = 0;
    sw_dir_make(AT_FDCWD, folder, 0700);
    *last = '/';
    int r = sw_dir_make(AT_FDCWD, folder, 0700);
    AUTO_FD int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r || fd < 0)
        return sw_fail(err, r ? -r : errno, "%s: %s", text_short(folder, CTL_NAME_BYTES).text,
                       strerror(r ? -r : errno));
    sw_buf_printf(&line, "%s\n", token);
    sw_buf_printf(&settings, "gateway = %s\ntoken-file = token\n%s", gateway,
                  ca_pem ? "ca-file = ca.crt\n" : "");
    r = ca_pem ? store(fd, "ca.crt", ca_pem, err) : 0;
    if (!r)
        r = store(fd, "token", (const char *)line.data, err);
    explicit_bzero(line.data, line.size);
    return r ? r : store(fd, "shadowctl.conf", (const char *)settings.data, err);
}

void config_done(struct ctl *ctl)
{
    sw_release(ctl->gateway);
    sw_release(ctl->token_file);
    sw_release(ctl->ca_file);
    sw_release(ctl->config_file);
    if (ctl->token)
        explicit_bzero(ctl->token, strlen(ctl->token));
    sw_release(ctl->token);
    *ctl = (struct ctl){0};
}
