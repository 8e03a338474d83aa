/* shadowctl: reads the command line and the settings, opens the connection, runs one verb. Owns
 * struct ctl. */
#include "ctl.h"
#include "http.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    struct ctl_flags flags;
    struct call call;
    struct ctl ctl = {0};
    struct sw_err err = {0};

    options_read(argc, argv, &flags, &call);
    interrupt_open();
    int r = config_load(&flags, &ctl, &err);
    if (!r)
        r = http_open(&ctl, &ctl.http, &err);
    enum ctl_exit status = r ? say_failed(r, &err) : call.verb->run(&ctl, &call);
    http_destroy(&ctl.http);
    config_done(&ctl);
    sw_release((void *)call.args);
    sw_release(call.option_names);
    sw_release(call.option_values);
    if (fflush(stdout) || ferror(stdout)) {
        say("standard output: %s", "writing failed");
        status = status ? status : CTL_SOME_FAILED;
    }
    return (int)status;
}
