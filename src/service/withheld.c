/* SPDX-License-Identifier: Apache-2.0
 *
 * What may be said of a command, and where the rest is.
 */
#include "service/withheld.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"

#define COMMAND_LIMIT (256 * 1024)

/* Options whose values name nothing but sources, backups, times and numbers. */
static const char *const harmless[] = {
    "--source",
    "--backup-id",
    "--dry-run",
    "--yes",
    "--jobs",
    "--rate",
    "--compression",
    "--method",
    "--access",
    "--mode",
    "--since",
    "--nice",
    "--checksum",
    "--target-time",
    "--target-latest",
    "--target-lsn",
    "--deep",
    "--all",
    NULL,
};

static gboolean is_harmless(const char *word)
{
    g_autofree char *name = g_strndup(word, strcspn(word, "="));

    return word[0] != '-' || g_strv_contains(harmless, name);
}

static json_t *words_json(const char *const *words)
{
    json_t *json = json_array();

    for (guint i = 0; words[i] != NULL; i++)
        json_array_append_new(json, json_text(words[i]));
    return json;
}

json_t *withheld_public(const char *const *command, const char *operation)
{
    g_auto(GStrv) own = operation != NULL ? g_strsplit(operation, " ", -1) : NULL;
    json_t *json;

    for (guint i = 0; operation != NULL && command[i] != NULL; i++) {
        if (is_harmless(command[i]))
            continue;
        json = words_json((const char *const *)own);
        json_array_append_new(json, json_null());
        return json;
    }
    return words_json(command);
}

gboolean withheld_is(const json_t *words)
{
    gsize count = json_array_size(words);

    return count > 0 && json_is_null(json_array_get(words, count - 1));
}

static char *path_of(const Config *config, const char *id)
{
    g_autofree char *name = g_strconcat(id, ".command", NULL);

    return g_build_filename(config_runtime_directory(config), "jobs", name, NULL);
}

gboolean withheld_keep(const Config *config, const char *id, const char *const *command,
                       GError **error)
{
    g_autofree char *path = path_of(config, id);
    g_autofree char *directory = g_path_get_dirname(path);
    g_autoptr(json_t) json = json_object();
    g_autofree char *text = NULL;

    json_object_set_new(json, "command", words_json(command));
    text = json_write(json, FALSE);
    return directory_make(directory, 0700, error) &&
           file_replace(path, text, strlen(text), 0600, error);
}

json_t *withheld_read(const Config *config, const char *id, GError **error)
{
    g_autofree char *path = path_of(config, id);
    g_autofree char *bytes = NULL;
    g_autoptr(json_t) json = NULL;
    json_t *words;
    gsize length;

    if (!file_read(path, COMMAND_LIMIT, &bytes, &length, error)) {
        error_add_hint(error, "in an encrypted repository a job's command is kept there alone; "
                              "start it anew");
        return NULL;
    }
    json = json_read_object(bytes, length, path, error);
    if (json == NULL || !json_need_array(json, "command", path, &words, error))
        return NULL;
    return json_incref(words);
}

void withheld_forget(const Config *config, const char *id)
{
    g_autofree char *path = path_of(config, id);

    (void)g_unlink(path);
}
