/* What the gateway reads of a request by itself: the first byte says whether the rest is an
 * Upload-Metadata header, the JSON of a job or the head of a WebSocket. Each is taken or refused
 * with words; what was taken of metadata is the same when it is written and read again. */
#include "fuzz.h"

#include "base/own.h"
#include "gateway/submission.h"
#include "gateway/tus.h"
#include "gateway/upgrade.h"

#include <assert.h>
#include <string.h>

static void metadata(const char *text)
{
    struct sw_upload_info info = {.mode = 0644}, again = {0};
    struct sw_err err = {""};
    AUTO_BUF struct sw_buf written = {0};
    if (tus_metadata_parse(text, &info, &err) < 0) {
        assert(err.text[0]);
    } else {
        tus_metadata_write(&info, &written);
        assert(tus_metadata_parse((char *)written.data, &again, &err) == 0);
        assert(again.mode == info.mode && again.mtime == info.mtime);
        assert(again.unpack == info.unpack && again.name.size == info.name.size);
        assert(!info.name.size || !memcmp(again.name.data, info.name.data, info.name.size));
    }
    sw_upload_info_done(&info);
    sw_upload_info_done(&again);
}

static void job(const char *text, size_t size)
{
    struct sw_err err = {""};
    json_t *body = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    AUTO(submission) struct submission *submission = submission_new();
    if (json_is_object(body)) {
        int r = submission_from_json(submission, body, &err);
        assert(r == 0 ? submission->kernel != NULL : err.text[0] != 0);
        uint64_t bytes = 0;
        for (size_t i = 0; r == 0 && i < submission->n_inputs; i++)
            bytes += submission->inputs[i].size;
        assert(r < 0 || bytes == submission->payload.size);
    }
    json_decref(body);
}

static void head(const char *text, size_t size)
{
    struct upgrade upgrade;
    const char *words = NULL;
    int status = upgrade_parse(text, size, &upgrade, &words);
    assert(status == 0 ? !words && upgrade.host[0] : words && status >= 400 && status < 500);
    assert(strlen(upgrade.query) < sizeof upgrade.query);
    assert(status || !strpbrk(upgrade.host, "\r\n") || !strpbrk(upgrade.origin, "\r\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    AUTO(sw_text) char *text = sw_copy_text((const char *)data + 1, size - 1);
    if (data[0] & 2)
        head(text, size - 1);
    else if (data[0] & 1)
        metadata(text);
    else
        job(text, size - 1);
    return 0;
}
