/* SPDX-License-Identifier: Apache-2.0
 *
 * Archives of a backup on their way through pg_restore: into a database, as SQL into psql, or as a
 * plain copy in an unnamed file where pg_restore must be able to seek.
 *
 * When something fails, the reason that lies deepest is reported: damage of the stored bytes before
 * what pg_restore says about them, the server's end before both.
 *
 * Threads: calls for different archives may run at the same time.
 */
#ifndef HOLDFAST_POSTGRES_LOAD_H
#define HOLDFAST_POSTGRES_LOAD_H

#include "base/process.h"
#include "base/progress.h"
#include "postgres/restore-toc.h"
#include "repo/backup.h"

typedef struct {
    Backup *backup;
    const char *pg_restore;     /* path of the program */
    char **environment;         /* for the child programs */
    const char *conninfo;       /* of the database; NULL where SQL goes to psql */
    const char *const *options; /* further options of pg_restore, NULL-terminated, or NULL */
    Progress *progress;         /* receives plain bytes; may be NULL */
} PgLoad;

/* Streams one archive through pg_restore into the database. `section` is "pre-data", "data" or
 * "post-data"; `list_fd` is an open file with the entries to take (pg_restore --use-list), -1 for
 * all of them. */
gboolean pg_load_archive(const PgLoad *load, const char *path, const char *section, int list_fd,
                         GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Restores one section of an archive that stands in a file, with `jobs` connections of pg_restore's
 * own. `list` (or NULL) is the text of the entries to take. */
gboolean pg_load_file(const PgLoad *load, int archive_fd, const char *section, guint jobs,
                      const char *list, GCancellable *cancellable,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Streams one archive through pg_restore as SQL into a running psql. */
gboolean pg_load_script(const PgLoad *load, const char *path, const char *section, int list_fd,
                        Process *psql, GCancellable *cancellable,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Copies an archive, decompressed, into an unnamed file of `directory`. Schema archives only: they
 * are small. */
gboolean pg_load_copy(Backup *backup, const char *path, const char *directory, int *ret_fd,
                      GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A list for --use-list as an unnamed file. */
gboolean pg_load_list_file(const char *list, const char *directory, int *ret_fd,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A schema archive, or what `list_fd` (-1: all) takes of it, as SQL. Free with g_free(). */
gboolean pg_load_text(const PgLoad *load, const char *path, int list_fd, char **ret_sql,
                      GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The archive's table of contents; of a schema or data archive alike only its beginning is read. */
PgToc *pg_load_toc(const PgLoad *load, const char *path, GCancellable *cancellable,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Runs the whole archive through pg_restore as SQL that nobody reads: every entry's data can be
 * read then. */
gboolean pg_load_discard(const PgLoad *load, const char *path, GCancellable *cancellable,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
