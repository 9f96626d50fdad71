/* SPDX-License-Identifier: Apache-2.0
 *
 * Tombstones: write-once objects under tombstones/ that name pool objects which a sweep is about to
 * delete, so that a backup that is committed meanwhile can tell. The protocol between the two
 * stands in pool/sweep.c. Format: docs/formats.md.
 */
#ifndef HOLDFAST_REPO_TOMBSTONE_H
#define HOLDFAST_REPO_TOMBSTONE_H

#include "repo/repository.h"

/* What one tombstone names at most; a sweep with more candidates writes several. */
#define TOMBSTONE_LIMIT 100000

typedef struct {
    char *name;         /* of the tombstone itself, in the store */
    gint64 modified;    /* by the store's clock */
    GPtrArray *objects; /* names in the store: "pool/…" */
} Tombstone;

/* Writes one that names the objects (strings, at most TOMBSTONE_LIMIT). */
gboolean tombstone_write(Repository *repository, GPtrArray *objects,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* All tombstones; an array of Tombstone. One that goes away meanwhile is left out. One that cannot
 * be read fails the whole: nobody knows what it names. */
gboolean tombstone_list(Repository *repository, GPtrArray **ret_tombstones,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
