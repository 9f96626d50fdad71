/* SPDX-License-Identifier: Apache-2.0
 *
 * The plan of a logical restore: which database becomes which, from which archives, by which way;
 * and what is known of the target server. Made by restore-plan.c, carried out by restore-database.c
 * (a whole database, or chosen tables, into a new database that is renamed at the end) and
 * restore-merge.c (chosen tables into a database that is there).
 */
#ifndef HOLDFAST_POSTGRES_RESTORE_PLAN_H
#define HOLDFAST_POSTGRES_RESTORE_PLAN_H

#include "engine/engine.h"
#include "postgres/inventory.h"
#include "postgres/load.h"
#include "postgres/restore-tables.h"

/* One data archive, and what to take of it. */
typedef struct {
    const char *path; /* belongs to the details */
    guint64 bytes;    /* plain */
    const char *list; /* entries for --use-list, or NULL: all; belongs to the selection */
} PgArchive;

typedef struct {
    const PgDatabase *source; /* belongs to the details */
    char *target;             /* its name on the target server */
    guint32 target_oid;       /* of the database that has this name now; 0: none */
    gboolean exists;          /* there is a database of that name */
    gboolean disposable;      /* initdb's own, and nothing is in it: goes without --replace */
    gboolean merge;           /* chosen tables go into the database that exists */
    guint64 sessions;         /* connected to it now */
    PgSelection *selection;   /* NULL: everything */
    GPtrArray *tables;        /* const PgTable: those whose rows are restored and counted */
    GPtrArray *archives;      /* PgArchive, biggest first */
    guint64 rows, bytes;      /* over tables and archives */
} PgDatabasePlan;

typedef struct {
    EnginePlan base;
    const EngineRestore *request;
    PgDetails *details;
    PgConnection *connection; /* in a database that is not restored itself */
    PgServer server;          /* the target */
    char *pg_restore, *psql;
    char **environment;   /* for the child programs */
    GPtrArray *databases; /* PgDatabasePlan */
    GPtrArray *globals;   /* PgGlobal; NULL without --globals */
    GHashTable *roles;    /* names on the target; sets */
    GHashTable *tablespaces;
    gint64 longest_name; /* bytes of a name on the target */
} PgRestorePlan;

/* pg_restore's part in it, for archives of this backup. `conninfo` may be NULL. */
PgLoad pg_restore_load(const PgRestorePlan *plan, const char *conninfo);

#endif
