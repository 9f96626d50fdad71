/* SPDX-License-Identifier: Apache-2.0
 *
 * Records in a WAL segment, as far as they tell time: the last commit. Sources: PostgreSQL's
 * access/xlogrecord.h and access/xact.h, versions 13 to 18.
 */
#ifndef HOLDFAST_POSTGRES_WAL_RECORD_H
#define HOLDFAST_POSTGRES_WAL_RECORD_H

#include <glib.h>

#include "postgres/wal-name.h"

typedef struct {
    PgLsn end; /* where the last whole record ends; the segment's start where there is none */
    gint64 last_commit; /* time of the last commit, 0 where there is none */
    guint64 records, commits;
} WalScan;

/* Walks over the records that begin in a segment's bytes (or in as many as there are of it). Stops
 * at the first one that is not whole: there the WAL ends, or goes on in the next segment. Trusts
 * nothing: ERROR_DAMAGED only where the first page is not one of a segment. */
gboolean wal_scan(const void *bytes, gsize length, WalScan *ret_scan,
                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
