/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of a data directory and its tablespaces that a backup takes: what PostgreSQL makes anew
 * at its start is left out (the lists of basebackup.c, versions 13 to 18), so are temporary
 * relations and all but the init fork of unlogged ones.
 */
#ifndef HOLDFAST_POSTGRES_FILE_LIST_H
#define HOLDFAST_POSTGRES_FILE_LIST_H

#include <gio/gio.h>

#include "postgres/page.h"
#include "postgres/physical.h"

#define PG_CONTROL_PATH "global/pg_control"

typedef struct {
    const char *data_directory;
    int server_major;
    guint32 catalog_version; /* with it: which directory of a tablespace belongs to this server */
    GCancellable *cancellable;
} PgFileScan;

/* Files, directories and links, as an array of PgFile sorted by path. content.size is a file's size
 * at this moment. Symbolic links to directories (other than pg_wal and tablespaces) and to files
 * are followed: *ret_warnings (char *) names them, since a restore makes plain directories and
 * files of them. Things that vanish while they are looked at are left out. */
gboolean pg_file_scan(const PgFileScan *scan, GPtrArray **ret_files, GPtrArray **ret_warnings,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* TRUE where a path that comes from somewhere else (a tar stream) is none that belongs into a
 * backup. */
gboolean pg_file_is_excluded(const char *path);

/* For g_ptr_array_sort(). */
int pg_file_compare(gconstpointer a, gconstpointer b);

/* TRUE for a segment of a relation whose pages carry checksums: base/…, global/…, pg_tblspc/…. */
gboolean pg_file_is_relation(const char *path, PgRelationName *ret_name);

#endif
