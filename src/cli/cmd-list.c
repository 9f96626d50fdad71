/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast list backups, holdfast list recoveries.
 */
#include <string.h>

#include "base/error.h"
#include "base/size.h"
#include "base/suggest.h"
#include "base/time.h"
#include "cli/commands.h"
#include "operation/describe.h"
#include "repo/record.h"

static struct {
    char *source, *engine, *type, *since, *until, *status;
} options;

/* A word that is none of the known ones would only give an empty list: refuse it instead. */
static gboolean check_word(const char *option, const char *value, const char *const *known,
                           GError **error)
{
    g_autofree char *all = NULL;
    const char *nearest;

    if (value == NULL || g_strv_contains(known, value))
        return TRUE;
    all = g_strjoinv(", ", (char **)known);
    error_set(error, ERROR_USAGE, "%s: \"%s\" is none of %s", option, value, all);
    nearest = suggest_nearest(value, known);
    if (nearest != NULL)
        error_add_hint(error, "did you mean %s?", nearest);
    return FALSE;
}

static gboolean parse_when(const char *option, const char *text, GTimeZone *zone, gint64 *ret_when,
                           GError **error)
{
    if (text == NULL || time_parse(text, zone, ret_when, error))
        return TRUE;
    g_prefix_error(error, "%s: ", option);
    return FALSE;
}

static gboolean fill_filter(const OperationContext *context, CatalogFilter *filter, GError **error)
{
    static const char *const engines[] = {"postgresql", "tdengine", NULL};
    static const char *const types[] = {"full", "incremental", NULL};
    static const char *const states[] = {"good", "damaged", "pinned", NULL};
    GTimeZone *zone = config_time_zone(context->config);

    filter->source = options.source;
    filter->engine = options.engine;
    filter->type = options.type;
    filter->status = options.status;
    return check_word("--engine", options.engine, engines, error) &&
           check_word("--type", options.type, types, error) &&
           check_word("--status", options.status, states, error) &&
           parse_when("--since", options.since, zone, &filter->since, error) &&
           parse_when("--until", options.until, zone, &filter->until, error);
}

static char *status_of(const CatalogBackup *backup)
{
    GString *text = g_string_new(backup->damaged ? "damaged" : "good");

    if (backup->pinned)
        g_string_append(text, ", pinned");
    if (backup->partial)
        g_string_append(text, ", partial");
    if (backup->warnings > 0)
        g_string_append_printf(text, ", %u %s", backup->warnings,
                               backup->warnings == 1 ? "warning" : "warnings");
    return g_string_free(text, FALSE);
}

static void add_row(OutputTable *table, const CatalogBackup *backup)
{
    char **cells = g_new0(char *, 11);
    g_autofree char *verified = describe_time(backup->verified);

    cells[0] = g_strdup(backup->id);
    cells[1] = g_strdup(backup->source != NULL ? backup->source : "");
    cells[2] = g_strdup(backup->type != NULL ? backup->type : "");
    cells[3] = g_strdup(backup->method != NULL ? backup->method : "");
    cells[4] = count_format(backup->tables);
    /* A physical backup knows no rows: 0 would be a lie. */
    cells[5] =
        g_strcmp0(backup->method, "physical") != 0 ? count_format(backup->rows) : g_strdup("-");
    cells[6] = size_format(backup->stored_size);
    cells[7] = duration_format(backup->stop - backup->start);
    cells[8] = g_strdup(verified[0] != '\0' ? verified : "never");
    cells[9] = status_of(backup);
    output_table_add(table, cells);
}

static void print_backups(Output *output, GPtrArray *backups)
{
    static const char *const headings[] = {"BACKUP",   "SOURCE", "TYPE", "METHOD",
                                           "TABLES",   "ROWS",   "SIZE", "TOOK",
                                           "VERIFIED", "STATUS", NULL};
    g_autoptr(OutputTable) table = output_table_new(headings, "llllrrrrll");

    for (guint i = 0; i < backups->len; i++)
        add_row(table, g_ptr_array_index(backups, i));
    if (backups->len == 0)
        output_line(output, "no backups");
    else
        output_table_print(output, table);
    for (guint i = 0; i < backups->len; i++) {
        const CatalogBackup *backup = g_ptr_array_index(backups, i);

        if (backup->damaged && backup->problem != NULL)
            output_line(output, "%s: %s", backup->id, backup->problem);
    }
}

static gboolean run_list_backups(CommandRun *run, GError **error)
{
    g_autoptr(OperationContext) context = command_open(run, error);
    g_autoptr(GPtrArray) backups = NULL;
    CatalogFilter filter = {0};
    json_t *list;

    if (context == NULL || !fill_filter(context, &filter, error) ||
        !catalog_backups(context->catalog, &filter, &backups, error))
        return FALSE;
    list = json_array();
    for (guint i = 0; i < backups->len; i++)
        json_array_append_new(list, describe_backup(g_ptr_array_index(backups, i)));
    output_json(run->output, list);
    print_backups(run->output, backups);
    return TRUE;
}

/* --- Recoveries ------------------------------------------------------------------------------- */

/* A record's time without its fraction; a text that is no time as it is. */
static char *seconds_only(const char *text)
{
    gint64 when;

    return time_parse(text, NULL, &when, NULL) ? describe_time(when) : g_strdup(text);
}

/* Where it went: a directory, or a server and a database's new name. */
static char *where_to(const json_t *record)
{
    const json_t *chosen = json_object_get(record, "options");
    const char *directory = json_get_string(chosen, "target_directory", NULL);
    const char *database = json_get_string(chosen, "to_database", NULL);
    const char *target = json_get_string(record, "target", "");

    if (directory != NULL)
        return g_strdup(directory);
    return database != NULL ? g_strdup_printf("%s: %s", target, database) : g_strdup(target);
}

static void add_recovery(OutputTable *table, const json_t *record)
{
    char **cells = g_new0(char *, 8);
    double seconds = json_number_value(json_object_get(record, "seconds"));

    cells[0] = seconds_only(json_get_string(record, "time", ""));
    cells[1] = g_strdup(json_get_string(record, "backup", ""));
    cells[2] = where_to(record);
    cells[3] = g_strdup(json_get_bool(record, "dry_run", FALSE) ? "dry run" : "restore");
    cells[4] = g_strdup(json_get_string(record, "result", ""));
    cells[5] = duration_format((gint64)(seconds * (double)TIME_SECOND));
    cells[6] = g_strdup_printf("%s@%s", json_get_string(record, "user", "?"),
                               json_get_string(record, "host", "?"));
    output_table_add(table, cells);
}

static gboolean run_list_recoveries(CommandRun *run, GError **error)
{
    static const char *const headings[] = {"TIME",   "BACKUP", "TARGET", "KIND",
                                           "RESULT", "TOOK",   "BY",     NULL};
    g_autoptr(OperationContext) context = command_open(run, error);
    g_autoptr(OutputTable) table = output_table_new(headings, "lllllrl");
    g_autoptr(GPtrArray) records = NULL;
    json_t *list;

    if (context == NULL || !catalog_recoveries(context->catalog, &records, error))
        return FALSE;
    for (guint i = 0; i < records->len; i++) {
        if (!record_open(context->repository, records->pdata[i], error))
            return FALSE;
    }
    list = json_array();
    for (guint i = 0; i < records->len; i++) {
        json_t *record = g_ptr_array_index(records, i);

        json_array_append(list, record);
        add_recovery(table, record);
    }
    output_json(run->output, list);
    if (records->len == 0)
        output_line(run->output, "no recoveries");
    else
        output_table_print(run->output, table);
    return TRUE;
}

static const GOptionEntry entries[] = {
    {"source", 0, 0, G_OPTION_ARG_FILENAME, &options.source, "only backups of this source", "NAME"},
    {"engine", 0, 0, G_OPTION_ARG_FILENAME, &options.engine, "postgresql or tdengine", "NAME"},
    {"type", 0, 0, G_OPTION_ARG_FILENAME, &options.type, "full or incremental", "TYPE"},
    {"since", 0, 0, G_OPTION_ARG_FILENAME, &options.since, "begun at this time or later", "TIME"},
    {"until", 0, 0, G_OPTION_ARG_FILENAME, &options.until, "begun before this time", "TIME"},
    {"status", 0, 0, G_OPTION_ARG_FILENAME, &options.status, "good, damaged or pinned", "STATUS"},
    {NULL},
};

const Command command_list_backups = {
    .words = "list backups",
    .arguments = "",
    .summary = "list the backups, newest first",
    .description = "Times are ISO 8601 (2026-11-22, 2026-11-22T02:00, with Z or an offset for a\n"
                   "zone). Interrupted runs are no backups and are not listed.",
    .example = "holdfast list backups --source market --since 2026-11-01",
    .options = entries,
    .reads_only = TRUE,
    .run = run_list_backups,
};

const Command command_list_recoveries = {
    .words = "list recoveries",
    .arguments = "",
    .summary = "list the restores, dry ones too: who, when, what, where to",
    .example = "holdfast list recoveries --json",
    .reads_only = TRUE,
    .run = run_list_recoveries,
};
