/* SPDX-License-Identifier: Apache-2.0
 *
 * Checking the whole WAL archive: every object read through, whatever refers to it, and the holes
 * between them weighed by what they cost.
 *
 * A hole between a backup's start and stop, or behind the newest good backup, is damage: what was
 * promised cannot be recovered. An older one is a warning that names the moments it costs.
 */
#ifndef HOLDFAST_POSTGRES_WAL_VERIFY_H
#define HOLDFAST_POSTGRES_WAL_VERIFY_H

#include "engine/engine.h"

/* The names of the archives that a repository holds: the sources. An array of strings. */
gboolean pg_wal_archives(Repository *repository, GPtrArray **ret_names,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Fills in the report. TRUE when all could be looked at, damaged or not. */
gboolean pg_wal_verify(const EngineArchive *request, EngineArchiveReport *report,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
