/* SPDX-License-Identifier: Apache-2.0
 *
 * From words to a backup, and telling of the one that was made.
 */
#include "cli/backup-command.h"

#include <string.h>

#include "base/error.h"
#include "base/size.h"
#include "cli/values.h"
#include "cli/verify-result.h"
#include "cli/words.h"
#include "operation/describe.h"

static void print_resumed(Output *output, const Manifest *manifest)
{
    g_autoptr(json_t) json = manifest_json(manifest);
    const json_t *resumed = json_object_get(json, "resumed");
    g_autofree char *bytes = NULL, *of = NULL;

    if (resumed == NULL)
        return;
    bytes = size_format(json_get_uint(resumed, "bytes", 0));
    of = size_format(json_get_uint(resumed, "of", 0));
    output_line(output, "resumed: %s of %s, from the interrupted backup %s", bytes, of,
                json_get_string(resumed, "run", ""));
}

/* What an incremental of TDengine goes by; what it may have missed is told as loudly as that it was
 * made. */
static void print_evidence(Output *output, const Manifest *manifest)
{
    g_autoptr(json_t) json = manifest_json(manifest);
    const json_t *evidence = json_object_get(json, "evidence"), *entry;
    g_autofree char *used = describe_evidence(json);
    size_t index;

    if (used != NULL)
        output_line(output, "evidence: %s", used);
    json_array_foreach(json_object_get(evidence, "cannot_see"), index, entry)
    {
        output_line(output, "cannot see: %s", json_string_value(entry));
    }
}

static void print_backup(Output *output, const Manifest *manifest)
{
    g_autofree char *written = size_format(manifest_pool(manifest).written_bytes);
    gboolean counted = g_strcmp0(manifest_method(manifest), "physical") != 0;
    g_autofree char *rows = count_format(manifest_rows(manifest));
    g_autofree char *counts = counted ? g_strdup_printf(", %s rows", rows) : g_strdup("");
    g_autofree char *tables = count_format(manifest_tables(manifest));
    g_autofree char *stored = size_format(manifest_stored_size(manifest));
    g_autofree char *plain = size_format(manifest_plain_size(manifest));
    g_autofree char *took = duration_format(manifest_stop(manifest) - manifest_start(manifest));

    output_line(output, "backup %s", manifest_id(manifest));
    if (manifest_base(manifest) != NULL)
        output_line(output, "incremental, against %s: %s of it are new", manifest_base(manifest),
                    written);
    print_resumed(output, manifest);
    output_line(output, "%s tables%s, %s stored (%s before compression), in %s", tables, counts,
                stored, plain, took);
    print_evidence(output, manifest);
    for (guint i = 0; i < manifest_warning_count(manifest); i++)
        output_warning(output, "%s", manifest_warning(manifest, i));
}

/* --- verify ----------------------------------------------------------------------------------- */

/* FALSE: off. A source that the configuration does not have takes the default. */
static gboolean wanted_level(const Config *config, const Manifest *manifest, ProofLevel *ret_level)
{
    const ConfigSource *source = config_find_source(config, manifest_source(manifest),
                                                    manifest_engine(manifest), NULL, NULL);

    *ret_level = PROOF_STRUCTURE;
    if (source == NULL || source->verify == NULL)
        return TRUE;
    for (ProofLevel level = PROOF_OBJECTS; level <= PROOF_DEEP; level++) {
        if (strcmp(source->verify, proof_level_name(level)) == 0)
            *ret_level = level;
    }
    return strcmp(source->verify, "off") != 0;
}

static gboolean finish(CommandRun *run, OperationContext *context, const Manifest *manifest,
                       gboolean held, GError **error)
{
    g_autoptr(Progress) progress = progress_new(output_progress, run->output);
    g_autoptr(VerifyReport) report = NULL;
    g_autoptr(GError) problem = NULL;
    json_t *json = manifest_json(manifest);
    VerifyRequest request = {.backup_id = manifest_id(manifest),
                             .held = held,
                             .written = TRUE,
                             .sample = 1,
                             .progress = progress,
                             .cancellable = run->cancellable};
    gboolean wanted = wanted_level(context->config, manifest, &request.level);
    gboolean looked = !wanted || operation_verify(context, &request, &report, &problem);

    json_object_set_new(json, "verify",
                        report != NULL ? verify_report_json(report, NULL) : json_null());
    output_json(run->output, json);
    print_backup(run->output, manifest);
    if (!wanted)
        output_line(run->output, "not verified: verify = off");
    if (report != NULL)
        verify_result_print(run->output, report);
    if (report != NULL && report->damage->len > 0)
        run->exit_status = error_info(ERROR_DAMAGED)->exit_status;
    if (looked)
        return TRUE;
    g_propagate_prefixed_error(error, g_steal_pointer(&problem),
                               "the backup is made, but could not be verified: ");
    return FALSE;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* What stands on the command line is no mistake of the configuration. */
static gboolean check_compression(const char *text, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *why = NULL;
    CompressSpec spec;

    if (text == NULL || compress_spec_parse(text, &spec, &problem))
        return TRUE;
    why = error_text(problem);
    error_set(error, ERROR_USAGE, "--compression: %s", why);
    if (error_hint(problem) != NULL)
        error_add_hint(error, "%s", error_hint(problem));
    return FALSE;
}

gboolean backup_command_check(const GOptionEntry *options, GError **error)
{
    g_auto(GStrv) databases = NULL, tables = NULL;
    guint64 rate;

    return check_compression(values_text(options, "compression"), error) &&
           words_size("--rate", values_text(options, "rate"), &rate, error) &&
           words_check_jobs(values_number(options, "jobs"), error) &&
           words_split("--databases", values_list(options, "databases"), &databases, error) &&
           words_split_patterns("--tables", values_list(options, "tables"), &tables, error);
}

static gboolean take_words(const BackupWords *words, BackupRequest *request, GError **error)
{
    request->source = words->source;
    request->compression = words->compression;
    request->jobs = (guint)words->jobs;
    return words_size("--rate", words->rate, &request->rate, error);
}

gboolean backup_command_run(CommandRun *run, const BackupWords *words, BackupRequest *request,
                            BackupFill fill, GError **error)
{
    g_autoptr(Progress) progress = progress_new(output_progress, run->output);
    g_autoptr(OperationContext) context = NULL;
    g_autoptr(Manifest) manifest = NULL;
    g_autoptr(Lease) hold = NULL;
    g_auto(GStrv) databases = NULL, tables = NULL;

    if (!take_words(words, request, error) ||
        !words_split("--databases", words->databases, &databases, error) ||
        !words_split_patterns("--tables", words->tables, &tables, error))
        return FALSE;
    request->databases = (const char *const *)databases;
    request->tables = (const char *const *)tables;
    context = command_open(run, error);
    if (context == NULL || (fill != NULL && !fill(context->config, request, error)) ||
        !operation_backup(context, request, progress, run->cancellable, &manifest, &hold, error))
        return FALSE;
    return finish(run, context, manifest, hold != NULL, error);
}
