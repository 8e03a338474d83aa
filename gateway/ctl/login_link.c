/* The verb `login-link`: an address that logs a browser in, once. The code stands behind the `#`,
 * which a browser keeps to itself: no server, proxy or log gets to see it. */
#include "http.h"
#include "verbs.h"

#include <stdio.h>

enum ctl_exit verb_login_link(struct ctl *ctl, const struct call *call)
{
    AUTO_ANSWER struct http_answer answer = {0};
    AUTO_BUF struct sw_buf link = {0};
    struct sw_err err = {0};
    (void)call;
    int r = http_json(ctl->http, "POST", "/api/login-codes", NULL, &answer, &err);
    if (r)
        return say_failed(r, &err);
    sw_buf_printf(&link, "%s/#login=%s", http_base(ctl->http), show_text(answer.json, "code"));
    const char *text = (const char *)link.data;
    if (ctl->json) {
        json_object_set_new(answer.json, "link", json_string(text));
        show_json(answer.json);
    } else {
        puts(text);
    }
    return CTL_DONE;
}
