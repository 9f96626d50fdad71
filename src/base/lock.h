/* SPDX-License-Identifier: Apache-2.0
 *
 * Run files: a small file that a living process holds locked. The lock, never a process id, says
 * whether its holder lives; the kernel drops it however the holder ends. Locks are of the open file
 * description (OFD), so that two threads of one process exclude each other too, and they do not
 * survive exec.
 */
#ifndef HOLDFAST_BASE_LOCK_H
#define HOLDFAST_BASE_LOCK_H

#include <glib.h>

typedef struct RunFile RunFile;

/* Creates (mode 0600) or reuses the file, locks it and replaces its content. ERROR_BUSY when
 * somebody else holds it. */
RunFile *run_file_acquire(const char *path, const char *content,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Removes the file and lets the lock go. NULL is fine. */
void run_file_release(RunFile *run);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RunFile, run_file_release)

/* Frees, and leaves the file with its content, unlocked: as if the process had been killed. NULL is
 * fine. */
void run_file_abandon(RunFile *run);

/* Puts another content (at most 4 KiB are ever read) in the place of the one before. A reader may
 * see a mixture of both: it reads again a moment later. */
gboolean run_file_update(RunFile *run, const char *content,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

const char *run_file_path(const RunFile *run);

typedef enum {
    RUN_FILE_HELD,    /* its holder lives */
    RUN_FILE_DEAD,    /* it is there and nobody holds it */
    RUN_FILE_MISSING, /* no such file: nothing is known */
} RunFileState;

/* Looks at a run file without disturbing it. *ret_content (may be NULL) receives at most 4 KiB of
 * its content, or NULL when it is missing. A file that may not be opened is an error. */
gboolean run_file_inspect(const char *path, RunFileState *ret_state, char **ret_content,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
