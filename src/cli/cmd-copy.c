/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast copy: backups into a second repository.
 */
#include "operation/copy.h"

#include <string.h>

#include "base/error.h"
#include "base/size.h"
#include "cli/commands.h"
#include "cli/values.h"
#include "cli/words.h"
#include "repo/key-form.h"

#define DEFAULT_JOBS 2

static struct {
    gboolean all;
    char *to, *key, *source;
    int jobs;
} options;

/* What becomes of each item: printed, kept for --json, and the exit status. */
typedef struct {
    CommandRun *run;
    json_t *items;
} Keeper;

static json_t *item_json(const CopyItem *item)
{
    json_t *damage = json_array();

    for (guint i = 0; i < item->damage->len; i++)
        json_array_append_new(damage, json_text(item->damage->pdata[i]));
    return json_pack("{s:o, s:o, s:s, s:I, s:I, s:I, s:o}", "backup", json_text(item->backup),
                     "archive", json_text(item->archive), "result", copy_state_name(item->state),
                     "objects", (json_int_t)item->objects, "bytes", (json_int_t)item->bytes,
                     "present", (json_int_t)item->present, "damage", damage);
}

static void print_item(Output *output, const CopyItem *item)
{
    const char *name = item->backup != NULL ? item->backup : item->archive;
    g_autofree char *bytes = size_format(item->bytes);

    if (item->state == COPY_PRESENT)
        output_line(output, "%-8s %s", copy_state_name(item->state), name);
    else
        output_line(output,
                    "%-8s %s: %" G_GUINT64_FORMAT " objects, %s; %" G_GUINT64_FORMAT
                    " were there already",
                    copy_state_name(item->state), name, item->objects, bytes, item->present);
    for (guint i = 0; i < item->damage->len; i++) {
        const char *damage = item->damage->pdata[i];

        /* --quiet leaves out what went well. */
        if (output_is_quiet(output) && !output_is_json(output))
            output_warning(output, "%s is damaged: %s", name, damage);
        else
            output_line(output, "         %s", damage);
    }
    if (item->committed && item->damage->len > 0)
        output_line(output,
                    "         it was copied before: delete it there, with a configuration that "
                    "names that repository, and copy it again");
}

static void keep_item(const CopyItem *item, gpointer data)
{
    Keeper *keeper = data;

    print_item(keeper->run->output, item);
    json_array_append_new(keeper->items, item_json(item));
    if (item->state == COPY_DAMAGED)
        keeper->run->exit_status = error_info(ERROR_DAMAGED)->exit_status;
}

static gboolean check(const GOptionEntry *given, char **arguments, const Config *config,
                      GError **error)
{
    const gboolean all = values_switch(given, "all"), named = arguments[0] != NULL;

    if (!words_check_jobs(values_number(given, "jobs"), error))
        return FALSE;
    if (values_text(given, "to") == NULL) {
        error_set(error, ERROR_USAGE, "which repository shall be copied to?");
        error_add_hint(error, "name its directory with --to; holdfast init makes one");
        return FALSE;
    }
    if (all != named && (all || values_text(given, "source") == NULL))
        return TRUE;
    error_set(error, ERROR_USAGE, "%s",
              named ? "a backup alone, or --all, or --all with --source"
                    : "which backup shall be copied?");
    error_add_hint(error, "holdfast copy BACKUP --to DIR, or holdfast copy --all --to DIR");
    return FALSE;
}

static Repository *open_target(GError **error)
{
    g_autofree char *path = g_canonicalize_filename(options.to, NULL);
    g_autoptr(Config) config = config_new_bare(path);
    g_autoptr(KeyForm) form = NULL;
    g_autofree char *absolute = NULL;
    Repository *repository;

    if (options.key != NULL) {
        form = key_form_parse(options.key, error);
        if (form == NULL) {
            g_prefix_error(error, "--to-key: ");
            return NULL;
        }
        absolute = key_form_format(form);
        config_use_key(config, absolute);
    }
    repository = operation_open_repository(config, error);
    if (repository == NULL)
        return NULL;
    if (repository_is_encrypted(repository) && options.key == NULL) {
        error_set(error, ERROR_CONFIG, "no key was named for the repository %s", path);
        error_add_hint(error, "give --to-key");
        repository_unref(repository);
        return NULL;
    }
    return repository;
}

static gboolean run_copy(CommandRun *run, GError **error)
{
    g_autoptr(Progress) progress = progress_new(output_progress, run->output);
    g_autoptr(OperationContext) context = NULL;
    g_autoptr(Repository) target = NULL;
    g_autoptr(json_t) items = json_array();
    Keeper keeper = {.run = run, .items = items};
    CopyRequest request = {.backup_id = run->argument_count > 0 ? run->arguments[0] : NULL,
                           .source = options.source,
                           .jobs = options.jobs > 0 ? (guint)options.jobs : DEFAULT_JOBS,
                           .func = keep_item,
                           .data = &keeper};
    gboolean done;

    context = command_open(run, error);
    target = context != NULL ? open_target(error) : NULL;
    if (target == NULL)
        return FALSE;
    request.target = target;
    done = operation_copy(context, &request, progress, run->cancellable, error);
    output_json(run->output, json_incref(items));
    return done;
}

static const GOptionEntry entries[] = {
    {"all", 0, 0, G_OPTION_ARG_NONE, &options.all, "copy every backup, and the whole WAL archive",
     NULL},
    {"to", 0, 0, G_OPTION_ARG_FILENAME, &options.to, "repository to copy to, initialised before",
     "DIR"},
    {"to-key", 0, 0, G_OPTION_ARG_FILENAME, &options.key,
     "its key: passphrase-file=F, key-file=F or command=CMD", "FORM"},
    {"source", 0, 0, G_OPTION_ARG_FILENAME, &options.source, "with --all: of this source only",
     "NAME"},
    {"jobs", 0, 0, G_OPTION_ARG_INT, &options.jobs, "objects at the same time (2)", "N"},
    {NULL},
};

const Command command_copy = {
    .words = "copy",
    .arguments = "BACKUP | --all",
    .maximum = 1,
    .summary = "copy backups to a second repository",
    .description =
        "Backups keep their ids. Every object is checked against what the backup recorded on its\n"
        "way; a backup with a damaged object is not committed in the copy, and the exit status is\n"
        "3. An interrupted copy goes on when it is run again: what is there is read and hashed\n"
        "before it counts. --all takes the WAL archive along, so that any point in time can be\n"
        "recovered from the copy, with: holdfast restore --repository. Where one of the\n"
        "repositories is encrypted, or both are, everything is sealed anew for the copy.",
    .example = "holdfast copy --all --to /mnt/second/holdfast",
    .options = entries,
    .reads_only = TRUE,
    .check = check,
    .run = run_copy,
};
