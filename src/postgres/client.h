/* SPDX-License-Identifier: Apache-2.0
 *
 * PostgreSQL's own client programs (pg_dump, pg_dumpall, pg_restore, psql): finding those that fit
 * a server, and leading them to the very server of a connection without a secret in their
 * arguments.
 */
#ifndef HOLDFAST_POSTGRES_CLIENT_H
#define HOLDFAST_POSTGRES_CLIENT_H

#include "postgres/connection.h"

/* For child programs (pg_dump, pg_restore, psql): a connection string without any secret that leads
 * to the very server of this connection (host, port, user, TLS settings as libpq has them) and to
 * `database`; and the environment that goes with it (PGPASSWORD where one is needed, PGOPTIONS from
 * `options` or NULL, PGAPPNAME, PGCLIENTENCODING=UTF8, LC_ALL=C), for ProcessSpec. */
gboolean pg_child_conninfo(PgConnection *connection, const char *database, char **ret_conninfo,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
char **pg_child_environment(PgConnection *connection, const char *options);

/* The path of a client program ("pg_dump") that is at least as new as `server_version` (a major
 * number times 10000), looked for on the PATH and in Debian's /usr/lib/postgresql/<major>/bin; the
 * lowest that fits is taken, since the newer ones write archives that older pg_restores cannot
 * read. *ret_version its version_num (may be NULL). ERROR_CLIENT_VERSION with the package to
 * install as hint. */
gboolean pg_client_program(const char *name, int server_version, char **ret_path, int *ret_version,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
