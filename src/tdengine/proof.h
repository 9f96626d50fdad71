/* SPDX-License-Identifier: Apache-2.0
 *
 * Verify: what is inside the objects of a TDengine backup. Structure reads footers, page indexes
 * and the checksums of pages; deep decodes every value and makes the fingerprints of the rows anew,
 * which are then held against those that the backup recorded from the server's own blocks.
 */
#ifndef HOLDFAST_TDENGINE_PROOF_H
#define HOLDFAST_TDENGINE_PROOF_H

#include "engine/engine.h"

/* The engine's check_object, check_backup and owners. */
gboolean td_check_object(const EngineProof *proof, const char *path, gboolean *ret_looked,
                         GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean td_check_backup(const EngineProof *proof, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean td_owners(Backup *backup, GHashTable *objects, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
