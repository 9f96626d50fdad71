/* SPDX-License-Identifier: Apache-2.0
 *
 * The directory that a physical restore writes: who may have it, its tree of directories and links,
 * its files.
 *
 * While a restore runs, the directory holds PG_RESTORE_MARKER, locked, and no global/pg_control: a
 * server cannot start in it, and a restore that was killed can be told from a stranger's directory.
 * pg_control is put in its place last.
 */
#ifndef HOLDFAST_POSTGRES_RESTORE_PLACE_H
#define HOLDFAST_POSTGRES_RESTORE_PLACE_H

#include <sys/types.h>

#include "postgres/physical.h"

#define PG_RESTORE_MARKER "holdfast.restore"
/* Where pg_control waits: that of before, and the new one. */
#define PG_CONTROL_BEFORE "global/pg_control.before-restore"
#define PG_CONTROL_NEW    "global/pg_control.restored"

/* A tablespace, and where it goes to. */
typedef struct {
    guint32 oid;
    char *name;
    char *old_location;
    char *location; /* absolute; NULL: in place, a directory under pg_tblspc */
} PgPlacedTablespace;

typedef struct {
    char *directory;        /* absolute */
    gboolean delta;         /* over what is there */
    char *wal_directory;    /* where pg_wal links to, or NULL: a directory of its own */
    GPtrArray *tablespaces; /* PgPlacedTablespace */
    uid_t uid;              /* whom everything belongs to, when we are root */
    gid_t gid;
    char *user; /* of that uid, where we are root; else NULL */
} PgPlace;

PgPlace *pg_place_new(const char *directory);
void pg_place_free(PgPlace *place);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgPlace, pg_place_free)

/* --- restore-place.c: what is there ----------------------------------------------------------- */

/* Refuses a directory that a restore must not write: not empty without delta, a running server's,
 * of another system, of none. One that is not there is fine. ERROR_REFUSED. */
gboolean pg_place_check(const PgPlace *place, guint64 system_identifier,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for the place of one tablespace, or of pg_wal: it is empty, or not there, or belongs to
 * this very directory already (`link` leads there). */
gboolean pg_place_check_link(const PgPlace *place, const char *link, const char *location,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whom the files will belong to. ERROR_PERMISSION where we are root and nobody fit is found: a
 * server does not run as root. */
gboolean pg_place_find_owner(PgPlace *place, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- restore-tree.c --------------------------------------------------------------------------- */

typedef struct PgPlaceLock PgPlaceLock;

/* Makes the directory and takes it: marker, lock, pg_control out of the way. ERROR_BUSY. */
PgPlaceLock *pg_place_take(const PgPlace *place, guint64 system_identifier, const char *backup,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Lets the lock go; the marker stays. NULL is fine. */
void pg_place_release(PgPlaceLock *lock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgPlaceLock, pg_place_release)

/* Directories and links of the backup; with delta everything else is removed first (*ret_removed
 * counts). */
gboolean pg_place_make_tree(const PgPlace *place, const PgPhysical *physical, guint64 *ret_removed,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Writes a small file of our own into the directory; `path` is relative. Not durable before
 * pg_place_sync(). */
gboolean pg_place_write(const PgPlace *place, const char *path, const void *bytes, gsize length,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Gives a file that somebody else wrote there the right mode and owner. */
gboolean pg_place_own(const PgPlace *place, const char *path,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The file systems that a restore writes to. Opened before the first write: an error of writing
 * back that comes later is seen then. */
GArray *pg_place_open_systems(const PgPlace *place, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean pg_place_sync(const GArray *systems, const PgPlace *place,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* pg_control in its place, marker gone: the directory is a server's from here on. */
gboolean pg_place_finish(const PgPlace *place, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- restore-files.c -------------------------------------------------------------------------- */

typedef struct {
    const PgPlace *place;
    const PgPhysical *physical;
    guint jobs;
    Progress *progress;
    GCancellable *cancellable;
} PgFilesRestore;

typedef struct {
    guint64 files;
    guint64 bytes;   /* plain, of all files */
    guint64 written; /* bytes that differed: all of them without delta */
} PgFilesResult;

/* All regular files, pg_control under PG_CONTROL_NEW. ERROR_DAMAGED names file and blocks. */
gboolean pg_place_restore_files(const PgFilesRestore *restore, PgFilesResult *ret_result,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
