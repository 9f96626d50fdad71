/* SPDX-License-Identifier: Apache-2.0
 *
 * Timeline history files: from which timeline another one came, and where. Source: PostgreSQL's
 * access/timeline.h and backend/access/transam/timeline.c.
 *
 * Threads: plain data.
 */
#ifndef HOLDFAST_POSTGRES_WAL_HISTORY_H
#define HOLDFAST_POSTGRES_WAL_HISTORY_H

#include "postgres/wal-archive.h"

typedef struct {
    guint32 timeline; /* an ancestor */
    PgLsn end;        /* where it was left */
} WalAncestor;

/* The ancestors that a history file names, oldest first; an array of WalAncestor. Trusts nothing:
 * ERROR_DAMAGED. */
GArray *wal_history_parse(const char *text, gsize length, guint32 timeline,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for a timeline out of the archive. Timeline 1 has none: an empty array. */
GArray *wal_history_load(const WalArchive *archive, guint32 timeline,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
