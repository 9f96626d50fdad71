/* SPDX-License-Identifier: Apache-2.0
 *
 * Verify: what is inside the objects of a PostgreSQL backup. Structure asks pg_restore for the table
 * of contents of each archive, reads headers and directories of packs and frames of WAL, and holds
 * index and maps of a physical backup against its packs; deep runs archives through pg_restore,
 * decompresses and hashes every extent and every WAL file, and checks the checksums of pages.
 */
#ifndef HOLDFAST_POSTGRES_PROOF_H
#define HOLDFAST_POSTGRES_PROOF_H

#include "engine/engine.h"

/* The engine's check_object, check_backup and owners. */
gboolean pg_check_object(const EngineProof *proof, const char *path, gboolean *ret_looked,
                         GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean pg_check_backup(const EngineProof *proof, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean pg_owners(Backup *backup, GHashTable *objects, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* proof-physical.c */
gboolean pg_physical_check_backup(const EngineProof *proof,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean pg_physical_owners(Backup *backup, GHashTable *objects,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
