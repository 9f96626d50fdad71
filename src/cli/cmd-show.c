/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast show: everything about one backup.
 */
#include <string.h>

#include "base/error.h"
#include "base/size.h"
#include "base/time.h"
#include "cli/commands.h"
#include "operation/describe.h"
#include "engine/engine.h"

static void print_field(Output *output, const char *label, const char *text)
{
    if (text != NULL && text[0] != '\0')
        output_line(output, "%-16s %s", label, text);
}

static void print_sizes(Output *output, const Manifest *manifest)
{
    g_autofree char *stored = size_format(manifest_stored_size(manifest));
    g_autofree char *plain = size_format(manifest_plain_size(manifest));
    /* A physical backup knows no rows: 0 would be a lie. */
    gboolean counted = g_strcmp0(manifest_method(manifest), "physical") != 0;
    g_autofree char *rows = counted ? count_format(manifest_rows(manifest)) : g_strdup("-");
    g_autofree char *tables = count_format(manifest_tables(manifest));

    output_line(output, "%-16s %s (%s before compression) in %u objects", "size", stored, plain,
                manifest_object_count(manifest));
    output_line(output, "%-16s %s", "tables", tables);
    output_line(output, "%-16s %s", "rows", rows);
}

static void print_state(Output *output, const Manifest *manifest, const CatalogBackup *row)
{
    g_autofree char *verified = describe_time(row->verified);

    output_line(output, "%-16s %s%s%s%s", "status", row->damaged ? "damaged" : "good",
                row->pinned ? ", pinned" : "", manifest_partial(manifest) ? ", partial" : "",
                row->verified != 0 ? "" : ", not verified yet");
    print_field(output, "verified", verified);
    print_field(output, "problem", row->problem);
}

/* What an incremental of TDengine goes by, and may have missed. */
static void print_evidence(Output *output, const Manifest *manifest)
{
    g_autoptr(json_t) json = manifest_json(manifest);
    const json_t *evidence = json_object_get(json, "evidence"), *entry;
    g_autofree char *used = describe_evidence(json);
    size_t index;

    print_field(output, "evidence", used);

    json_array_foreach(json_object_get(evidence, "cannot_see"), index, entry)
    {
        print_field(output, "cannot see", json_string_value(entry));
    }
}

static void print_manifest(Output *output, const Manifest *manifest, const CatalogBackup *row)
{
    g_autofree char *start = describe_time(manifest_start(manifest));
    g_autofree char *stop = describe_time(manifest_stop(manifest));
    g_autofree char *took = duration_format(manifest_stop(manifest) - manifest_start(manifest));

    print_field(output, "backup", manifest_id(manifest));
    output_line(output, "%-16s %s (%s %s)", "source", manifest_source(manifest),
                manifest_engine(manifest),
                manifest_server_version(manifest) != NULL ? manifest_server_version(manifest) : "");
    output_line(output, "%-16s %s%s%s", "type", backup_type_name(manifest_type(manifest)),
                manifest_method(manifest) != NULL ? ", " : "",
                manifest_method(manifest) != NULL ? manifest_method(manifest) : "");
    print_field(output, "base", manifest_base(manifest));
    print_field(output, "start", start);
    output_line(output, "%-16s %s (%s)", "stop", stop, took);
    print_sizes(output, manifest);
    if (row != NULL)
        print_state(output, manifest, row);
    print_evidence(output, manifest);
    for (guint i = 0; i < manifest_warning_count(manifest); i++)
        print_field(output, "warning", manifest_warning(manifest, i));
}

static void print_tables(Output *output, const json_t *tables)
{
    static const char *const headings[] = {"DATABASE", "TABLE", "ROWS", NULL};
    g_autoptr(OutputTable) table = output_table_new(headings, "llr");
    const json_t *entry;
    gsize index;

    if (json_array_size(tables) == 0)
        return;
    json_array_foreach(tables, index, entry)
    {
        const json_t *rows = json_object_get(entry, "rows");
        char **cells = g_new0(char *, 4);

        cells[0] = g_strdup(json_get_string(entry, "database", ""));
        cells[1] = g_strdup(json_get_string(entry, "name", ""));
        cells[2] =
            json_is_integer(rows) ? count_format((guint64)json_integer_value(rows)) : g_strdup("-");
        output_table_add(table, cells);
    }
    output_line(output, "%s", "");
    output_table_print(output, table);
}

static void print_objects(Output *output, const Manifest *manifest)
{
    static const char *const headings[] = {"OBJECT", "SIZE", "PLAIN", "SHA-256", NULL};
    g_autoptr(OutputTable) table = output_table_new(headings, "lrrl");

    for (guint i = 0; i < manifest_object_count(manifest); i++) {
        const ManifestObject *object = manifest_object(manifest, i);
        char **cells = g_new0(char *, 5);

        cells[0] = g_strdup(object->path);
        cells[1] = size_format(object->size);
        cells[2] = size_format(object->plain_size);
        cells[3] = g_strdup(object->sha256);
        output_table_add(table, cells);
    }
    output_line(output, "%s", "");
    output_table_print(output, table);
}

static gboolean run_show(CommandRun *run, GError **error)
{
    g_autoptr(OperationContext) context = command_open(run, error);
    g_autoptr(GPtrArray) rows = NULL;
    g_autoptr(Backup) backup = NULL;
    g_autoptr(json_t) details = NULL;
    g_autofree char *withheld = NULL;
    CatalogFilter filter = {0};
    const CatalogBackup *row;

    backup = context != NULL ? backup_open(context->repository, run->arguments[0], error) : NULL;
    if (backup == NULL)
        return FALSE;
    filter.id = backup_id(backup);
    if (!catalog_backups(context->catalog, &filter, &rows, error) ||
        !describe_details(backup, &details, &withheld, error))
        return FALSE;
    if (withheld != NULL)
        output_warning(run->output, "%s", withheld);
    row = rows->len > 0 ? g_ptr_array_index(rows, 0) : NULL;
    output_json(run->output, describe_whole(backup, row, details));
    print_manifest(run->output, backup_manifest(backup), row);
    print_tables(run->output, json_object_get(details, "tables"));
    if (output_is_verbose(run->output))
        print_objects(run->output, backup_manifest(backup));
    return TRUE;
}

const Command command_show = {
    .words = "show",
    .arguments = "BACKUP",
    .minimum = 1,
    .maximum = 1,
    .summary = "show what is in a backup",
    .description = "BACKUP is an id, or any beginning or end of one that fits only one backup.\n"
                   "With --verbose every object is listed; --json has everything.",
    .example = "holdfast show 20261122T020000Z-market-full-k3f9",
    .reads_only = TRUE,
    .run = run_show,
};
