/* SPDX-License-Identifier: Apache-2.0
 *
 * Does a server's WAL reach the archive?
 */
#include "postgres/check-physical.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "base/size.h"
#include "base/time.h"
#include "postgres/fact.h"
#include "postgres/inventory.h"
#include "postgres/wal-archive.h"
#include "postgres/wal-position.h"
#include "postgres/wal-push.h"
#include "postgres/wal-receive.h"
#include "postgres/wal-system.h"

#define ARRIVAL_LIMIT (60 * TIME_SECOND)
#define ARRIVAL_POLL  (100 * 1000)
/* An archiver that keeps up has one or two files waiting. */
#define QUEUE_WARNING 8
#define DROPPED_LIMIT (2 * 1024 * 1024)

typedef struct {
    const EngineCheck *request;
    PgConnection *connection;
    PgFacts facts;
    guint64 system_identifier;
    guint32 segment_size;
    gboolean standby;
    gboolean archiving; /* archive_mode and a command */
    gboolean receiving; /* a `wal receive` is connected to our slot */
} Check;

/* --- settings --------------------------------------------------------------------------------- */

char *pg_archive_settings(const Config *config, const char *source)
{
    g_autofree char *program = process_own_command();
    g_autofree char *path = config_path(config) != NULL
                                ? g_canonicalize_filename(config_path(config), NULL)
                                : config_default_path();
    g_autofree char *option = strcmp(path, "/etc/holdfast/holdfast.conf") == 0
                                  ? g_strdup("")
                                  : g_strdup_printf(" --config %s", path);

    return g_strdup_printf("wal_level = replica\n"
                           "archive_mode = on\n"
                           "archive_command = '%s%s wal push %%p --source %s'\n"
                           "archive_timeout = 300",
                           program != NULL ? program : "holdfast", option, source);
}

static gboolean read_setting(const Check *check, const char *name, char **ret_value)
{
    const char *const parameters[] = {name};
    g_autoptr(GError) problem = NULL;
    g_autoptr(PGresult) row =
        pg_query(check->connection, "SELECT pg_catalog.current_setting($1, true)", 1, parameters,
                 &problem);

    if (row == NULL) {
        pg_fact_error(&check->facts, name, problem);
        return FALSE;
    }
    *ret_value = g_strdup(pg_text(row, 0, 0) != NULL ? pg_text(row, 0, 0) : "");
    return TRUE;
}

static void check_settings(Check *check)
{
    g_autofree char *level = NULL, *mode = NULL, *command = NULL, *library = NULL, *timeout = NULL;
    g_autofree char *lines = NULL, *hint = NULL;

    if (!read_setting(check, "wal_level", &level) || !read_setting(check, "archive_mode", &mode) ||
        !read_setting(check, "archive_command", &command) ||
        !read_setting(check, "archive_library", &library) ||
        !read_setting(check, "archive_timeout", &timeout))
        return;
    lines = pg_archive_settings(check->request->config, check->request->source->name);
    hint = g_strconcat("write these lines into postgresql.conf and restart the server:\n", lines,
                       NULL);
    /* "(disabled)" is what the server shows of a command while archive_mode is off. */
    check->archiving =
        strcmp(mode, "off") != 0 &&
        ((command[0] != '\0' && strcmp(command, "(disabled)") != 0) || library[0] != '\0');
    if (strcmp(level, "minimal") == 0)
        pg_fact(&check->facts, FACT_FAILED, "wal_level", hint,
                "is minimal: there is nothing to recover from");
    else if (check->archiving)
        pg_fact(&check->facts, FACT_OK, "archiving", NULL,
                "archive_mode = %s, archive_command = '%s'", mode,
                library[0] != '\0' ? library : command);
    else if (check->receiving)
        pg_fact(&check->facts, FACT_OK, "archiving", NULL, "by holdfast wal receive");
    else
        pg_fact(&check->facts, FACT_FAILED, "archiving", hint,
                "is off: archive_mode = %s, archive_command = '%s'", mode, command);
    if (check->archiving && !check->receiving && strcmp(timeout, "0") == 0)
        pg_fact(&check->facts, FACT_WARNING, "archive_timeout", "archive_timeout = 300",
                "is 0: a quiet server keeps its last segment to itself for ever");
}

/* --- whose WAL -------------------------------------------------------------------------------- */

static gboolean check_system(Check *check)
{
    const char *source = check->request->source->name;
    g_autoptr(GError) problem = NULL;
    g_autofree char *hint =
        g_strdup_printf("if it was upgraded or made anew, accept it with: holdfast check %s",
                        source);
    gboolean known;
    guint64 newest;

    if (!wal_system_known(check->request->repository, source, check->system_identifier, &known,
                          &problem) ||
        !wal_system_newest(check->request->repository, source, &newest, NULL, &problem)) {
        pg_fact_error(&check->facts, "system identifier", problem);
        return FALSE;
    }
    if (!known && newest != 0 && !check->request->named) {
        pg_fact(&check->facts, FACT_FAILED, "system identifier", hint,
                "the server has %" G_GUINT64_FORMAT
                ", and the source is known as %" G_GUINT64_FORMAT,
                check->system_identifier, newest);
        return FALSE;
    }
    if (!known && !wal_system_accept(check->request->repository, source, check->system_identifier,
                                     "check", &problem)) {
        pg_fact_error(&check->facts, "system identifier", problem);
        return FALSE;
    }
    if (!known && newest != 0)
        pg_fact(&check->facts, FACT_WARNING, "system identifier", "make a full backup",
                "%" G_GUINT64_FORMAT " is accepted now; the source was %" G_GUINT64_FORMAT
                " before",
                check->system_identifier, newest);
    else
        pg_fact(&check->facts, FACT_OK, "system identifier", NULL, "%" G_GUINT64_FORMAT,
                check->system_identifier);
    return TRUE;
}

/* --- end to end ------------------------------------------------------------------------------- */

/* A record of our own, so that there is something to switch away from. The segment's name, or NULL
 * with the fact told. */
static char *force_segment(const Check *check)
{
    g_autoptr(GError) problem = NULL;
    char *segment = NULL;
    g_autofree char *switched = NULL;

    if (pg_query_value(
            check->connection,
            "SELECT pg_catalog.pg_walfile_name(pg_catalog.pg_create_restore_point('holdfast "
            "check'))",
            &segment, &problem) &&
        pg_query_value(check->connection, "SELECT pg_catalog.pg_switch_wal()", &switched, &problem))
        return segment;
    g_free(segment);
    if (error_is(problem, ERROR_PRIVILEGE))
        pg_fact(&check->facts, FACT_WARNING, "WAL archive",
                "grant EXECUTE on pg_switch_wal() and pg_create_restore_point(text) to the role",
                "the role may not switch segments: archiving was not tried");
    else
        pg_fact_error(&check->facts, "WAL archive", problem);
    return NULL;
}

/* What the server tells of its last failure; NULL where there is none newer than its last
 * success. */
static char *archiver_failure(const Check *check)
{
    g_autoptr(GError) problem = NULL;
    char *failed = NULL;

    if (!pg_query_value(
            check->connection,
            "SELECT last_failed_wal || ' failed at ' || last_failed_time::text || ', ' || "
            "failed_count::text || ' failures in all' FROM pg_catalog.pg_stat_archiver "
            "WHERE last_failed_time > coalesce(last_archived_time, '-infinity')",
            &failed, &problem))
        return NULL;
    return failed;
}

static void tell_missing(const Check *check, const char *segment)
{
    g_autofree char *failure = check->archiving ? archiver_failure(check) : NULL;
    g_autofree char *lines =
        pg_archive_settings(check->request->config, check->request->source->name);
    g_autofree char *hint =
        g_strconcat(failure != NULL
                        ? "the server's log has the command's own words; archiving needs:\n"
                        : "the server must archive into this repository:\n",
                    lines, NULL);

    pg_fact(&check->facts, FACT_FAILED, "WAL archive", hint,
            "%s did not come to the archive within %d s%s%s", segment,
            (int)(ARRIVAL_LIMIT / TIME_SECOND), failure != NULL ? ": " : "",
            failure != NULL ? failure : "");
}

static void check_arrival(const Check *check)
{
    const WalArchive archive = {check->request->repository, check->request->source->name,
                                check->system_identifier, 0};
    g_autofree char *segment = NULL, *took = NULL;
    gint64 start = time_monotonic();
    gboolean present = FALSE;

    if (check->standby) {
        pg_fact(&check->facts, FACT_OK, "WAL archive", NULL,
                "a standby cannot switch segments: not tried");
        return;
    }
    segment = force_segment(check);
    if (segment == NULL)
        return;
    while (!present && time_monotonic() - start < ARRIVAL_LIMIT) {
        g_autoptr(GError) problem = NULL;

        if (!wal_archive_has(&archive, segment, &present, &problem)) {
            pg_fact_error(&check->facts, "WAL archive", problem);
            return;
        }
        if (g_cancellable_is_cancelled(check->request->cancellable))
            return;
        if (!present)
            g_usleep(ARRIVAL_POLL);
    }
    took = duration_format(time_monotonic() - start);
    if (present)
        pg_fact(&check->facts, FACT_OK, "WAL archive", NULL, "%s came to the archive in %s",
                segment, took);
    else
        tell_missing(check, segment);
}

/* --- the queue -------------------------------------------------------------------------------- */

static void check_queue(const Check *check)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *value = NULL, *failure = archiver_failure(check), *size = NULL;
    g_autofree char *files = NULL;
    guint64 limit = check->request->source->archive_queue_max;
    guint64 count, bytes;

    if (!pg_query_value(check->connection,
                        "SELECT count(*) FROM pg_catalog.pg_ls_archive_statusdir() "
                        "WHERE name LIKE '%.ready'",
                        &value, &problem)) {
        if (!error_is(problem, ERROR_PRIVILEGE))
            pg_fact_error(&check->facts, "archive queue", problem);
        return;
    }
    count = g_ascii_strtoull(value, NULL, 10);
    bytes = count * check->segment_size;
    size = size_format(bytes);
    files = g_strdup_printf("%" G_GUINT64_FORMAT " file%s waiting", count, count == 1 ? "" : "s");
    if (failure != NULL)
        pg_fact(&check->facts, FACT_FAILED, "archive queue",
                "the server's log has the command's own words", "%s (%s): %s", files, size,
                failure);
    else if (count >= QUEUE_WARNING || (limit != 0 && bytes > limit / 2))
        pg_fact(
            &check->facts, FACT_WARNING, "archive queue",
            "archiving is slower than the server writes: try archive_async = on in the source's "
            "section",
            "%s (%s)", files, size);
    else
        pg_fact(&check->facts, FACT_OK, "archive queue", NULL, "%s", files);
}

static gboolean backup_since(const Check *check, gint64 when)
{
    g_autoptr(GPtrArray) backups = NULL;

    if (!wal_backups(check->request->repository, check->request->source->name, &backups, NULL))
        return FALSE;
    for (guint i = 0; i < backups->len; i++) {
        const WalBackup *backup = backups->pdata[i];

        if (backup->problem == NULL && backup->start > when)
            return TRUE;
    }
    return FALSE;
}

/* What archive_queue_max threw away is told until a backup was made behind it. */
static void check_dropped(const Check *check)
{
    g_autofree char *path = wal_dropped_path(check->request->config, check->request->source->name);
    g_autofree char *text = NULL, *when_text = NULL;
    g_auto(GStrv) lines = NULL;
    const char *last;
    gsize length;
    gint64 when;
    guint count;

    if (!file_read(path, DROPPED_LIMIT, &text, &length, NULL))
        return;
    lines = g_strsplit(g_strchomp(text), "\n", -1);
    count = g_strv_length(lines);
    if (count == 0)
        return;
    last = lines[count - 1];
    when_text = g_strndup(last, strcspn(last, " "));
    if (time_parse(when_text, NULL, &when, NULL) && backup_since(check, when))
        return;
    pg_fact(&check->facts, FACT_FAILED, "dropped WAL", "make a full backup now",
            "%u files were dropped because of archive_queue_max, the last was %s: nothing can be "
            "recovered "
            "beyond the first",
            count, last);
}

/* --- slots ------------------------------------------------------------------------------------ */

static void check_slot(const Check *check, const PGresult *rows, int row)
{
    const char *name = pg_text(rows, row, 0), *status = pg_text(rows, row, 1);
    const char *limit = pg_text(rows, row, 4);
    gboolean active = pg_bool(rows, row, 2), unlimited = strcmp(limit, "-1") == 0;
    guint64 kept = pg_uint(rows, row, 3);
    g_autofree char *size = size_format(kept);
    g_autofree char *subject = g_strdup_printf("slot %s", name);

    if (g_strcmp0(status, "lost") == 0)
        pg_fact(&check->facts, FACT_FAILED, subject, "drop the slot; who used it has to start anew",
                "has lost WAL that it needed (wal_status lost, max_slot_wal_keep_size %s)", limit);
    else if (g_strcmp0(status, "unreserved") == 0)
        pg_fact(&check->facts, FACT_WARNING, subject,
                "raise max_slot_wal_keep_size, or see why it lags",
                "is about to lose WAL (wal_status unreserved, %s kept, max_slot_wal_keep_size %s)",
                size, limit);
    else if (!active && unlimited)
        pg_fact(&check->facts, FACT_WARNING, subject,
                "drop it if nobody needs it, and set max_slot_wal_keep_size",
                "nobody uses it, and it keeps %s of WAL without a limit: it will fill the disk",
                size);
    else
        pg_fact(&check->facts, FACT_OK, subject, NULL,
                "wal_status %s, %s, %s kept, max_slot_wal_keep_size %s",
                status != NULL ? status : "unknown", active ? "active" : "not active", size,
                unlimited ? "without a limit" : limit);
}

static void check_slots(Check *check)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *own = wal_receive_slot(check->request->source->name);
    g_autoptr(PGresult) rows = pg_query(
        check->connection,
        "SELECT slot_name, wal_status, active, "
        "greatest(coalesce(pg_catalog.pg_wal_lsn_diff(CASE WHEN pg_catalog.pg_is_in_recovery() "
        "THEN pg_catalog.pg_last_wal_receive_lsn() ELSE pg_catalog.pg_current_wal_lsn() END, "
        "restart_lsn), 0), 0)::bigint, "
        "pg_catalog.current_setting('max_slot_wal_keep_size') "
        "FROM pg_catalog.pg_replication_slots ORDER BY slot_name",
        0, NULL, &problem);

    if (rows == NULL) {
        pg_fact_error(&check->facts, "replication slots", problem);
        return;
    }
    for (int row = 0; row < PQntuples(rows); row++) {
        check_slot(check, rows, row);
        if (strcmp(pg_text(rows, row, 0), own) == 0)
            check->receiving = pg_bool(rows, row, 2);
    }
}

/* --- the whole -------------------------------------------------------------------------------- */

static gboolean read_server(Check *check)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(PGresult) row = pg_query(
        check->connection,
        "SELECT system_identifier, pg_catalog.pg_is_in_recovery(), "
        "(SELECT setting::bigint FROM pg_catalog.pg_settings WHERE name = 'wal_segment_size') "
        "FROM pg_catalog.pg_control_system()",
        0, NULL, &problem);

    if (row == NULL) {
        pg_fact_error(&check->facts, "system identifier", problem);
        return FALSE;
    }
    /* The server shows it as a signed number. */
    check->system_identifier = (guint64)pg_int(row, 0, 0);
    check->standby = pg_bool(row, 0, 1);
    check->segment_size = (guint32)pg_uint(row, 0, 2);
    return TRUE;
}

void pg_check_physical(const EngineCheck *request, PgConnection *connection, FactFunc func,
                       gpointer data)
{
    Check check = {.request = request, .connection = connection, .facts = {func, data}};

    if (!read_server(&check))
        return;
    check_slots(&check);
    check_settings(&check);
    check_queue(&check);
    /* Without a repository the command has told already what is wrong. */
    if (request->repository == NULL)
        return;
    if (check_system(&check) && (check.archiving || check.receiving))
        check_arrival(&check);
    check_dropped(&check);
}
