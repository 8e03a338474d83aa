/* Rules and entries of results in the tests of libshadow/files. */
#ifndef FILES_RESULT_TEST_H
#define FILES_RESULT_TEST_H

#include "files_test.h"

#include "files/result.h"

static inline void add_suffix(void *arg, const char *name, size_t size, struct sw_buf *ret)
{
    sw_buf_put(ret, name, size);
    sw_buf_text(ret, arg);
}

static inline void one_name(void *arg, const char *name, size_t size, struct sw_buf *ret)
{
    (void)name;
    (void)size;
    sw_buf_text(ret, arg);
}

static inline void push(struct sw_result *result, const struct sw_entry *entries, size_t n)
{
    struct sw_manifest manifest = {0};
    for (size_t i = 0; i < n; i++)
        assert_int_equal(sw_manifest_append(&manifest.bytes, &entries[i]), 0);
    assert_int_equal(sw_manifest_parse(&manifest, NULL), 0);
    assert_int_equal(sw_result_add(result, &manifest), 0);
    sw_manifest_done(&manifest); /* what is needed was copied */
}

#endif
