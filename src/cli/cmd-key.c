/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast key list, add, remove, rotate, export.
 */
#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "cli/commands.h"
#include "repo/key-cache.h"

/* What every command here works on. */
typedef struct {
    Config *config;
    Repository *repository;
    const Keyring *keyring; /* NULL where none was wanted */
} KeyWork;

static void key_work_clear(KeyWork *work)
{
    g_clear_pointer(&work->config, config_free);
    g_clear_pointer(&work->repository, repository_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KeyWork, key_work_clear)

/* Opens the repository, which must be an encrypted one. */
static gboolean open_work(CommandRun *run, KeyWork *work, GError **error)
{
    work->config = command_config(run, error);
    if (work->config == NULL)
        return FALSE;
    work->repository = operation_open_repository(work->config, error);
    if (work->repository == NULL)
        return FALSE;
    if (repository_is_encrypted(work->repository))
        return TRUE;
    error_set(error, ERROR_REFUSED, "the repository %s is not encrypted: it has no keys",
              store_location(repository_store(work->repository)));
    error_add_hint(error, "make an encrypted one in another directory with: holdfast init "
                          "--encryption, and fill it with: holdfast copy");
    return FALSE;
}

/* The same with the key proven. */
static gboolean unlock_work(CommandRun *run, KeyWork *work, GError **error)
{
    if (!open_work(run, work, error) || !repository_unlock(work->repository, error))
        return FALSE;
    work->keyring = repository_keyring(work->repository, error);
    return work->keyring != NULL;
}

static Store *store_of(const KeyWork *work)
{
    return repository_store(work->repository);
}

/* --- list ------------------------------------------------------------------------------------- */

static json_t *slot_json(const KeySlot *slot)
{
    g_autofree char *created = slot->created != 0 ? time_format(slot->created) : NULL;

    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "id", json_text(slot->id), "form",
                     json_text(slot->form), "kdf", json_text(slot->kdf), "created",
                     json_text(created), "problem", json_text(slot->problem));
}

static void warn_of_damage(CommandRun *run, const GPtrArray *slots)
{
    for (guint i = 0; i < slots->len; i++) {
        const KeySlot *slot = slots->pdata[i];

        if (slot->problem == NULL)
            continue;
        output_warning(run->output, "the key slot %s may open nothing: %s", slot->id,
                       slot->problem);
        run->exit_status = error_info(ERROR_DAMAGED)->exit_status;
    }
}

static gboolean run_key_list(CommandRun *run, GError **error)
{
    static const char *const headings[] = {"SLOT", "KEY", "DERIVED BY", "CREATED", NULL};
    g_auto(KeyWork) work = {0};
    g_autoptr(GPtrArray) slots = NULL;
    g_autoptr(OutputTable) table = output_table_new(headings, "llll");
    json_t *list = json_array();
    guint32 generations;

    if (!open_work(run, &work, error) ||
        !keys_list(store_of(&work), repository_id(work.repository), &slots, &generations, error)) {
        json_decref(list);
        return FALSE;
    }
    for (guint i = 0; i < slots->len; i++) {
        const KeySlot *slot = slots->pdata[i];
        char **cells = g_new0(char *, 5);

        cells[0] = g_strdup(slot->id);
        cells[1] = g_strdup(slot->form);
        cells[2] = g_strdup(slot->kdf);
        cells[3] = slot->created != 0 ? time_format(slot->created) : g_strdup("");
        output_table_add(table, cells);
        json_array_append_new(list, slot_json(slot));
    }
    output_json(run->output, list);
    output_table_print(run->output, table);
    output_line(run->output, "%u data %s", generations, generations == 1 ? "key" : "keys");
    warn_of_damage(run, slots);
    return TRUE;
}

const Command command_key_list = {
    .words = "key list",
    .arguments = "",
    .summary = "show the key slots of an encrypted repository",
    .description = "Each slot holds the repository's master key under one passphrase or key file.\n"
                   "Needs no key.",
    .example = "holdfast key list",
    .reads_only = TRUE,
    .run = run_key_list,
};

/* --- add -------------------------------------------------------------------------------------- */

static gboolean run_key_add(CommandRun *run, GError **error)
{
    g_auto(KeyWork) work = {0};
    g_autoptr(KeyForm) form = key_form_parse(run->arguments[0], error);
    g_autofree char *id = NULL;

    if (form == NULL || !unlock_work(run, &work, error) ||
        !keys_add(store_of(&work), repository_id(work.repository), work.keyring, form, &id, error))
        return FALSE;
    output_json(run->output, json_pack("{s:s}", "id", id));
    output_line(run->output, "added the key slot %s", id);
    return TRUE;
}

const Command command_key_add = {
    .words = "key add",
    .arguments = "FORM",
    .minimum = 1,
    .maximum = 1,
    .summary = "let another key open an encrypted repository",
    .description =
        "FORM is passphrase-file=F, key-file=F or command=CMD, as for holdfast init --encryption.\n"
        "The configuration's key, or --key, proves that you may. No data is touched.",
    .example = "holdfast key add key-file=/root/holdfast.key",
    .reads_only = TRUE,
    .run = run_key_add,
};

/* --- remove ----------------------------------------------------------------------------------- */

/* Whether the key that was named opens nothing any more. */
static gboolean has_lost_its_slot(const KeyWork *work)
{
    g_autoptr(KeyForm) form = operation_key_form(work->config, NULL);
    g_autoptr(Keyring) keyring = NULL;

    if (form == NULL)
        return FALSE;
    keyring = keys_unlock(store_of(work), repository_id(work->repository), form, NULL, NULL);
    return keyring == NULL;
}

static gboolean run_key_remove(CommandRun *run, GError **error)
{
    const char *id = run->arguments[0];
    g_auto(KeyWork) work = {0};

    if (!unlock_work(run, &work, error) ||
        !keys_remove(store_of(&work), repository_id(work.repository), id, error))
        return FALSE;
    key_cache_remove(config_runtime_directory(work.config), repository_id(work.repository));
    output_json(run->output, json_pack("{s:s}", "id", id));
    output_line(run->output, "removed the key slot %s", id);
    output_line(run->output, "%s",
                "whoever has a copy of the slot and its key can still read the repository: the "
                "keys of the data are the same. To lock them out, copy the backups to a new "
                "repository.");
    if (has_lost_its_slot(&work))
        output_warning(run->output,
                       "the key that was named for this repository was in that slot, and opens "
                       "nothing now: name another one");
    return TRUE;
}

const Command command_key_remove = {
    .words = "key remove",
    .arguments = "SLOT",
    .minimum = 1,
    .maximum = 1,
    .summary = "remove a key slot",
    .description =
        "The key of that slot opens the repository no more; the last slot is never removed. It\n"
        "does not revoke what somebody has copied: the data stays sealed by the same keys.",
    .example = "holdfast key remove k3f9a2bc",
    .reads_only = TRUE,
    .run = run_key_remove,
};

/* --- rotate ----------------------------------------------------------------------------------- */

static gboolean run_key_rotate(CommandRun *run, GError **error)
{
    g_auto(KeyWork) work = {0};
    guint32 generation;

    if (!unlock_work(run, &work, error) ||
        !keys_rotate(store_of(&work), repository_id(work.repository), work.keyring, &generation,
                     error))
        return FALSE;
    output_json(run->output, json_pack("{s:I}", "generation", (json_int_t)generation));
    output_line(run->output,
                "what is written from now on is sealed by data key %u; the older ones stay for "
                "reading",
                generation);
    return TRUE;
}

const Command command_key_rotate = {
    .words = "key rotate",
    .arguments = "",
    .summary = "make a new data key for what is written next",
    .description =
        "The old data keys are kept, since what they sealed is still to be read. All "
        "slots open the\n"
        "new one too, and so does whoever has copied one of them with its key: to lock "
        "him out, or\n"
        "to seal old data anew, copy the backups to a new repository. A backup that runs "
        "goes on\n"
        "with the key that it began with; wal receive takes the new one with its next "
        "segment.",
    .example = "holdfast key rotate",
    .reads_only = TRUE,
    .run = run_key_rotate,
};

/* --- export ----------------------------------------------------------------------------------- */

static gboolean run_key_export(CommandRun *run, GError **error)
{
    g_auto(KeyWork) work = {0};
    g_autoptr(Secret) code = NULL;

    if (!unlock_work(run, &work, error))
        return FALSE;
    code = keyring_recovery_code(work.keyring);
    output_json(run->output, json_pack("{s:s, s:s}", "repository", repository_id(work.repository),
                                       "recovery_code", (const char *)code->bytes));
    output_line(run->output, "recovery code of the repository %s:", repository_id(work.repository));
    output_line(run->output, "%s", "");
    output_line(run->output, "%s", (const char *)code->bytes);
    output_line(run->output, "%s", "");
    output_line(run->output, "%s",
                "It opens everything in the repository. Print it and lock it away. To use it, "
                "write it into a file that nobody else may read, and name that file: "
                "--key key-file=FILE");
    return TRUE;
}

const Command command_key_export = {
    .words = "key export",
    .arguments = "",
    .summary = "print a recovery code that opens the repository",
    .description = "The code is the master key itself, for paper: whoever has it can read all "
                   "backups, whatever\n"
                   "slots there are. A file that holds it serves wherever a key is named.",
    .example = "holdfast key export > /dev/usb/lp0",
    .reads_only = TRUE,
    .run = run_key_export,
};
