/* SPDX-License-Identifier: Apache-2.0
 *
 * Removing archived WAL that no backup needs any more.
 *
 * Threads: any; nothing is kept between calls.
 */
#ifndef HOLDFAST_POSTGRES_WAL_TRIM_H
#define HOLDFAST_POSTGRES_WAL_TRIM_H

#include "engine/engine.h"
#include "postgres/wal-list.h"

/* From where on WAL is needed: a backup's timeline and the segment in which it starts. */
typedef struct {
    guint64 system_identifier;
    guint32 timeline;
    guint64 first; /* segment number */
} WalNeed;

/* Whether a segment may be read by a recovery from one of those backups: it is of the backup's
 * timeline or a later one (which may branch off it) and not before its start. Segments of earlier
 * timelines are not: their WAL up to the branch was replayed before the backup was made. */
gboolean wal_is_needed(const GArray *needs, guint64 system_identifier, guint32 timeline,
                       guint64 number);

/* See engine/engine.h. History files always stay. WAL of a system of which no backup is kept goes
 * only where the source has moved to another one, or where `limited` says that age alone counts. */
gboolean pg_wal_trim(const EngineTrim *request, EngineTrimResult *ret_result,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
