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
