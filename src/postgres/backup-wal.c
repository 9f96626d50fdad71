/* SPDX-License-Identifier: Apache-2.0
 *
 * Proving and collecting the WAL of a backup.
 */
#include "postgres/backup-wal.h"

#include "base/error.h"
#include "base/throttle.h"
#include "base/time.h"

#include <string.h>

/* How long a segment may take to come. A standby's primary ends its segment when it likes
 * (archive_timeout). */
#define ARCHIVE_WAIT         (60 * TIME_SECOND)
#define ARCHIVE_WAIT_STANDBY (5 * TIME_MINUTE)
/* The archiver tries three times, a second apart, then rests for a minute: who has failed after
 * this long will not come. */
#define FAILURE_WAIT (5 * TIME_SECOND)
#define STEP_FIRST   (5 * 1000)
#define STEP_LAST    (200 * 1000)

/* --- before the start ------------------------------------------------------------------------- */

static gboolean check_switched_on(const PgBackupWal *wal, GError **error)
{
    g_autoptr(PGresult) result =
        pg_query(wal->connection,
                 "SELECT pg_catalog.current_setting('archive_mode'), "
                 "       EXISTS (SELECT FROM pg_catalog.pg_stat_replication)",
                 0, NULL, error);

    if (result == NULL)
        return FALSE;
    if (strcmp(pg_text(result, 0, 0), "off") != 0 || pg_bool(result, 0, 1))
        return TRUE;
    error_set(error, ERROR_REFUSED,
              "no WAL is archived at %s: archive_mode is off, and nobody receives WAL",
              pg_connection_server(wal->connection));
    error_add_hint(error,
                   "a physical backup is worth nothing without its WAL: `holdfast check %s` prints "
                   "the lines for postgresql.conf, or run `holdfast wal receive %s`",
                   wal->archive.source, wal->archive.source);
    return FALSE;
}

gboolean pg_backup_wal_probe(const PgBackupWal *wal, char **ret_segment, GError **error)
{
    /* The restore point is there so that the segment holds something: a switch of an empty one does
     * nothing. */
    static const char sql[] =
        "SELECT pg_catalog.pg_walfile_name(pg_catalog.pg_switch_wal()) "
        "FROM (SELECT pg_catalog.pg_create_restore_point('holdfast backup') OFFSET 0) AS written";

    if (wal->standby) {
        *ret_segment = NULL;
        return TRUE;
    }
    if (!check_switched_on(wal, error))
        return FALSE;
    if (pg_query_value(wal->connection, sql, ret_segment, error))
        return TRUE;
    error_add_hint(error, "a role that is no superuser needs EXECUTE on pg_switch_wal() and "
                          "pg_create_restore_point(text)");
    return FALSE;
}

/* --- waiting ---------------------------------------------------------------------------------- */

typedef struct {
    guint64 failed_count;
    char *failed_segment; /* or NULL */
    char *failed_time;    /* or NULL */
} ArchiverState;

static void archiver_state_clear(ArchiverState *state)
{
    g_clear_pointer(&state->failed_segment, g_free);
    g_clear_pointer(&state->failed_time, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ArchiverState, archiver_state_clear)

static gboolean read_archiver(const PgBackupWal *wal, ArchiverState *ret_state, GError **error)
{
    g_autoptr(PGresult) result = pg_query(wal->connection,
                                          "SELECT failed_count, last_failed_wal, last_failed_time "
                                          "FROM pg_catalog.pg_stat_archiver",
                                          0, NULL, error);

    if (result == NULL)
        return FALSE;
    *ret_state = (ArchiverState){
        .failed_count = pg_uint(result, 0, 0),
        .failed_segment = g_strdup(pg_text(result, 0, 1)),
        .failed_time = g_strdup(pg_text(result, 0, 2)),
    };
    return TRUE;
}

/* Says why a segment did not come, as far as the server knows. */
static void set_timeout(const PgBackupWal *wal, const char *segment, const ArchiverState *now,
                        gboolean failing, GError **error)
{
    if (failing)
        error_set(
            error, ERROR_TIMEOUT,
            "WAL segment %s does not come into the archive: archive_command failed on %s at %s",
            segment, now->failed_segment, now->failed_time);
    else
        error_set(error, ERROR_TIMEOUT, "WAL segment %s has not come into the archive in time",
                  segment);
    if (wal->standby)
        error_add_hint(error,
                       "the primary archives it when its segment ends: set archive_timeout "
                       "there, and archive_command to `holdfast wal push --source %s %%p`",
                       wal->archive.source);
    else
        error_add_hint(error,
                       "look into the server's log for what archive_command printed; "
                       "`holdfast check %s` tries archiving",
                       wal->archive.source);
}

static gboolean wait_for_segment(const PgBackupWal *wal, const char *segment, GError **error)
{
    gint64 limit = wal->standby ? ARCHIVE_WAIT_STANDBY : ARCHIVE_WAIT;
    gint64 began = time_monotonic(), step = STEP_FIRST;
    g_auto(ArchiverState) before = {0};

    for (;;) {
        gint64 waited = time_monotonic() - began;
        g_auto(ArchiverState) now = {0};
        gboolean present, failing;

        if (!wal_archive_has(&wal->archive, segment, &present, error))
            return FALSE;
        if (present)
            return TRUE;
        if (step == STEP_FIRST && !read_archiver(wal, &before, error))
            return FALSE;
        if (waited > FAILURE_WAIT) {
            if (!read_archiver(wal, &now, error))
                return FALSE;
            failing = now.failed_count > before.failed_count && now.failed_segment != NULL;
            if (failing || waited > limit) {
                set_timeout(wal, segment, &now, failing, error);
                return FALSE;
            }
        }
        if (!throttle_pause(step, wal->cancellable, error))
            return FALSE;
        step = MIN(step * 2, STEP_LAST);
    }
}

gboolean pg_backup_wal_prove(const PgBackupWal *wal, const char *segment,
                             const PgPhysical *physical, GError **error)
{
    guint64 number = physical->start / physical->segment_size;
    g_autofree char *before = NULL, *holding = NULL;
    gboolean present;

    if (segment != NULL)
        return wait_for_segment(wal, segment, error);
    holding = wal_segment_format(physical->timeline, number, physical->segment_size);
    if (!wal_archive_has(&wal->archive, holding, &present, error))
        return FALSE;
    if (present || number == 0)
        return TRUE;
    before = wal_segment_format(physical->timeline, number - 1, physical->segment_size);
    return wait_for_segment(wal, before, error);
}

/* --- after the stop --------------------------------------------------------------------------- */

void pg_backup_wal_range(const PgPhysical *physical, guint64 *ret_first, guint64 *ret_last)
{
    *ret_first = physical->start / physical->segment_size;
    *ret_last = MAX(*ret_first, (physical->stop - 1) / physical->segment_size);
}

typedef struct {
    Sha256 *hash;
    guint64 size;
} ObjectHash;

static gboolean hash_piece(const void *bytes, gsize length, gpointer data, GError **error)
{
    ObjectHash *object = data;

    sha256_update(object->hash, bytes, length);
    object->size += length;
    return TRUE;
}

static gboolean add_segment(const PgBackupWal *wal, const char *segment, BackupWriter *writer,
                            GError **error)
{
    g_autofree char *name = wal_archive_object_name(&wal->archive, segment);
    g_autofree char *path = g_strconcat("../../", name, NULL);
    g_autoptr(Sha256) hash = sha256_new();
    ObjectHash object = {hash, 0};
    guint8 digest[SHA256_SIZE];

    if (!wal_archive_verify(&wal->archive, segment, NULL, error) ||
        !store_stream(repository_store(wal->archive.repository), name, hash_piece, &object,
                      wal->cancellable, error))
        return FALSE;
    sha256_finish(hash, digest);
    return backup_writer_add_external(writer, path, digest, object.size, error);
}

gboolean pg_backup_wal_collect(const PgBackupWal *wal, const PgPhysical *physical,
                               BackupWriter *writer, Progress *progress, GError **error)
{
    guint64 first, last;

    pg_backup_wal_range(physical, &first, &last);
    progress_begin(progress, "waiting for WAL", (last - first + 1) * physical->segment_size, 0);
    for (guint64 number = first; number <= last; number++) {
        g_autofree char *segment =
            wal_segment_format(physical->timeline, number, physical->segment_size);

        if (!wait_for_segment(wal, segment, error) || !add_segment(wal, segment, writer, error))
            return FALSE;
        progress_add(progress, physical->segment_size, 0);
    }
    return TRUE;
}
