/* SPDX-License-Identifier: Apache-2.0
 *
 * The data directory of a running server, as this host sees it.
 */
#ifndef HOLDFAST_POSTGRES_DATA_DIRECTORY_H
#define HOLDFAST_POSTGRES_DATA_DIRECTORY_H

#include "postgres/backup-session.h"

/* Finds the directory (the source's data_directory, else as the server names it) and makes sure
 * that the server of the session runs in it and that its files may be read: its pg_control has the
 * server's identifier, and its postmaster.pid the server's port and start time. ERROR_PERMISSION,
 * ERROR_NOT_FOUND, ERROR_REFUSED. *ret_directory: free with g_free(). */
gboolean pg_data_directory_find(PgBackupSession *session, const ConfigSource *source,
                                const PgPhysical *physical, char **ret_directory,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
