/* SPDX-License-Identifier: Apache-2.0
 *
 * How far a running server has written its WAL.
 */
#include "postgres/server-position.h"

#include "base/error.h"
#include "postgres/wal-walk.h"

/* An idle server has a few hundred bytes there; who has more has been at work. */
#define TAIL_LIMIT (256 * 1024)

gboolean pg_server_position(PgConnection *connection, PgServerPosition *ret_position,
                            GError **error)
{
    g_autoptr(PGresult) result =
        pg_query(connection,
                 "SELECT s.system_identifier, c.timeline_id, "
                 "pg_catalog.pg_current_wal_insert_lsn(), "
                 "(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint "
                 "FROM pg_catalog.pg_control_system() s, pg_catalog.pg_control_checkpoint() c "
                 "WHERE NOT pg_catalog.pg_is_in_recovery()",
                 0, NULL, error);
    PgServerPosition position = {0};

    if (result == NULL)
        return FALSE;
    if (PQntuples(result) != 1) {
        error_set(error, ERROR_REFUSED, "the server at %s is in recovery",
                  pg_connection_server(connection));
        return FALSE;
    }
    position.system_identifier = (guint64)pg_int(result, 0, 0);
    position.timeline = (guint32)pg_uint(result, 0, 1);
    position.now = pg_int(result, 0, 3);
    if (!pg_lsn_parse(pg_text(result, 0, 2), &position.insert, error))
        return FALSE;
    *ret_position = position;
    return TRUE;
}

/* The bytes of the server's current segment from its start up to its insert position; NULL where
 * they cannot be read. */
static PGresult *read_tail(PgConnection *connection, const PgServerPosition *position,
                           guint32 segment_size)
{
    g_autofree char *segment =
        wal_segment_format(position->timeline, position->insert / segment_size, segment_size);
    g_autofree char *sql =
        g_strdup_printf("SELECT pg_catalog.pg_read_binary_file('pg_wal/%s', 0, %" G_GUINT64_FORMAT
                        ")",
                        segment, position->insert % segment_size);
    g_autoptr(PGresult) result = pg_query(connection, sql, 0, NULL, NULL);

    if (result == NULL || PQntuples(result) != 1 || PQgetisnull(result, 0, 0))
        return NULL;
    return g_steal_pointer(&result);
}

gboolean pg_server_is_archived(PgConnection *connection, const PgServerPosition *position,
                               PgLsn archived, guint32 segment_size)
{
    PgLsn begin = position->insert - position->insert % segment_size;
    g_autoptr(PGresult) result = NULL;
    g_autoptr(GError) problem = NULL;
    unsigned char *bytes;
    gsize length;
    WalScan scan;
    gboolean quiet;

    /* A new segment begins with a header, which is no record. */
    if (position->insert <= archived + WAL_HEADER_SIZE)
        return TRUE;
    if (begin > archived || position->insert - begin > TAIL_LIMIT)
        return FALSE;
    result = read_tail(connection, position, segment_size);
    if (result == NULL)
        return FALSE;
    bytes = PQunescapeBytea((const unsigned char *)PQgetvalue(result, 0, 0), &length);
    if (bytes == NULL)
        return FALSE;
    /* All of it must be read: records that are not understood may be commits. */
    quiet = wal_scan(bytes, length, &scan, &problem) && scan.commits == 0 &&
            scan.end + 8 >= position->insert;
    PQfreemem(bytes);
    return quiet;
}
