/* SPDX-License-Identifier: Apache-2.0
 *
 * Backup ids sort by time and say what they are: 20261122T020000Z-market-full-k3f9.
 */
#ifndef HOLDFAST_REPO_BACKUP_ID_H
#define HOLDFAST_REPO_BACKUP_ID_H

#include <glib.h>

/* `source` is a valid source name, `type` is "full" or "incremental" (shortened to "incr"). Free
 * with g_free(). */
char *backup_id_make(gint64 start, const char *source, const char *type);

/* True for a well-formed id; says nothing about whether such a backup exists. */
gboolean backup_id_valid(const char *id);

/* Source names: 1 to 40 of [a-z0-9_], "-" inside; so that ids, paths and lease names stay plain. */
gboolean source_name_valid(const char *name);

#endif
