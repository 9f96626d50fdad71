/* SPDX-License-Identifier: Apache-2.0
 *
 * Folders of private servers.
 */
#include "postgres/scratch-folder.h"

#include <errno.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"

/* Where an account that is not ours gets to: the state directory is private to us. Large things
 * belong there, not into /tmp. */
#define PUBLIC_SCRATCH "/var/tmp"
#define NAME_BYTES     8

char *pg_scratch_folder_path(const char *scratch_directory)
{
    const char *base = geteuid() == 0 ? PUBLIC_SCRATCH : scratch_directory;
    g_autofree char *random = random_name(NAME_BYTES);

    return g_strdup_printf("%s/holdfast-scratch-%s", base, random);
}

void pg_scratch_folder_clear(PgScratchFolder *scratch)
{
    if (scratch->folder != NULL)
        (void)!directory_remove(scratch->folder, NULL);
    pg_guard_free(scratch->guard);
    g_free(scratch->folder);
}
static gboolean make_owned(const PgPlace *place, const char *path, GError **error)
{
    if (!directory_make(path, 0700, error))
        return FALSE;
    if (place->user == NULL || chown(path, place->uid, place->gid) == 0)
        return TRUE;
    error_set_errno(error, errno, "cannot give %s to %s", path, place->user);
    return FALSE;
}

gboolean pg_scratch_folder_make(const PgPlace *place, const char *run_directory,
                                PgScratchFolder *scratch, GError **error)
{
    g_autofree char *tablespaces = NULL;
    PgGuardRequest guarded = {.run_directory = run_directory};

    pg_guard_sweep(run_directory);
    scratch->folder = g_path_get_dirname(place->directory);
    guarded.remove = scratch->folder;
    scratch->guard = pg_guard_new(&guarded, error);
    if (scratch->guard == NULL)
        return FALSE;
    tablespaces = g_build_filename(scratch->folder, "tablespaces", NULL);
    return make_owned(place, scratch->folder, error) && make_owned(place, tablespaces, error);
}
