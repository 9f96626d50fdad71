/* SPDX-License-Identifier: Apache-2.0
 *
 * Which indexes need not wait for the rows of other tables: those of a table that is loaded by
 * itself can be built as soon as its rows are in, while others still load. Everything else of the
 * schema's last section stays for the end.
 *
 * Threads: plain data; no locking.
 */
#ifndef HOLDFAST_POSTGRES_RESTORE_INDEXES_H
#define HOLDFAST_POSTGRES_RESTORE_INDEXES_H

#include "postgres/inventory.h"
#include "postgres/restore-toc.h"

/* What can be done for one table. Lists are for pg_restore --use-list. */
typedef struct {
    char *constraints;  /* primary key, UNIQUE, EXCLUDE: one after the other, since each locks the
                           table; NULL: none */
    GPtrArray *indexes; /* char *: a list with one index each, which may be built side by side */
} PgTableIndexes;

typedef struct {
    GHashTable *tables; /* PgTable * -> PgTableIndexes; none where the table has no indexes */
    char *rest;         /* what is left of the list; NULL: all, since nothing goes ahead */
} PgIndexPlan;

/* `list` is the list of chosen entries, or NULL for all; `tables` (const PgTable) are those of which
 * only the ones with an archive of their own can go ahead. Never fails: what is not understood stays
 * for the end. The tables must outlive the plan. */
PgIndexPlan *pg_index_plan_new(const PgToc *toc, const char *list, const GPtrArray *tables);
void pg_index_plan_free(PgIndexPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgIndexPlan, pg_index_plan_free)

/* NULL: nothing goes ahead for this table. */
const PgTableIndexes *pg_index_plan_find(const PgIndexPlan *plan, const PgTable *table);

#endif
