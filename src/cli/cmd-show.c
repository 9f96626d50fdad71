/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast show: everything about one backup.
 */
#include <string.h>

#include "base/error.h"
#include "base/size.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/describe.h"
#include "engine/engine.h"

static const CatalogBackup *find_row(GPtrArray *backups, const char *id)
{
    for (guint i = 0; i < backups->len; i++) {
        const CatalogBackup *backup = g_ptr_array_index(backups, i);

        if (strcmp(backup->id, id) == 0)
            return backup;
    }
    return NULL;
}

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

/* What an incremental of TDengine may have missed. */
static void print_unseen(Output *output, const Manifest *manifest)
{
    g_autoptr(json_t) json = manifest_json(manifest);
    const json_t *evidence = json_object_get(json, "evidence"), *entry;
    size_t index;

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
    print_unseen(output, manifest);
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

/* The engine's part. A backup whose engine is not known here still shows its manifest. */
static gboolean read_details(Backup *backup, Output *output, json_t **ret_details, GError **error)
{
    g_autoptr(GError) problem = NULL;
    const Engine *engine = engine_find(manifest_engine(backup_manifest(backup)), &problem);

    if (!repository_has_key(backup_repository(backup))) {
        output_warning(output, "the repository is encrypted and no key was named: what is inside "
                               "the backup is not shown");
        *ret_details = NULL;
        return TRUE;
    }
    if (engine == NULL) {
        output_warning(output, "%s", problem->message);
        *ret_details = NULL;
        return TRUE;
    }
    *ret_details = engine->describe(backup, error);
    return *ret_details != NULL;
}

static gboolean run_show(CommandRun *run, GError **error)
{
    g_autoptr(OperationContext) context = command_open(run, error);
    g_autoptr(GPtrArray) rows = NULL;
    g_autoptr(Backup) backup = NULL;
    g_autoptr(json_t) details = NULL;
    g_autoptr(json_t) tables = NULL;
    const CatalogBackup *row;
    const Manifest *manifest;
    json_t *json;

    if (context == NULL || !catalog_backups(context->catalog, NULL, &rows, error))
        return FALSE;
    backup = backup_open(context->repository, run->arguments[0], error);
    if (backup == NULL || !read_details(backup, run->output, &details, error))
        return FALSE;
    tables = json_incref(json_object_get(details, "tables"));
    manifest = backup_manifest(backup);
    row = find_row(rows, backup_id(backup));
    json = manifest_json(manifest);
    if (row != NULL)
        describe_state(json, row);
    json_object_set(json, "tables", tables != NULL ? tables : json_null());
    if (details != NULL)
        json_object_del(details, "tables");
    json_object_set(json, "details", details != NULL ? details : json_null());
    output_json(run->output, json);
    print_manifest(run->output, manifest, row);
    print_tables(run->output, tables);
    if (output_is_verbose(run->output))
        print_objects(run->output, manifest);
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
