/* SPDX-License-Identifier: Apache-2.0
 *
 * What belongs to a database as a whole and is in no archive of it: privileges, settings, comment.
 *
 * Threads: as the connection.
 */
#ifndef HOLDFAST_POSTGRES_RESTORE_SETTINGS_H
#define HOLDFAST_POSTGRES_RESTORE_SETTINGS_H

#include "postgres/inventory.h"

/* Gives the database `name` what `source` had. With `no_owner` privileges and settings of roles are
 * left out. */
gboolean pg_settings_apply(PgConnection *connection, const PgDatabase *source, const char *name,
                           gboolean no_owner, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The value of a setting as SQL for ALTER … SET: a literal, or for settings that are lists of names
 * a list of literals. Pure. Free with g_free(). */
char *pg_setting_value_sql(const char *setting, const char *value);

#endif
