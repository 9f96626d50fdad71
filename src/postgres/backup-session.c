/* SPDX-License-Identifier: Apache-2.0
 *
 * The low-level backup functions of PostgreSQL.
 */
#include "postgres/backup-session.h"

#include "base/error.h"
#include "postgres/maintenance.h"

#include <string.h>

struct PgBackupSession {
    PgConnection *connection;
};

PgBackupSession *pg_backup_session_open(const char *conninfo, GCancellable *cancellable,
                                        GError **error)
{
    g_autoptr(PgConnection) connection = pg_connect_maintenance(conninfo, cancellable, error);
    PgBackupSession *session;

    if (connection == NULL)
        return NULL;
    if (pg_connection_version(connection) < PG_VERSION_OLDEST) {
        error_set(error, ERROR_UNSUPPORTED, "postgresql at %s is version %d, older than 13",
                  pg_connection_server(connection), pg_connection_version(connection) / 10000);
        return NULL;
    }
    session = g_new0(PgBackupSession, 1);
    session->connection = g_steal_pointer(&connection);
    return session;
}

void pg_backup_session_free(PgBackupSession *session)
{
    if (session == NULL)
        return;
    pg_connection_free(session->connection);
    g_free(session);
}

PgConnection *pg_backup_session_connection(PgBackupSession *session)
{
    return session->connection;
}

/* --- what the server says of itself ----------------------------------------------------------- */

static const char facts_sql[] =
    "SELECT s.system_identifier, c.timeline_id, i.bytes_per_wal_segment, i.database_block_size, "
    "       i.blocks_per_segment, i.data_page_checksum_version > 0, pg_catalog.pg_is_in_recovery() "
    "FROM pg_catalog.pg_control_system() s, pg_catalog.pg_control_checkpoint() c, "
    "     pg_catalog.pg_control_init() i";

/* What a server has to have at least as much of to replay this one's WAL, and what a restore may
 * want to know. */
static const char settings_sql[] =
    "SELECT name, setting FROM pg_catalog.pg_settings WHERE name IN ("
    "'max_connections', 'max_worker_processes', 'max_wal_senders', 'max_prepared_transactions', "
    "'max_locks_per_transaction', 'wal_level', 'wal_log_hints', 'full_page_writes', "
    "'archive_mode', "
    "'shared_preload_libraries', 'track_commit_timestamp', 'config_file', 'hba_file', "
    "'ident_file', "
    "'data_directory', 'port', 'shared_buffers', 'huge_pages') ORDER BY name";

static gboolean read_facts(PgBackupSession *session, PgPhysical *physical, GError **error)
{
    g_autoptr(PGresult) facts = pg_query(session->connection, facts_sql, 0, NULL, error);

    if (facts == NULL) {
        error_add_hint(error,
                       "a physical backup needs pg_control_system(), pg_control_checkpoint() "
                       "and pg_control_init()");
        return FALSE;
    }
    /* A bigint: the identifier is unsigned and comes with a sign. */
    physical->system_identifier = (guint64)pg_int(facts, 0, 0);
    physical->timeline = (guint32)pg_uint(facts, 0, 1);
    physical->segment_size = (guint32)pg_uint(facts, 0, 2);
    physical->block_size = (guint32)pg_uint(facts, 0, 3);
    physical->relation_segment_blocks = (guint32)pg_uint(facts, 0, 4);
    physical->page_checksums = pg_bool(facts, 0, 5);
    physical->from_standby = pg_bool(facts, 0, 6);
    g_free(physical->server.system_identifier);
    physical->server.system_identifier =
        g_strdup_printf("%" G_GUINT64_FORMAT, physical->system_identifier);
    return TRUE;
}

static gboolean read_pairs(PgBackupSession *session, const char *sql, GPtrArray *pairs,
                           GError **error)
{
    g_autoptr(PGresult) result = pg_query(session->connection, sql, 0, NULL, error);

    if (result == NULL)
        return FALSE;
    for (int row = 0; row < PQntuples(result); row++)
        g_ptr_array_add(pairs,
                        g_strconcat(pg_text(result, row, 0), "\t", pg_text(result, row, 1), NULL));
    return TRUE;
}

gboolean pg_backup_session_describe(PgBackupSession *session, PgPhysical *physical, GError **error)
{
    return pg_server_read(session->connection, &physical->server, error) &&
           read_facts(session, physical, error) &&
           read_pairs(session, settings_sql, physical->settings, error) &&
           read_pairs(session, "SELECT oid, datname FROM pg_catalog.pg_database ORDER BY oid",
                      physical->databases, error);
}

gboolean pg_backup_session_tablespaces(PgBackupSession *session, PgPhysical *physical,
                                       GError **error)
{
    /* In-place tablespaces name their directory below the data directory. */
    g_autoptr(PGresult) result =
        pg_query(session->connection,
                 "SELECT oid, spcname, pg_catalog.pg_tablespace_location(oid) "
                 "FROM pg_catalog.pg_tablespace WHERE oid NOT IN (1663, 1664) ORDER BY oid",
                 0, NULL, error);

    if (result == NULL)
        return FALSE;
    g_ptr_array_set_size(physical->tablespaces, 0);
    for (int row = 0; row < PQntuples(result); row++) {
        const char *location = pg_text(result, row, 2);

        pg_physical_add_tablespace(physical, (guint32)pg_uint(result, row, 0),
                                   pg_text(result, row, 1),
                                   location != NULL && location[0] == '/' ? location : NULL);
    }
    return TRUE;
}

char *pg_backup_session_data_directory(PgBackupSession *session)
{
    char *directory = NULL;

    return pg_query_value(session->connection,
                          "SELECT pg_catalog.current_setting('data_directory')", &directory, NULL)
               ? directory
               : NULL;
}

gboolean pg_backup_session_now(PgBackupSession *session, gint64 *ret_now, GError **error)
{
    g_autofree char *now = NULL;

    if (!pg_query_value(
            session->connection,
            "SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint", &now,
            error))
        return FALSE;
    *ret_now = g_ascii_strtoll(now, NULL, 10);
    return TRUE;
}

/* --- start and stop --------------------------------------------------------------------------- */

static gboolean is_new(PgBackupSession *session)
{
    return pg_connection_version(session->connection) >= 150000;
}

gboolean pg_backup_session_start(PgBackupSession *session, const char *label, PgPhysical *physical,
                                 GError **error)
{
    const char *sql = is_new(session) ? "SELECT pg_catalog.pg_backup_start($1, true)"
                                      : "SELECT pg_catalog.pg_start_backup($1, true, false)";
    const char *parameters[] = {label};
    g_autoptr(PGresult) result = pg_query(session->connection, sql, 1, parameters, error);

    if (result == NULL) {
        g_prefix_error(error, "the server does not start a backup: ");
        return FALSE;
    }
    return pg_lsn_parse(pg_text(result, 0, 0), &physical->start, error) &&
           pg_backup_session_now(session, &physical->start_time, error);
}

/* A standby goes on replaying when its primary is promoted to a new timeline: WAL of two timelines
 * is more than one backup_label can describe. */
static gboolean check_timeline(PgBackupSession *session, const PgPhysical *physical, GError **error)
{
    g_autoptr(PGresult) result = NULL;
    guint32 timeline;

    if (!physical->from_standby)
        return TRUE;
    result = pg_query(session->connection,
                      "SELECT min_recovery_end_timeline FROM pg_catalog.pg_control_recovery()", 0,
                      NULL, error);
    if (result == NULL)
        return FALSE;
    timeline = (guint32)pg_uint(result, 0, 0);
    if (timeline == 0 || timeline == physical->timeline)
        return TRUE;
    error_set(error, ERROR_VANISHED,
              "the standby went from timeline %u to %u while it was backed up", physical->timeline,
              timeline);
    error_add_hint(error, "run the backup again");
    return FALSE;
}

gboolean pg_backup_session_stop(PgBackupSession *session, PgPhysical *physical, char **ret_label,
                                char **ret_map, GError **error)
{
    const char *sql =
        is_new(session) ? "SELECT lsn, labelfile, spcmapfile FROM pg_catalog.pg_backup_stop(false)"
                        : "SELECT lsn, labelfile, spcmapfile "
                          "FROM pg_catalog.pg_stop_backup(false, false)";
    g_autoptr(PGresult) result = pg_query(session->connection, sql, 0, NULL, error);
    const char *map;

    if (result == NULL) {
        g_prefix_error(error, "the server does not end the backup: ");
        return FALSE;
    }
    if (!pg_lsn_parse(pg_text(result, 0, 0), &physical->stop, error) ||
        !pg_backup_session_now(session, &physical->stop_time, error) ||
        !pg_backup_label_parse(pg_text(result, 0, 1), physical, error) ||
        !check_timeline(session, physical, error))
        return FALSE;
    map = pg_text(result, 0, 2);
    *ret_label = g_strdup(pg_text(result, 0, 1));
    *ret_map = g_strdup(map != NULL ? map : "");
    return TRUE;
}

/* --- the files that the stop gives ------------------------------------------------------------ */

/* What stands behind "KEY: " in the line that begins with it, up to a blank or the end of the line.
 * Free with g_free(). */
static char *label_value(const char *label, const char *key)
{
    gsize length = strlen(key);

    for (const char *line = label; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && strncmp(line + length, ": ", 2) == 0)
            return g_strndup(line + length + 2, strcspn(line + length + 2, " \n"));
    }
    return NULL;
}

gboolean pg_backup_label_parse(const char *label, PgPhysical *physical, GError **error)
{
    g_autofree char *start = label_value(label, "START WAL LOCATION");
    g_autofree char *checkpoint = label_value(label, "CHECKPOINT LOCATION");
    g_autofree char *timeline = label_value(label, "START TIMELINE");
    guint64 number;
    PgLsn start_lsn, checkpoint_lsn;

    if (start == NULL || checkpoint == NULL || timeline == NULL ||
        !pg_lsn_parse(start, &start_lsn, NULL) ||
        !pg_lsn_parse(checkpoint, &checkpoint_lsn, NULL) ||
        !g_ascii_string_to_unsigned(timeline, 10, 1, G_MAXUINT32, &number, NULL)) {
        error_set(error, ERROR_FORMAT,
                  "the server's backup_label has no start, checkpoint or "
                  "timeline that can be read");
        return FALSE;
    }
    physical->start = start_lsn;
    physical->checkpoint = checkpoint_lsn;
    physical->timeline = (guint32)number;
    return TRUE;
}

GHashTable *pg_tablespace_map_oids(const char *map)
{
    GHashTable *oids = g_hash_table_new(NULL, NULL);

    /* "16390 /mnt/fast": a line feed inside of a path has a backslash before it, and digits and a
     * blank do not follow there by chance; an oid too many does no harm. */
    for (const char *line = map; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        char *end;
        guint64 oid;

        line += *line == '\n';
        oid = g_ascii_strtoull(line, &end, 10);
        if (oid > 0 && oid <= G_MAXUINT32 && *end == ' ')
            g_hash_table_add(oids, GUINT_TO_POINTER((guint32)oid));
    }
    return oids;
}
