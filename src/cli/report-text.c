/* SPDX-License-Identifier: Apache-2.0
 *
 * Reports for eyes. Both forms come from one list of headings and rows.
 */
#include "cli/report-text.h"

#include <string.h>

#include "base/size.h"
#include "base/time.h"

#define TABLES_SHOWN 1000

typedef struct {
    GString *out;
    gboolean html;
} Page;

static void heading(Page *page, const char *text)
{
    g_autofree char *escaped = g_markup_escape_text(text, -1);

    if (page->html)
        g_string_append_printf(page->out, "</table>\n<h2>%s</h2>\n<table>\n", escaped);
    else
        g_string_append_printf(page->out, "\n%s\n", text);
}

static void row(Page *page, const char *label, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void row(Page *page, const char *label, const char *format, ...)
{
    g_autofree char *text = NULL, *left = NULL, *right = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_strdelimit(text, "\n\r", ' '); /* a name must not look like a line of ours */
    if (!page->html) {
        g_string_append_printf(page->out, "  %-24s %s\n", label, text);
        return;
    }
    left = g_markup_escape_text(label, -1);
    right = g_markup_escape_text(text, -1);
    g_string_append_printf(page->out, "<tr><th>%s</th><td>%s</td></tr>\n", left, right);
}

/* "objects: 12, packs: 3" */
static char *counts_text(const json_t *counts)
{
    GString *text = g_string_new(NULL);
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)counts, key, value)
    {
        g_autofree char *words = g_strdelimit(g_strdup(key), "_", ' ');
        g_autofree char *number = count_format((guint64)json_integer_value(value));

        g_string_append_printf(text, "%s%s: %s", text->len > 0 ? ", " : "", words, number);
    }
    return g_string_free(text, FALSE);
}

static char *number_or(const json_t *record, const char *key, const char *other)
{
    const json_t *value = json_object_get(record, key);

    return json_is_integer(value)
               ? g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value))
               : g_strdup(other);
}

static void add_texts(Page *page, const char *label, const json_t *texts)
{
    json_t *text;
    gsize index;

    json_array_foreach((json_t *)texts, index, text)
    {
        if (json_is_string(text))
            row(page, label, "%s", json_string_value(text));
    }
}

/* "1 row", "5 rows"; NULL where there is no number. */
static char *rows_of(const json_t *table, const char *key)
{
    const json_t *value = json_object_get(table, key);

    return json_is_integer(value)
               ? g_strdup_printf("%" JSON_INTEGER_FORMAT " row%s", json_integer_value(value),
                                 json_integer_value(value) == 1 ? "" : "s")
               : NULL;
}

/* Of a verify, "rows" was recorded; of a drill, "expected". */
static char *tell_rows(const json_t *table)
{
    g_autofree char *expected =
        rows_of(table, json_object_get(table, "expected") != NULL ? "expected" : "rows");
    g_autofree char *found = rows_of(table, "found");

    if (found != NULL && expected != NULL)
        return g_strdup_printf("expected %s, found %s", expected, found);
    if (found != NULL)
        return g_strdup_printf("found %s, none recorded", found);
    return expected != NULL ? g_strdup_printf("%s recorded", expected)
                            : g_strdup("no rows recorded");
}

static void add_tables(Page *page, const json_t *tables)
{
    json_t *table;
    gsize index;

    json_array_foreach((json_t *)tables, index, table)
    {
        g_autofree char *rows = tell_rows(table);
        const char *result = json_get_string(table, "result", NULL);

        if (index == TABLES_SHOWN) {
            row(page, "table", "and %" G_GSIZE_FORMAT " more: see --format json",
                json_array_size(tables) - TABLES_SHOWN);
            return;
        }
        row(page, "table", "%s: %s%s%s", json_get_string(table, "table", "?"), rows,
            result != NULL ? ": " : "", result != NULL ? result : "");
    }
}

/* Of a record of an encrypted repository, where it is not shown whole. */
static void add_sealed(Page *page, const json_t *record)
{
    const char *state = json_get_string(record, "sealed_part", "opened");

    if (strcmp(state, "closed") == 0)
        row(page, "sealed part", "names and texts are shown where the key is named (--key)");
    else if (strcmp(state, "damaged") == 0)
        row(page, "sealed part", "DAMAGED: it does not open; this is what stands in the clear");
}

static void add_common(Page *page, const json_t *record)
{
    double seconds = json_number_value(json_object_get(record, "seconds"));
    g_autofree char *took = duration_format((gint64)(seconds * (double)TIME_SECOND));

    row(page, "result", "%s", json_get_string(record, "result", "unknown"));
    row(page, "when, how long", "%s, %s", json_get_string(record, "time", "?"), took);
    row(page, "by", "%s@%s, holdfast %s", json_get_string(record, "user", "?"),
        json_get_string(record, "host", "?"), json_get_string(record, "tool_version", "?"));
    row(page, "record", "%s, checksum: %s", json_get_string(record, "id", "?"),
        json_get_string(record, "record_checksum", "none"));
    if (json_get_string(record, "message", NULL) != NULL)
        row(page, "message", "%s", json_get_string(record, "message", NULL));
    add_sealed(page, record);
    add_texts(page, "warning", json_object_get(record, "warnings"));
}

static void add_verify(Page *page, const json_t *record)
{
    const json_t *damage = json_object_get(record, "damage");
    g_autofree char *counts = counts_text(json_object_get(record, "counts"));
    double sample = json_number_value(json_object_get(record, "sample"));
    json_t *one;
    gsize index;

    heading(page, "Verification");
    add_common(page, record);
    row(page, "level", "%s, of %s", json_get_string(record, "level", "?"),
        strcmp(json_get_string(record, "scope", "all"), "written") == 0 ? "what the backup wrote"
                                                                        : "all of it");
    if (sample > 0 && sample < 1)
        row(page, "sample", "%.4g%% of the objects", sample * 100);
    row(page, "objects",
        "%" G_GUINT64_FORMAT " read and hashed, %" G_GUINT64_FORMAT " only looked for",
        json_get_uint(record, "objects", 0), json_get_uint(record, "present", 0));
    row(page, "looked at", "%s", counts[0] != '\0' ? counts : "nothing inside the objects");
    json_array_foreach((json_t *)damage, index, one)
    {
        row(page, "damage", "%s: %s; holds %s", json_get_string(one, "object", "?"),
            json_get_string(one, "problem", "?"),
            json_get_string(one, "belongs_to", "it is not known what"));
    }
    add_texts(page, "needs it too", json_object_get(record, "affected"));
    add_texts(page, "does not need it", json_object_get(record, "unaffected"));
    add_tables(page, json_object_get(record, "tables"));
}

static gsize count_differences(const json_t *checked)
{
    gsize count = 0, index;
    json_t *table;

    json_array_foreach((json_t *)checked, index, table)
    {
        const json_t *expected = json_object_get(table, "expected");

        count +=
            json_is_integer(expected) && !json_equal(expected, json_object_get(table, "found"));
    }
    return count;
}

static void add_restore(Page *page, const json_t *record, const char *title)
{
    const json_t *summary = json_object_get(record, "summary");
    double tolerance = json_number_value(json_object_get(record, "tolerance"));
    const json_t *checked = json_object_get(summary, "checked");

    if (checked == NULL)
        checked = json_object_get(summary, "tables"); /* of a drill */
    heading(page, title);
    add_common(page, record);
    row(page, "kind", "%s",
        json_get_bool(record, "dry_run", FALSE) ? "dry run: nothing was written" : "for real");
    row(page, "tolerance", "%.4g%%", tolerance * 100);
    row(page, "pg_amcheck", "%s", json_get_string(summary, "amcheck", "did not run"));
    row(page, "fingerprints", "%s", json_get_string(summary, "fingerprints", "not on record"));
    if (!json_is_array(checked)) {
        row(page, "differences", "%s",
            json_is_integer(checked) ? "the list of tables cannot be shown"
                                     : "rows were not compared");
        return;
    }
    row(page, "differences", "%" G_GSIZE_FORMAT, count_differences(checked));
    add_tables(page, checked);
}

static void add_backup(Page *page, const json_t *report)
{
    const json_t *backup = json_object_get(report, "backup");
    const json_t *conclusion = json_object_get(report, "conclusion");
    g_autofree char *tables = number_or(backup, "table_count", "not known");
    g_autofree char *rows = number_or(backup, "row_count", "not counted");

    row(page, "backup", "%s", json_get_string(backup, "id", "?"));
    row(page, "source", "%s (%s %s)", json_get_string(backup, "source", "?"),
        json_get_string(backup, "engine", "?"), json_get_string(backup, "server_version", "?"));
    row(page, "from, to", "%s, %s", json_get_string(backup, "start", "?"),
        json_get_string(backup, "stop", "?"));
    row(page, "tables, rows", "%s, %s", tables, rows);
    row(page, "status", "%s", json_get_string(conclusion, "status", "?"));
    row(page, "verified", "%s", json_get_string(conclusion, "verified", "never found good"));
    row(page, "drilled", "%s", json_get_string(conclusion, "drilled", "never with success"));
    row(page, "restored", "%s", json_get_string(conclusion, "restored", "never with success"));
    row(page, "made", "%s, holdfast %s", json_get_string(report, "made", "?"),
        json_get_string(report, "tool_version", "?"));
    row(page, "checksum", "%s", json_get_string(report, "checksum", "?"));
    add_texts(page, "warning", json_object_get(backup, "warnings"));
}

static void fill(Page *page, const json_t *report)
{
    json_t *record;
    gsize index;

    add_backup(page, report);
    json_array_foreach(json_object_get(report, "verifications"), index, record)
    {
        add_verify(page, record);
    }
    json_array_foreach(json_object_get(report, "drills"), index, record)
    {
        add_restore(page, record, "Drill");
    }
    json_array_foreach(json_object_get(report, "restores"), index, record)
    {
        add_restore(page, record, "Restore");
    }
}

char *report_to_text(const json_t *report)
{
    Page page = {g_string_new(NULL), FALSE};

    fill(&page, report);
    return g_string_free(page.out, FALSE);
}

char *report_to_html(const json_t *report)
{
    Page page = {g_string_new("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
                              "<meta charset=\"utf-8\">\n<title>Report on a backup</title>\n"
                              "<style>body{font-family:sans-serif;margin:2em}"
                              "th{text-align:left;vertical-align:top;padding-right:2em}"
                              "td{overflow-wrap:anywhere}</style>\n</head>\n<body>\n"
                              "<h1>Report on a backup</h1>\n<table>\n"),
                 TRUE};

    fill(&page, report);
    g_string_append(page.out, "</table>\n</body>\n</html>\n");
    return g_string_free(page.out, FALSE);
}
