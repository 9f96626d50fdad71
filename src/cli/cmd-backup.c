/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast backup postgresql full.
 */
#include <string.h>

#include "base/error.h"
#include "base/size.h"
#include "cli/commands.h"
#include "cli/words.h"
#include "operation/backup.h"

static struct {
    char *source;
    char *method;
    char **databases;
    int jobs;
    char *compression;
} options;

/* Physical backups are the default of the design and not there yet: say so before anything is done, with the way out. */
static gboolean check_method(const Config *config, GError **error)
{
    const ConfigSource *source =
        config_find_source(config, options.source, "postgresql", NULL, error);
    const char *method;

    if (source == NULL)
        return FALSE;
    method = options.method != NULL ? options.method : source->method;
    if (strcmp(method, "logical") == 0)
        return TRUE;
    if (strcmp(method, "physical") != 0) {
        error_set(error, ERROR_USAGE, "--method: \"%s\" is neither logical nor physical", method);
        return FALSE;
    }
    error_set(error, ERROR_UNSUPPORTED,
              "this version of holdfast makes no physical backups of PostgreSQL%s",
              options.method != NULL ? ""
                                     : ", and physical is the method of a source that names none");
    error_add_hint(error, "say --method logical, or write \"method = logical\" into [source %s]",
                   source->name);
    return FALSE;
}

static void print_result(Output *output, const Manifest *manifest)
{
    g_autofree char *rows = count_format(manifest_rows(manifest));
    g_autofree char *tables = count_format(manifest_tables(manifest));
    g_autofree char *stored = size_format(manifest_stored_size(manifest));
    g_autofree char *plain = size_format(manifest_plain_size(manifest));
    g_autofree char *took = duration_format(manifest_stop(manifest) - manifest_start(manifest));

    output_json(output, manifest_json(manifest));
    output_line(output, "backup %s", manifest_id(manifest));
    output_line(output, "%s tables, %s rows, %s stored (%s before compression), in %s", tables,
                rows, stored, plain, took);
    for (guint i = 0; i < manifest_warning_count(manifest); i++)
        output_warning(output, "%s", manifest_warning(manifest, i));
}

static gboolean run_backup(CommandRun *run, GError **error)
{
    g_autoptr(Progress) progress = progress_new(output_progress, run->output);
    g_autoptr(OperationContext) context = NULL;
    g_autoptr(Manifest) manifest = NULL;
    g_auto(GStrv) databases = NULL;
    BackupRequest request = {.engine = "postgresql", .type = BACKUP_FULL};

    if (!words_check_jobs(options.jobs, error) ||
        !words_split("--databases", options.databases, &databases, error))
        return FALSE;
    context = command_open(run, error);
    if (context == NULL || !check_method(context->config, error))
        return FALSE;
    request.source = options.source;
    request.method = options.method;
    request.databases = (const char *const *)databases;
    request.compression = options.compression;
    request.jobs = (guint)options.jobs;
    if (!operation_backup(context, &request, progress, run->cancellable, &manifest, error))
        return FALSE;
    print_result(run->output, manifest);
    return TRUE;
}

static const GOptionEntry entries[] = {
    {"source", 0, 0, G_OPTION_ARG_FILENAME, &options.source,
     "what to back up; needed where several sources fit", "NAME"},
    {"method", 0, 0, G_OPTION_ARG_FILENAME, &options.method, "logical: through pg_dump", "METHOD"},
    {"databases", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.databases,
     "only these databases: a partial backup", "A,B"},
    {"jobs", 0, 0, G_OPTION_ARG_INT, &options.jobs, "workers at the same time", "N"},
    {"compression", 0, 0, G_OPTION_ARG_FILENAME, &options.compression,
     "codec and level: zstd:3, gzip:1, lz4, none", "SPEC"},
    {NULL},
};

const Command command_backup_postgresql_full = {
    .words = "backup postgresql full",
    .arguments = "",
    .summary = "back up a PostgreSQL server",
    .description =
        "Every database that allows connections, or those of the configuration, with roles and\n"
        "tablespaces, each from one snapshot. Archives stream straight into the repository; rows\n"
        "are counted in the same snapshot. A backup that was interrupted does not exist.",
    .example = "holdfast backup postgresql full --source market --method logical",
    .options = entries,
    .run = run_backup,
};
