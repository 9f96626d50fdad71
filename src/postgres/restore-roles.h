/* SPDX-License-Identifier: Apache-2.0
 *
 * The roles that a script of pg_restore names: what a restore of chosen tables really needs, of all
 * the roles that the database has.
 *
 * Threads: plain data; no locking.
 */
#ifndef HOLDFAST_POSTGRES_RESTORE_ROLES_H
#define HOLDFAST_POSTGRES_RESTORE_ROLES_H

#include <glib.h>

typedef struct {
    GHashTable *named;  /* sets of char *: everyone who is named … */
    GHashTable *owners; /* … and of these, those in whose name the script acts: members only may */
} PgScriptRoles;

/* Looks through ALTER … OWNER TO, GRANT, REVOKE, CREATE POLICY and ALTER DEFAULT PRIVILEGES. Words
 * that only look like roles (in a policy's expression) may be among the named ones: hold them
 * against the roles that there are. Pure; trusts nothing. */
PgScriptRoles *pg_script_roles(const char *script);
void pg_script_roles_free(PgScriptRoles *roles);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgScriptRoles, pg_script_roles_free)

#endif
