/* What becomes of a job whose verb ends first, and the words for it: a person must learn its id
 * here or never. Called by work.c; waits for nothing longer than HTTP_LAST_MS. */
#include "leave.h"

#include "http.h"
#include "submit.h"

#include <errno.h>

int leave_interrupted(struct ctl *ctl, const char *id, struct sw_err *err)
{
    if (!id)
        say("interrupted before a job was known; `shadowctl jobs` shows whether there is one");
    else if (job_cancel(ctl, id))
        say("interrupted: job %s is cancelled", id);
    else {
        say_json_job(id);
        say("interrupted: job %s could not be cancelled; it goes on: `shadowctl cancel %s`", id,
            id);
    }
    err->text[0] = 0; /* all is said */
    return -EINTR;
}

void leave_unsent(struct ctl *ctl, const char *id, int r)
{
    if (!id || (r != -CTL_ERR_UNREACHABLE && job_cancel(ctl, id)))
        return;
    say_json_job(id);
    say("job %s may lack inputs: `shadowctl job %s` shows it, `shadowctl cancel %s` ends it", id,
        id, id);
}

void leave_running(const char *id)
{
    say_json_job(id);
    say("job %s goes on; `shadowctl wait %s` follows it, `shadowctl result %s -o DIR` fetches it",
        id, id, id);
}
