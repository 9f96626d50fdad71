/* SPDX-License-Identifier: Apache-2.0
 *
 * The roles and tablespaces of a backup (pg_dumpall --globals-only): cut into statements, those
 * that are there already left out, the rest run. A role or tablespace that exists is left as it is:
 * its password and attributes are the server's own.
 *
 * Threads: any, apart from the connection's.
 */
#ifndef HOLDFAST_POSTGRES_GLOBALS_H
#define HOLDFAST_POSTGRES_GLOBALS_H

#include "postgres/connection.h"

typedef enum {
    PG_GLOBAL_ROLE,       /* CREATE ROLE, or ALTER, COMMENT … of this role */
    PG_GLOBAL_TABLESPACE, /* CREATE TABLESPACE, or something about it */
    PG_GLOBAL_OTHER,      /* GRANT of a membership, SET */
} PgGlobalKind;

typedef struct {
    PgGlobalKind kind;
    gboolean create; /* it is the CREATE ROLE or CREATE TABLESPACE */
    char *name;      /* of the role or tablespace, unquoted; NULL for others */
    char *location;  /* of a tablespace that is created, else NULL */
    char *sql;
} PgGlobal;

void pg_global_free(PgGlobal *global);

/* Cuts the script into PgGlobal; psql's own commands (\restrict …) and comments are left out.
 * Trusts nothing: ERROR_FORMAT where a quote is not closed. Pure. */
gboolean pg_globals_parse(const char *sql, GPtrArray **ret_globals,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Runs what is missing: roles and memberships in one transaction, tablespaces after it (they cannot
 * be made in one). `roles` and `tablespaces` are the names that are there, as sets. */
gboolean pg_globals_apply(PgConnection *connection, const GPtrArray *globals, GHashTable *roles,
                          GHashTable *tablespaces, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
