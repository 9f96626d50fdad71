/* SPDX-License-Identifier: Apache-2.0
 *
 * The connection for what concerns the server as a whole: lists of databases and roles, CREATE and
 * DROP DATABASE.
 */
#ifndef HOLDFAST_POSTGRES_MAINTENANCE_H
#define HOLDFAST_POSTGRES_MAINTENANCE_H

#include "postgres/connection.h"

/* The oldest server that is supported. */
#define PG_VERSION_OLDEST 130000

/* Connects to database postgres, else template1, else the one that the connection string names: the
 * first that is there. ERROR_UNREACHABLE is the first one's. */
PgConnection *pg_connect_maintenance(const char *conninfo, GCancellable *cancellable,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
