/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast verify: are all bytes there, and are they what was written?
 */
#include "operation/verify.h"

#include "base/error.h"
#include "cli/commands.h"
#include "cli/values.h"
#include "cli/verify-result.h"
#include "cli/words.h"

static struct {
    gboolean all;
    gboolean objects, structure, deep;
    char *sample;
    char *source;
    int jobs;
} options;

/* What becomes of a report: printed, kept, and the exit status. */
typedef struct {
    CommandRun *run;
    json_t *reports;
} Keeper;

static void keep_report(const VerifyReport *report, gpointer data)
{
    Keeper *keeper = data;

    verify_result_print(keeper->run->output, report);
    json_array_append_new(keeper->reports, verify_report_json(report, NULL));
    if (report->damage->len > 0)
        keeper->run->exit_status = error_info(ERROR_DAMAGED)->exit_status;
}

/* "10%" or "0.1". */
static gboolean parse_sample(double *ret_sample, GError **error)
{
    char *end = NULL;
    double sample;

    *ret_sample = 1;
    if (options.sample == NULL)
        return TRUE;
    sample = g_ascii_strtod(options.sample, &end);
    if (end != options.sample && g_str_equal(end, "%"))
        sample /= 100;
    else if (end == options.sample || *end != '\0')
        sample = 0;
    if (sample > 0 && sample <= 1) {
        *ret_sample = sample;
        return TRUE;
    }
    error_set(error, ERROR_USAGE, "--sample %s: expected a share such as 10%%", options.sample);
    return FALSE;
}

static VerifyRequest make_request(void)
{
    VerifyRequest request = {.level = PROOF_STRUCTURE,
                             .needed = options.structure || options.deep,
                             .jobs = (guint)MAX(options.jobs, 0)};

    if (options.deep)
        request.level = PROOF_DEEP;
    else if (options.objects)
        request.level = PROOF_OBJECTS;
    (void)!parse_sample(&request.sample, NULL); /* it was checked before */
    return request;
}

/* Verifies one backup, prints, keeps the JSON. */
static gboolean verify_one(CommandRun *run, OperationContext *context, const char *id,
                           VerifySeen *seen, json_t *reports, GError **error)
{
    g_autoptr(Progress) progress = progress_new(output_progress, run->output);
    g_autoptr(VerifyReport) report = NULL;
    Keeper keeper = {run, reports};
    VerifyRequest request = make_request();

    request.backup_id = id;
    request.seen = seen;
    request.progress = progress;
    request.cancellable = run->cancellable;
    if (!operation_verify(context, &request, &report, error))
        return FALSE;
    keep_report(report, &keeper);
    return TRUE;
}

/* What belongs to no single backup. */
static gboolean verify_others(CommandRun *run, OperationContext *context, json_t *reports,
                              GError **error)
{
    g_autoptr(Progress) progress = progress_new(output_progress, run->output);
    Keeper keeper = {run, reports};
    const VerifyFollow follow = {.level = make_request().level,
                                 .needed = make_request().needed,
                                 .jobs = (guint)MAX(options.jobs, 0),
                                 .source = options.source,
                                 .progress = progress,
                                 .func = keep_report,
                                 .data = &keeper};

    /* What belongs to no source is left out where one was named. */
    return (options.source != NULL || operation_verify_rest(context, &follow, error)) &&
           operation_verify_archives(context, &follow, run->cancellable, error);
}

/* The ids to verify, oldest first: all of them, or those of one source. */
static gboolean list_ids(OperationContext *context, GPtrArray **ret_ids, GError **error)
{
    const CatalogFilter filter = {.source = options.source};
    g_autoptr(GPtrArray) backups = NULL;
    g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);

    if (options.source == NULL)
        return backup_list(context->repository, ret_ids, error);
    if (!catalog_backups(context->catalog, &filter, &backups, error))
        return FALSE;
    if (backups->len == 0 &&
        config_find_source(context->config, options.source, NULL, NULL, error) == NULL)
        return FALSE;
    for (guint i = backups->len; i > 0; i--)
        g_ptr_array_add(ids, g_strdup(((CatalogBackup *)backups->pdata[i - 1])->id));
    *ret_ids = g_steal_pointer(&ids);
    return TRUE;
}

/* Goes on behind a backup that cannot be looked at, so that damage in the others is found; fails in
 * the end. */
static gboolean verify_all(CommandRun *run, OperationContext *context, json_t *reports,
                           GError **error)
{
    g_autoptr(VerifySeen) seen = verify_seen_new();
    g_autoptr(GPtrArray) ids = NULL;
    g_autoptr(GError) first = NULL;

    if (!list_ids(context, &ids, error))
        return FALSE;
    if (ids->len == 0)
        output_line(run->output, "no backups");
    for (guint i = 0; i < ids->len; i++) {
        g_autoptr(GError) problem = NULL;

        if (verify_one(run, context, g_ptr_array_index(ids, i), seen, reports, &problem))
            continue;
        /* Deleted since the list was made: nothing is wrong with what there is. */
        if (error_is(problem, ERROR_VANISHED) || error_is(problem, ERROR_NOT_FOUND)) {
            output_line(run->output, "gone     %s", (const char *)g_ptr_array_index(ids, i));
            continue;
        }
        if (error_info_of(problem)->code == ERROR_CANCELLED ||
            error_is(problem, ERROR_UNREACHABLE)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        output_warning(run->output, "%s could not be verified: %s",
                       (const char *)g_ptr_array_index(ids, i), problem->message);
        if (first == NULL)
            first = g_steal_pointer(&problem);
    }
    if (!verify_others(run, context, reports, error))
        return FALSE;
    /* Damage that was found says more than a failure to look. */
    if (first != NULL && run->exit_status == 0) {
        g_propagate_error(error, g_steal_pointer(&first));
        return FALSE;
    }
    return TRUE;
}

static gboolean check(const GOptionEntry *given, char **arguments, const Config *config,
                      GError **error)
{
    const gboolean all = values_switch(given, "all");

    if (!words_check_jobs(values_number(given, "jobs"), error))
        return FALSE;
    if (values_switch(given, "objects") + values_switch(given, "structure") +
            values_switch(given, "deep") >
        1) {
        error_set(error, ERROR_USAGE, "--objects, --structure and --deep: one of them, not more");
        return FALSE;
    }
    if (values_text(given, "source") != NULL && !all) {
        error_set(error, ERROR_USAGE, "--source goes with --all");
        return FALSE;
    }
    if (all == (arguments[0] == NULL))
        return TRUE;
    error_set(error, ERROR_USAGE,
              all ? "either a backup or --all, not both" : "which backup shall be verified?");
    error_add_hint(error, "holdfast verify BACKUP, or holdfast verify --all");
    return FALSE;
}

static gboolean run_verify(CommandRun *run, GError **error)
{
    g_autoptr(OperationContext) context = NULL;
    g_autoptr(json_t) reports = json_array();
    double sample;
    gboolean done;

    if (!parse_sample(&sample, error))
        return FALSE;
    context = command_open(run, error);
    if (context == NULL)
        return FALSE;
    if (options.all)
        done = verify_all(run, context, reports, error);
    else
        done = verify_one(run, context, run->arguments[0], NULL, reports, error);
    if (options.all)
        output_json(run->output, json_incref(reports));
    else if (done)
        output_json(run->output, json_incref(json_array_get(reports, 0)));
    return done;
}

static const GOptionEntry entries[] = {
    {"all", 0, 0, G_OPTION_ARG_NONE, &options.all, "verify every backup", NULL},
    {"source", 0, 0, G_OPTION_ARG_FILENAME, &options.source, "with --all: only those of a source",
     "NAME"},
    {"objects", 0, 0, G_OPTION_ARG_NONE, &options.objects, "presence, size and SHA-256 only", NULL},
    {"structure", 0, 0, G_OPTION_ARG_NONE, &options.structure,
     "also indexes, footers, archives and checksums of pages (the default)", NULL},
    {"deep", 0, 0, G_OPTION_ARG_NONE, &options.deep,
     "also every value: decompressed, decoded, hashed, fingerprinted", NULL},
    {"sample", 0, 0, G_OPTION_ARG_FILENAME, &options.sample,
     "read only so many of the objects, others each time; look for the rest", "10%"},
    {"jobs", 0, 0, G_OPTION_ARG_INT, &options.jobs, "objects at the same time (all cores)", "N"},
    {NULL},
};

const Command command_verify = {
    .words = "verify",
    .arguments = "BACKUP | --all",
    .maximum = 1,
    .summary = "read a backup again and check every byte of it",
    .description =
        "Checks that every object is there with the size and SHA-256 that the backup recorded.\n"
        "The level says how much further it goes, and is told with the result:\n"
        "  --objects    no further\n"
        "  --structure  footers and page checksums of Parquet, the contents of archives, packs\n"
        "               and the index over them, the WAL that the backup needs (the default)\n"
        "  --deep       every extent decompressed and hashed, pages of data files, archives run\n"
        "               through pg_restore, every Parquet value decoded, fingerprints made anew\n"
        "--all reads records, keys and leases as well, finds backups that have lost SHA256SUMS,\n"
        "and reads the WAL archives and weighs what is missing there: a hole that a\n"
        "backup or the way on from the newest one needs is damage, an older one a warning that\n"
        "names what it costs. Exit status 3 names each damaged object, what it holds, which\n"
        "backups need it and which do not. The result is kept in the repository: see\n"
        "`holdfast report`.",
    .example = "holdfast verify --all --deep --sample 10%",
    .options = entries,
    .reads_only = TRUE,
    .check = check,
    .run = run_verify,
};
