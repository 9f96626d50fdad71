/* SPDX-License-Identifier: Apache-2.0
 *
 * The folder of a private server: where it is, whom it belongs to, and that it goes.
 */
#ifndef HOLDFAST_POSTGRES_SCRATCH_FOLDER_H
#define HOLDFAST_POSTGRES_SCRATCH_FOLDER_H

#include "postgres/restore-place.h"
#include "postgres/scratch-guard.h"

/* Goes when it is cleared; when we are killed, the next run removes it. */
typedef struct {
    char *folder;
    PgGuard *guard;
} PgScratchFolder;
void pg_scratch_folder_clear(PgScratchFolder *scratch);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PgScratchFolder, pg_scratch_folder_clear)
/* Makes the folder above the place's directory, the place's user its owner. */
gboolean pg_scratch_folder_make(const PgPlace *place, const char *run_directory,
                                PgScratchFolder *scratch, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* A path below a place where both we and the server's account get to. Free with g_free(). */
char *pg_scratch_folder_path(const char *scratch_directory);

#endif
