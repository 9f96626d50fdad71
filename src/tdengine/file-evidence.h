/* SPDX-License-Identifier: Apache-2.0
 *
 * Which file sets of a server on this host were written to since a backup, from what stands beside its
 * files (file-sets.h). Beside the server's counts this leaves nothing out: a row that is new or another
 * one was written by a later version, into its file set; rows that are gone are missed by the counts.
 *
 * The server is told to flush the databases first: what is in memory only has no file. That is done for
 * sources with a data_directory only, whose owner thereby agrees to it.
 */
#ifndef HOLDFAST_TDENGINE_FILE_EVIDENCE_H
#define HOLDFAST_TDENGINE_FILE_EVIDENCE_H

#include "engine/engine.h"
#include "tdengine/client.h"

/* `base` and `looked` are arrays of TdDatabase: those of the base, and those of now, whose
 * positions become the versions that stand in files. *ret_dirty holds an
 * array of TdPlace by the name of each database of both. It is NULL, without an error, where files cannot
 * be used, and *ret_reason says why then; free it with g_free(). Names are not in it. Takes some three seconds
 * and a flush; not longer than the source's timeout for each vgroup. */
gboolean td_file_evidence_read(TdClient *client, const EngineBackup *request, const GPtrArray *base,
                               GPtrArray *looked, GHashTable **ret_dirty, char **ret_reason,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
