/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables for people.
 */
#include <string.h>

#include "cli/output-private.h"

#define GAP 2

struct OutputTable {
    char **headings;
    char *alignment;
    guint columns;
    GPtrArray *rows; /* char **, escaped */
};

OutputTable *output_table_new(const char *const *headings, const char *alignment)
{
    OutputTable *table = g_new0(OutputTable, 1);

    table->headings = g_strdupv((char **)headings);
    table->alignment = g_strdup(alignment);
    table->columns = g_strv_length(table->headings);
    table->rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
    return table;
}

void output_table_free(OutputTable *table)
{
    if (table == NULL)
        return;
    g_strfreev(table->headings);
    g_free(table->alignment);
    g_ptr_array_unref(table->rows);
    g_free(table);
}

void output_table_add(OutputTable *table, char **cells)
{
    g_return_if_fail(g_strv_length(cells) == table->columns);

    for (guint i = 0; cells[i] != NULL; i++) {
        char *escaped = output_escape(cells[i]);

        g_free(cells[i]);
        cells[i] = escaped;
    }
    g_ptr_array_add(table->rows, cells);
}

guint output_width(const char *text)
{
    guint width = 0;

    for (; *text != '\0'; text = g_utf8_next_char(text)) {
        gunichar character = g_utf8_get_char(text);

        if (!g_unichar_iszerowidth(character))
            width += g_unichar_iswide(character) ? 2 : 1;
    }
    return width;
}

static void append_row(GString *text, const OutputTable *table, char **cells, const guint *widths)
{
    gsize start = text->len;

    for (guint i = 0; i < table->columns; i++) {
        guint pad = widths[i] - output_width(cells[i]);

        if (table->alignment[i] == 'r')
            g_string_append_printf(text, "%*s%s", (int)pad, "", cells[i]);
        else
            g_string_append_printf(text, "%s%*s", cells[i], (int)pad, "");
        g_string_append_printf(text, "%*s", GAP, "");
    }
    while (text->len > start && text->str[text->len - 1] == ' ')
        g_string_truncate(text, text->len - 1);
    g_string_append_c(text, '\n');
}

void output_table_print(Output *output, OutputTable *table)
{
    g_autofree guint *widths = g_new0(guint, table->columns);
    g_autoptr(GString) text = g_string_new(NULL);

    if (output->options.json || output->options.quiet)
        return;
    for (guint i = 0; i < table->columns; i++) {
        widths[i] = output_width(table->headings[i]);
        for (guint j = 0; j < table->rows->len; j++) {
            char **cells = g_ptr_array_index(table->rows, j);

            widths[i] = MAX(widths[i], output_width(cells[i]));
        }
    }
    append_row(text, table, table->headings, widths);
    for (guint j = 0; j < table->rows->len; j++)
        append_row(text, table, g_ptr_array_index(table->rows, j), widths);
    g_mutex_lock(&output->mutex);
    output_clear_bar(output);
    fputs(text->str, output->out);
    g_mutex_unlock(&output->mutex);
}
