/* SPDX-License-Identifier: Apache-2.0
 *
 * Chosen tables: which entries of a backup's archives they need. Tables bring what is theirs
 * (indexes, constraints, triggers, rules, policies, statistics, owned sequences, partitions) and
 * what they need (schemas, types, functions, extensions, sequences, parents, tables whose
 * definition they refer to), by the dependencies that the backup recorded.
 */
#ifndef HOLDFAST_POSTGRES_RESTORE_TABLES_H
#define HOLDFAST_POSTGRES_RESTORE_TABLES_H

#include "engine/engine.h"
#include "postgres/graph.h"
#include "postgres/inventory.h"
#include "postgres/load.h"

typedef struct {
    GPtrArray *tables; /* const PgTable: chosen, their partitions included; belong to the details */
    char *schema_list; /* for pg_restore --use-list: entries of the schema archive */
    char *
        attach_list; /* of the schema archive, but to be run last: partitions of a table that is there */
    char *rest_list;       /* and of the archive of the rest; NULL: none */
    GPtrArray *extensions; /* char *: names of those that come along */
    GPtrArray *drops;      /* char *: SQL that removes what is replaced, in order */
} PgSelection;

void pg_selection_free(PgSelection *selection);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgSelection, pg_selection_free)

typedef struct {
    const EngineRestore *request;
    const PgDetails *details;
    const PgDatabase *database;
    const PgLoad *load;   /* reads the archives' tables of contents */
    PgConnection *target; /* the database that is there; NULL: the tables go into a new one */
    EnginePlan *plan;     /* receives problems and warnings */
} PgSelectionRequest;

/* `tables` (const PgTable) are those that the patterns chose. Where the database is there, what it
 * has is left out; tables that it has are a problem without --replace, and so is what would go with
 * them. */
gboolean pg_selection_make(const PgSelectionRequest *request, const GPtrArray *tables,
                           PgSelection **ret_selection, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
