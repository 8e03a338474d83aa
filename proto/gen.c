/* What other files say about the messages, printed from their descriptors: the TypeScript types in
 * messages.ts and the tables in README.md. Run by `ninja renew` after messages.def changed, and by
 * a test, which fails while the files in the tree are older. Part of no program. */
#include "base/io.h"
#include "proto/message.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define FILE_MAX ((size_t)1 << 20)
#define BEGIN    "<!-- begin: made by proto/gen.c -->\n"
#define END_MARK "<!-- end: made by proto/gen.c -->\n"

/* ---- TypeScript ---- */

static bool is_rendered(const struct sw_record *record)
{
    for (const struct sw_field *field = record->fields; field->name; field++)
        if (*field->json)
            return true;
    return false;
}

/* "chunk_row" as ChunkRow. */
static void put_type_name(struct sw_buf *out, const char *name)
{
    bool upper = true;
    for (; *name; name++) {
        char c = *name;
        if (upper)
            c = (char)toupper((unsigned char)c);
        upper = *name == '_';
        if (!upper)
            sw_buf_put(out, &c, 1);
    }
}

/* As json.c renders each kind. */
static void put_type(struct sw_buf *out, const struct sw_field *field)
{
    static const char *const types[] = {
        [SW_U64] = "number",
        [SW_I64] = "number",
        [SW_F64] = "number",
        [SW_BOOL] = "boolean",
        [SW_TIME] = "string | null",
        [SW_ID] = "string",
        [SW_STR] = "string",
        [SW_OPT] = "string | null",
        [SW_NAME] = "string",
        [SW_JSON] = "Json",
        [SW_MAP] = "Record<string, string | number | boolean>",
        [SW_SUB] = NULL,
    };
    if (field->kind != SW_LIST && field->kind != SW_SUB) {
        sw_buf_text(out, types[field->kind]);
        return;
    }
    put_type_name(out, field->record->name);
    sw_buf_text(out, field->kind == SW_LIST ? "[]" : "");
}

static void put_interface(struct sw_buf *out, const struct sw_record *record)
{
    sw_buf_printf(out, "\n/** %s */\nexport interface ", record->doc);
    put_type_name(out, record->name);
    sw_buf_text(out, " {\n");
    for (const struct sw_field *field = record->fields; field->name; field++) {
        if (!*field->json)
            continue;
        if (*field->doc)
            sw_buf_printf(out, "  /** %s */\n", field->doc);
        sw_buf_printf(out, "  %s: ", field->json);
        put_type(out, field);
        sw_buf_text(out, ";\n");
        if (field->kind == SW_NAME)
            sw_buf_printf(out,
                          "  /** base64, where the name is not UTF-8 */\n  %sBytes?: string;\n",
                          field->json);
    }
    sw_buf_text(out, "}\n");
}

static void typescript(struct sw_buf *out)
{
    sw_buf_text(out, "// Made by proto/gen.c from proto/messages.def: change that, then run\n"
                     "// `ninja -C build-test renew`. Objects as the REST interface shows them.\n\n"
                     "export type Json = null | boolean | number | string | Json[] | "
                     "{ [key: string]: Json };\n\n"
                     "/** The first element of each header on the wire. */\n"
                     "export const codes = {\n");
    for (size_t i = 0; sw_all_records[i]; i++)
        if (sw_all_records[i]->constant)
            sw_buf_printf(out, "  %s: %d,\n", sw_all_records[i]->constant,
                          (int)sw_all_records[i]->type);
    sw_buf_text(out, "} as const;\n\nexport type MessageName = keyof typeof codes;\n");
    for (size_t i = 0; sw_all_records[i]; i++)
        if (is_rendered(sw_all_records[i]))
            put_interface(out, sw_all_records[i]);
}

/* ---- README.md ---- */

static void put_fields(struct sw_buf *out, const struct sw_record *record)
{
    static const char *const kinds[] = {
        [SW_U64] = "u64", [SW_I64] = "i64",  [SW_F64] = "f64",   [SW_BOOL] = "bool",
        [SW_TIME] = "ms", [SW_ID] = "u64",   [SW_STR] = "str",   [SW_OPT] = "str",
        [SW_BIN] = "bin", [SW_NAME] = "bin", [SW_JSON] = "json",
    };
    for (const struct sw_field *field = record->fields; field->name; field++) {
        const char *before = field == record->fields ? "" : ", ";
        if (field->kind == SW_LIST || field->kind == SW_MAP)
            sw_buf_printf(out, "%s`%s` [%s…]", before, field->name, field->record->name);
        else if (field->kind == SW_SUB)
            sw_buf_printf(out, "%s`%s` [%s]", before, field->name, field->record->name);
        else
            sw_buf_printf(out, "%s`%s` %s", before, field->name, kinds[field->kind]);
    }
}

static void tables(struct sw_buf *out)
{
    static const char *const from[] = {[SW_FROM_AGENT] = "agent",
                                       [SW_FROM_CLIENT] = "client",
                                       [SW_FROM_BROKER] = "broker",
                                       [SW_FROM_BOTH] = "both"};
    sw_buf_text(
        out, "| code | message | from | fields, in this order | says |\n|---|---|---|---|---|\n");
    for (size_t i = 0; sw_all_records[i]; i++) {
        const struct sw_record *record = sw_all_records[i];
        if (!record->constant)
            continue;
        sw_buf_printf(out, "| %d | %s | %s | ", (int)record->type, record->constant,
                      from[record->from]);
        put_fields(out, record);
        sw_buf_printf(out, " | %s |\n", record->doc);
    }
    sw_buf_text(out, "\n| record | fields, in this order | is |\n|---|---|---|\n");
    for (size_t i = 0; sw_all_records[i]; i++) {
        if (sw_all_records[i]->constant)
            continue;
        sw_buf_printf(out, "| %s | ", sw_all_records[i]->name);
        put_fields(out, sw_all_records[i]);
        sw_buf_printf(out, " | %s |\n", sw_all_records[i]->doc);
    }
}

/* ---- the files ---- */

/* The README as it is, with new tables between its marks. */
static int readme(int root, struct sw_buf *ret)
{
    AUTO_BUF struct sw_buf now = {0};
    int r = sw_file_read(root, "proto/README.md", FILE_MAX, &now);
    if (r < 0)
        return r;
    char *text = now.data ? (char *)now.data : "";
    char *begin = strstr(text, BEGIN), *end = strstr(text, END_MARK);
    if (!begin || !end || end < begin)
        return -EBADMSG;
    sw_buf_put(ret, text, (size_t)(begin - text) + strlen(BEGIN));
    tables(ret);
    sw_buf_text(ret, end);
    return 0;
}

static int one_file(int root, const char *name, const struct sw_buf *want, bool write)
{
    AUTO_BUF struct sw_buf now = {0};
    int r = sw_file_read(root, name, FILE_MAX, &now);
    if (r < 0 && r != -ENOENT)
        return r;
    if (now.data && want->data && now.size == want->size &&
        memcmp(now.data, want->data, want->size) == 0)
        return 0;
    if (write)
        return sw_file_replace(root, name, want->data, want->size, 0644);
    fprintf(stderr, "%s is older than proto/messages.def: ninja -C build-test renew\n", name);
    return -ESTALE;
}

int main(int argc, char **argv)
{
    bool write = argc == 3 && !strcmp(argv[1], "write");
    if (argc != 3 || (!write && strcmp(argv[1], "check") != 0)) {
        fprintf(stderr, "usage: gen write|check SOURCE-FOLDER\n");
        return 2;
    }
    AUTO_FD int root = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_BUF struct sw_buf types = {0}, text = {0};
    typescript(&types);
    int r = root < 0 ? -errno : readme(root, &text);
    if (r < 0) {
        fprintf(stderr, "gen: proto/README.md: %s\n", strerror(-r));
        return 1;
    }
    int ts = one_file(root, "proto/messages.ts", &types, write);
    int md = one_file(root, "proto/README.md", &text, write);
    for (int i = 0; i < 2; i++)
        if ((r = i ? md : ts) < 0 && r != -ESTALE)
            fprintf(stderr, "gen: %s\n", strerror(-r));
    return ts < 0 || md < 0;
}
