/* SPDX-License-Identifier: Apache-2.0
 *
 * Exact row counts of many tables, over several connections: what a backup records from its
 * snapshot and what a restore is held against. Big tables are counted one by one, biggest first;
 * small ones some fifty to a statement, so that a database of ten thousand tables does not cost ten
 * thousand round trips.
 *
 * Threads: one call at a time on one array of tables; workers of its own inside.
 */
#ifndef HOLDFAST_POSTGRES_COUNT_H
#define HOLDFAST_POSTGRES_COUNT_H

#include "base/progress.h"
#include "postgres/inventory.h"

typedef struct {
    const char *conninfo; /* not looked at when there is a connection */
    const char *database;
    /* A session that holds locks and a snapshot: everything is counted in it, by the server's
     * parallel workers. A connection of its own would wait behind whoever waits for those locks,
     * and that is for us. NULL: connections of our own. */
    PgConnection *connection;
    guint connections;         /* at least 1 */
    Progress *progress;        /* gets the rows as they are counted; may be NULL */
    GCancellable *cancellable; /* may be NULL */
} PgCountRequest;

/* Counts all given tables (an array of PgTable; rows of their children are not theirs). Their
 * `bytes` tell the big ones from the small; `oid` is not looked at, so that tables of a backup can
 * be counted in another database. rows[i] receives the count of tables[i]; after a failure the
 * content of `rows` means nothing. A table that is not there is ERROR_NOT_FOUND; otherwise the
 * errors are those of pg_connect() and pg_query(). */
gboolean pg_count_tables(const PgCountRequest *request, const GPtrArray *tables, guint64 *rows,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Counts one table over a connection that is there already. */
gboolean pg_count_table(PgConnection *connection, const PgTable *table, guint64 *ret_rows,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The SELECT that counts tables[order[0]] … tables[order[length - 1]]: rows of (place in the array,
 * count). Pure. Free with g_free(). */
char *pg_count_sql(const GPtrArray *tables, const guint *order, guint length);

#endif
