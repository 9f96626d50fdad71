/* SPDX-License-Identifier: Apache-2.0
 *
 * Is that directory really the server's?
 */
#include "postgres/data-directory.h"

#include "base/error.h"
#include "base/file.h"
#include "base/time.h"

/* postmaster.pid has the moment at which the server began to start, the server tells the one at
 * which it was ready to. */
#define START_TOLERANCE (60 * TIME_SECOND)
#define PID_FILE_LIMIT  4096

/* The lines of postmaster.pid, from 0: process, directory, start (seconds), port, … */
enum { PID_LINE_START = 2, PID_LINE_PORT = 3, PID_LINES = 4 };

static gboolean check_process(PgBackupSession *session, const char *directory, GError **error)
{
    g_autofree char *path = g_build_filename(directory, "postmaster.pid", NULL);
    g_autofree char *text = NULL;
    g_autoptr(PGresult) result = NULL;
    g_auto(GStrv) lines = NULL;
    gsize length;
    gint64 start;

    if (!file_read(path, PID_FILE_LIMIT, &text, &length, error))
        return FALSE;
    result = pg_query(pg_backup_session_connection(session),
                      "SELECT (extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * "
                      "1000000)::bigint, pg_catalog.current_setting('port')",
                      0, NULL, error);
    if (result == NULL)
        return FALSE;
    lines = g_strsplit(text, "\n", -1);
    if (g_strv_length(lines) >= PID_LINES) {
        start = g_ascii_strtoll(lines[PID_LINE_START], NULL, 10) * TIME_SECOND;
        if (ABS(pg_int(result, 0, 0) - start) <= START_TOLERANCE &&
            g_ascii_strtoull(lines[PID_LINE_PORT], NULL, 10) == pg_uint(result, 0, 1))
            return TRUE;
    }
    error_set(error, ERROR_REFUSED, "%s is of another server than the one at %s", directory,
              pg_connection_server(pg_backup_session_connection(session)));
    return FALSE;
}

gboolean pg_data_directory_find(PgBackupSession *session, const ConfigSource *source,
                                const PgPhysical *physical, char **ret_directory, GError **error)
{
    g_autofree char *directory = source->data_directory != NULL
                                     ? g_strdup(source->data_directory)
                                     : pg_backup_session_data_directory(session);
    PgControl control;

    if (directory == NULL) {
        error_set(error, ERROR_PRIVILEGE, "the role may not ask for the data directory");
        error_add_hint(error, "grant pg_read_all_settings, or write data_directory into the "
                              "source's section");
        return FALSE;
    }
    if (!pg_control_read(directory, &control, NULL, error))
        return FALSE;
    if (control.system_identifier != physical->system_identifier) {
        error_set(error, ERROR_REFUSED,
                  "%s has the system identifier %" G_GUINT64_FORMAT
                  ", the server %" G_GUINT64_FORMAT,
                  directory, control.system_identifier, physical->system_identifier);
        return FALSE;
    }
    if (!check_process(session, directory, error))
        return FALSE;
    *ret_directory = g_steal_pointer(&directory);
    return TRUE;
}
