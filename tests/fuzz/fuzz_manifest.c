/* Any bytes as a manifest on disk: it is parsed or refused with words; what was parsed can be
 * written again. */
#include "fuzz.h"

#include "files/manifest.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sw_manifest manifest = {0};
    struct sw_err err = {0};
    sw_buf_put(&manifest.bytes, data, size);
    if (sw_manifest_parse(&manifest, &err) < 0) {
        assert(err.text[0]);
    } else {
        AUTO_BUF struct sw_buf again = {0};
        for (size_t i = 0; i < manifest.n; i++)
            assert(sw_manifest_append(&again, &manifest.entries[i]) == 0);
    }
    sw_manifest_done(&manifest);
    return 0;
}
