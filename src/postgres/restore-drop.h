/* SPDX-License-Identifier: Apache-2.0
 *
 * Dropping tables that are replaced, without CASCADE: what goes with them, what would be left
 * hanging, and in which order.
 *
 * Threads: as the connection.
 */
#ifndef HOLDFAST_POSTGRES_RESTORE_DROP_H
#define HOLDFAST_POSTGRES_RESTORE_DROP_H

#include "engine/engine.h"
#include "postgres/connection.h"

/* Looks, and changes nothing. `oids` (guint32) are relations of the connection's database. Each
 * object outside that depends on them is a problem (ERROR_REFUSED), each table that goes with them
 * unasked a warning. `drops` receives the SQL (char *); *ret_gone is the set for
 * pg_dropped_contains(). */
gboolean pg_drop_plan(PgConnection *connection, const GArray *oids, EnginePlan *plan,
                      GPtrArray *drops, GHashTable **ret_gone,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* It is dropped. `gone` may be NULL: nothing is. */
gboolean pg_dropped_contains(GHashTable *gone, guint32 catalog, guint32 oid);

#endif
