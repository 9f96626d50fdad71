/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths, resolved as the kernel would.
 */
#include "service/roots.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "config/values.h"

/* The real path of what exists of it, with the rest behind: NULL where the rest climbs or is a link
 * that leads nowhere, or where it cannot be looked at. */
static char *resolve(const char *path)
{
    char real[PATH_MAX];
    struct stat status;
    g_autofree char *parent = NULL;
    g_autofree char *name = NULL;
    g_autofree char *above = NULL;

    if (realpath(path, real) != NULL)
        return g_strdup(real);
    if (errno != ENOENT || lstat(path, &status) == 0)
        return NULL;
    parent = g_path_get_dirname(path);
    name = g_path_get_basename(path);
    if (strcmp(name, "..") == 0 || strcmp(name, ".") == 0 || strcmp(parent, path) == 0)
        return NULL;
    above = resolve(parent);
    return above != NULL ? g_build_filename(above, name, NULL) : NULL;
}

static gboolean is_below(const char *root, const char *path)
{
    char real[PATH_MAX];
    gsize length;

    if (realpath(root, real) == NULL)
        return FALSE;
    length = strlen(real);
    if (length == 1) /* "/" */
        return strlen(path) > 1;
    return strncmp(path, real, length) == 0 && path[length] == '/';
}

gboolean roots_check(const char *const *roots, const char *path, GError **error)
{
    g_autofree char *trimmed = g_strdup(path);
    g_autofree char *real = NULL;

    while (strlen(trimmed) > 1 && g_str_has_suffix(trimmed, "/"))
        trimmed[strlen(trimmed) - 1] = '\0';
    real = g_path_is_absolute(trimmed) && strlen(trimmed) < PATH_MAX ? resolve(trimmed) : NULL;
    for (guint i = 0; real != NULL && roots[i] != NULL; i++) {
        if (is_below(roots[i], real))
            return TRUE;
    }
    error_set(error, ERROR_REFUSED, "%s lies below none of the directories for restores", path);
    error_add_hint(error, roots[0] != NULL
                              ? "restore_roots in [server] names them; give an absolute path"
                              : "name such directories with restore_roots in [server]");
    return FALSE;
}

/* The directory that a word of a command names, or NULL. */
static const char *directory_of(const char *word)
{
    static const char *const plain[] = {"--target-directory=", "--wal-directory="};
    const char *const moved = "--tablespace=";
    const char *to;

    for (guint i = 0; i < G_N_ELEMENTS(plain); i++)
        if (g_str_has_prefix(word, plain[i]))
            return word + strlen(plain[i]);
    if (!g_str_has_prefix(word, moved))
        return NULL;
    to = strchr(word + strlen(moved), '=');
    return to != NULL ? to + 1 : NULL;
}

gboolean roots_check_words(const Config *config, const json_t *words, GError **error)
{
    const char *listed = config_get(config, "server", "restore_roots");
    g_auto(GStrv) roots = config_list_split(listed != NULL ? listed : "");
    const json_t *word;
    size_t index;

    json_array_foreach(words, index, word)
    {
        const char *text = json_string_value(word);
        const char *directory = text != NULL ? directory_of(text) : NULL;

        if (directory != NULL && !roots_check((const char *const *)roots, directory, error))
            return FALSE;
    }
    return TRUE;
}
