/* PCRE2 for filter. Bytes, not characters: no UTF, and PCRE2's own tables, which are those of the C
 * locale. The limits make every line's cost finite: 10 million backtracks (PCRE2's default and
 * grep's), 64 MiB. */
#include "kernels/pattern.h"

#include "base/buf.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define MATCH_LIMIT     10000000
#define STACK_BYTES_MIN ((size_t)32 << 10)
#define STACK_BYTES_MAX                                                                            \
    ((size_t)64 << 20)          /* address space; touched only as far as a match needs it */
#define HEAP_KIB_MAX (64 << 10) /* the same for the few patterns that are not compiled */

struct pattern {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    bool jit;
};

/* Texts separated by line feeds as one expression: every byte that could mean something becomes
 * \xHH. */
static void fixed_to_regex(const char *text, size_t size, struct sw_buf *ret_regex)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '\n')
            sw_buf_text(ret_regex, "|");
        else if (c < 0x80 && isalnum(c))
            sw_buf_put(ret_regex, &c, 1);
        else
            sw_buf_printf(ret_regex, "\\x%02x", c);
    }
    sw_buf_put(ret_regex, "", 0);
}

static int compile(const char *text,
                   size_t size,
                   bool fixed,
                   bool ignore_case,
                   pcre2_code **ret_code,
                   struct sw_err *err)
{
    if (!fixed && memchr(text, '\n', size))
        return sw_fail(err, EINVAL,
                       "pattern has a line feed: one expression, or several texts with fixed");
    AUTO_BUF struct sw_buf regex = {0};
    if (fixed)
        fixed_to_regex(text, size, &regex);
    else
        sw_buf_put(&regex, text, size);
    int code = 0;
    size_t at = 0;
    uint32_t options = PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF | (ignore_case ? PCRE2_CASELESS : 0);
    *ret_code = pcre2_compile(regex.data, regex.size, options, &code, &at, NULL);
    if (*ret_code)
        return 0;
    char words[100] = "";
    pcre2_get_error_message(code, (PCRE2_UCHAR *)words, sizeof words);
    return sw_fail(err, EINVAL, "pattern: %s (at byte %zu)", words, at);
}

int pattern_check(const char *text, size_t size, bool fixed, bool ignore_case, struct sw_err *err)
{
    pcre2_code *code = NULL;
    int r = compile(text, size, fixed, ignore_case, &code, err);
    pcre2_code_free(code);
    return r;
}

void pattern_destroy(struct pattern **p)
{
    struct pattern *pattern = *p;
    *p = NULL;
    if (!pattern)
        return;
    pcre2_jit_stack_free(pattern->stack);
    pcre2_match_context_free(pattern->context);
    pcre2_match_data_free(pattern->data);
    pcre2_code_free(pattern->code);
    sw_release(pattern);
}

int pattern_new(const char *text,
                size_t size,
                bool fixed,
                bool ignore_case,
                struct pattern **ret_pattern,
                struct sw_err *err)
{
    AUTO(pattern) struct pattern *p = sw_alloc(1, sizeof *p);
    int r = compile(text, size, fixed, ignore_case, &p->code, err);
    if (r < 0)
        return r;
    p->data = pcre2_match_data_create(1, NULL);
    p->context = pcre2_match_context_create(NULL);
    if (!p->data || !p->context)
        return sw_fail(err, ENOMEM, "no memory for the pattern");
    pcre2_set_match_limit(p->context, MATCH_LIMIT);
    pcre2_set_heap_limit(p->context, HEAP_KIB_MAX);
    size_t jit_bytes =
        0; /* none where there is no JIT, or the pattern cannot have it or says (*NO_JIT) */
    pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
    pcre2_pattern_info(p->code, PCRE2_INFO_JITSIZE, &jit_bytes);
    p->jit = jit_bytes > 0;
    p->stack = p->jit ? pcre2_jit_stack_create(STACK_BYTES_MIN, STACK_BYTES_MAX, NULL) : NULL;
    if (p->jit && !p->stack)
        return sw_fail(err, ENOMEM, "no memory for the pattern");
    pcre2_jit_stack_assign(p->context, NULL, p->stack);
    *ret_pattern = TAKE(p);
    return 0;
}

int pattern_matches(struct pattern *p, const char *line, size_t n, const char **ret_words)
{
    PCRE2_SPTR subject = (PCRE2_SPTR)line;
    int r = p->jit ? pcre2_jit_match(p->code, subject, n, 0, 0, p->data, p->context)
                   : pcre2_match(p->code, subject, n, 0, 0, p->data, p->context);
    if (r >= 0)
        return 1;
    switch (r) {
    case PCRE2_ERROR_NOMATCH:
        return 0;
    case PCRE2_ERROR_NOMEMORY:
        return -ENOMEM;
    case PCRE2_ERROR_MATCHLIMIT:
        *ret_words = "the pattern backtracks too often (over 10 million times)";
        return -EBADMSG;
    case PCRE2_ERROR_JIT_STACKLIMIT:
    case PCRE2_ERROR_HEAPLIMIT:
    case PCRE2_ERROR_DEPTHLIMIT:
        *ret_words = "the pattern needs too much memory (over 64 MiB)";
        return -EBADMSG;
    case PCRE2_ERROR_RECURSELOOP:
        *ret_words = "the pattern calls itself without an end";
        return -EBADMSG;
    default:
        *ret_words = "PCRE2 cannot match it";
        return -EBADMSG;
    }
}

const char *pattern_engine(void)
{
    static _Thread_local char text[40];
    char version[32] = "";
    uint32_t jit = 0;
    pcre2_config(PCRE2_CONFIG_VERSION,
                 version); /* "10.42 2022-12-11": 24 bytes at most by its manual */
    pcre2_config(PCRE2_CONFIG_JIT, &jit);
    snprintf(text, sizeof text, "pcre2 %.*s%s", (int)strcspn(version, " "), version,
             jit ? " jit" : "");
    return text;
}
