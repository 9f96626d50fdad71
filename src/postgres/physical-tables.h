/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables that a physical backup holds, as the server's statistics have them:
 * details-tables.jsonl, a line a table as pg_table_to_json() writes it, with "rows" as an estimate
 * and "estimated": true.
 */
#ifndef HOLDFAST_POSTGRES_PHYSICAL_TABLES_H
#define HOLDFAST_POSTGRES_PHYSICAL_TABLES_H

#include "engine/engine.h"
#include "postgres/connection.h"

/* Looks into every database that allows connections and is no template (a session in template1
 * would block CREATE DATABASE). One that cannot be looked into gives a warning in the manifest: the
 * backup does not depend on it. *ret_count is the number of tables. */
gboolean pg_physical_write_tables(const EngineBackup *request, PgConnection *connection,
                                  guint64 *ret_count, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The first --tables pattern that fits no table of the backup's list, in these databases (NULL:
 * all); NULL where each fits one, or where the list lacks a database. A table that was made after
 * the backup is in no list. Free with g_free(). */
gboolean pg_physical_find_unknown(Backup *backup, const char *const *tables,
                                  const char *const *databases, char **ret_pattern,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
