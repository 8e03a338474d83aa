/* Aligned columns and single objects on standard output. Called by the verbs that show something;
 * every text is escaped here, so that no name from outside can move the cursor. */
#include "ctl.h"

#include <stdio.h>
#include <string.h>

static size_t width_of(const char *text) /* in characters: near enough for alignment */
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

void table_cell(struct table *table, const char *text)
{
    AUTO_BUF struct sw_buf cell = {0};
    text_escape(&cell, text ? text : "", text ? strlen(text) : 0);
    sw_grow(&table->cells, &table->room, table->n + 1, sizeof *table->cells);
    table->cells[table->n++] = sw_buf_take_text(&cell);
}

void table_number(struct table *table, json_int_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%jd", (intmax_t)number);
    table_cell(table, text);
}

void table_bytes(struct table *table, json_int_t bytes)
{
    AUTO_BUF struct sw_buf text = {0};
    text_bytes(&text, (uint64_t)bytes);
    table_cell(table, (const char *)text.data);
}

void table_print(struct table *table)
{
    size_t widths[16] = {0};
    for (size_t i = 0; i < table->n; i++) {
        size_t *width = &widths[i % table->n_columns];
        *width = SW_MAX(*width, width_of(table->cells[i]));
    }
    for (size_t i = 0; i < table->n; i++) {
        const char *cell = table->cells[i];
        bool last = (i + 1) % table->n_columns == 0;
        int gap = last ? 0 : (int)(widths[i % table->n_columns] - width_of(cell)) + 2;
        printf("%s%*s%s", cell, gap, "", last ? "\n" : "");
    }
    for (size_t i = 0; i < table->n; i++)
        sw_release(table->cells[i]);
    sw_release(table->cells);
    *table = (struct table){0};
}

void show_json(const json_t *object)
{
    say_json_done();
    json_dumpf(object, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    putchar('\n');
}

const char *show_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

json_int_t show_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}
