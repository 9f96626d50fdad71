/* SPDX-License-Identifier: Apache-2.0
 *
 * A physical backup from end to end: archiving proved, backup started, files copied, backup
 * stopped, WAL collected, details written.
 */
#include "postgres/physical.h"

#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "postgres/backup-session.h"
#include "postgres/backup-wal.h"
#include "postgres/base.h"
#include "postgres/copy-local.h"
#include "postgres/copy-stream.h"
#include "postgres/data-directory.h"
#include "postgres/file-list.h"
#include "postgres/physical-tables.h"
#include "postgres/wal-system.h"

#include <string.h>

/* More than these are counted, not named. */
#define NAMED_FAILURES 10

typedef struct {
    const EngineBackup *request;
    PgPhysical *physical;
    PgPhysical *base; /* without its files; NULL: a full */
    PgBackupSession *session;
    PgBackupWal wal;
    PoolWriter *pool;
    PgPageCheck *pages; /* NULL: no page checksums */
    Throttle *throttle;
    char *data_directory; /* NULL: stream */
    char *label, *map;    /* backup_label, tablespace_map */
} PhysicalBackup;

static void physical_backup_clear(PhysicalBackup *run)
{
    g_clear_pointer(&run->pool, pool_writer_free);
    g_clear_pointer(&run->physical, pg_physical_free);
    g_clear_pointer(&run->base, pg_physical_free);
    g_clear_pointer(&run->session, pg_backup_session_free);
    g_clear_pointer(&run->pages, pg_page_check_free);
    g_clear_pointer(&run->throttle, throttle_free);
    g_clear_pointer(&run->data_directory, g_free);
    g_clear_pointer(&run->label, g_free);
    g_clear_pointer(&run->map, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PhysicalBackup, physical_backup_clear)

/* --- before the start ------------------------------------------------------------------------- */

static gboolean check_request(const EngineBackup *request, GError **error)
{
    if (request->databases == NULL)
        return TRUE;
    error_set(error, ERROR_USAGE, "a physical backup holds the whole server, not single databases");
    error_add_hint(error, "use --method logical, or choose the databases at the restore");
    return FALSE;
}

/* Local where the data directory can be read here, unless it is said otherwise. */
static gboolean choose_access(PhysicalBackup *run, GError **error)
{
    const EngineBackup *request = run->request;
    const char *access = request->access != NULL ? request->access : request->source->access;
    g_autoptr(GError) problem = NULL;

    if (strcmp(access, "stream") != 0 &&
        !pg_data_directory_find(run->session, request->source, run->physical, &run->data_directory,
                                &problem)) {
        if (strcmp(access, "local") == 0) {
            g_propagate_error(error, g_steal_pointer(&problem));
            error_add_hint(error, "run holdfast on the server's host as its user, or use "
                                  "--access stream");
            return FALSE;
        }
        log_write(LOG_INFO, "streaming, since the files cannot be read here: %s", problem->message);
    }
    run->physical->access = g_strdup(run->data_directory != NULL ? "local" : "stream");
    return run->data_directory == NULL ||
           pg_base_identify_host(run->data_directory, run->physical, error);
}

static gboolean open_pool(PhysicalBackup *run, GError **error)
{
    const EngineBackup *request = run->request;
    PoolWriterOptions options = {
        .backup = request->writer,
        .backup_id = manifest_id(request->manifest),
        .compression = request->compression,
        .unfinished = request->unfinished,
    };

    if (request->base != NULL) {
        if (!pg_physical_read_head(request->base, &run->base, error))
            return FALSE;
        options.hash_key = run->base->hash_key;
    } else if (request->unfinished == NULL ||
               !pool_unfinished_hash_key(request->unfinished, &options.hash_key)) {
        random_fill(&options.hash_key, sizeof options.hash_key);
    }
    run->physical->hash_key = options.hash_key;
    run->pool = pool_writer_new(&options, error);
    if (run->pool == NULL)
        return FALSE;
    if (run->base != NULL)
        pool_writer_leave_sparse(run->pool, run->base->reader);
    return TRUE;
}

static gboolean open_server(PhysicalBackup *run, GError **error)
{
    const EngineBackup *request = run->request;
    Repository *repository = backup_writer_repository(request->writer);
    PgPhysical *physical = run->physical;

    run->session = pg_backup_session_open(request->source->conninfo, request->cancellable, error);
    if (run->session == NULL || !pg_backup_session_describe(run->session, physical, error))
        return FALSE;
    manifest_set_server_version(request->manifest, physical->server.version);
    if (physical->page_checksums)
        run->pages = pg_page_check_new(physical->block_size, physical->relation_segment_blocks);
    run->throttle = throttle_new(request->rate);
    run->wal = (PgBackupWal){
        .connection = pg_backup_session_connection(run->session),
        .archive = {.repository = repository,
                    .source = request->source->name,
                    .system_identifier = physical->system_identifier,
                    .segment_size = physical->segment_size},
        .standby = physical->from_standby,
        .cancellable = request->cancellable,
    };
    return wal_system_accept(repository, request->source->name, physical->system_identifier,
                             "backup", error) &&
           choose_access(run, error);
}

/* --- local ------------------------------------------------------------------------------------ */

/* The data directory must be the server's that was started: its pg_control has the checkpoint of
 * the start, or a later one. */
static gboolean check_control(const PhysicalBackup *run, PgControl *ret_control, GError **error)
{
    if (!pg_control_read(run->data_directory, ret_control, NULL, error))
        return FALSE;
    if (ret_control->system_identifier == run->physical->system_identifier &&
        ret_control->checkpoint_redo >= run->physical->start)
        return TRUE;
    error_set(error, ERROR_REFUSED,
              "%s/global/pg_control does not show the checkpoint of the backup's start: it is of "
              "another server",
              run->data_directory);
    error_add_hint(error, "check data_directory in the source's section");
    return FALSE;
}

static gboolean scan_files(PhysicalBackup *run, guint32 catalog_version, GError **error)
{
    const PgFileScan scan = {
        .data_directory = run->data_directory,
        .server_major = run->physical->server.version_num / 10000,
        .catalog_version = catalog_version,
        .cancellable = run->request->cancellable,
    };
    g_autoptr(GPtrArray) files = NULL, warnings = NULL;

    if (!pg_file_scan(&scan, &files, &warnings, error))
        return FALSE;
    for (guint i = 0; i < warnings->len; i++)
        manifest_add_warning(run->request->manifest, g_ptr_array_index(warnings, i));
    g_ptr_array_unref(run->physical->files);
    run->physical->files = g_steal_pointer(&files);
    return TRUE;
}

/* Whether files may be skipped by their times; says so where they may not. */
static gboolean may_trust_times(const PhysicalBackup *run)
{
    const char *reason;

    if (run->base == NULL || run->request->checksum)
        return FALSE;
    reason = pg_base_times_reason(run->physical, run->base);
    if (reason == NULL)
        return TRUE;
    log_write(LOG_INFO, "every file is read: %s", reason);
    return FALSE;
}

static void drop_vanished(PhysicalBackup *run, const GArray *items)
{
    g_autoptr(GHashTable) vanished = g_hash_table_new(NULL, NULL);
    g_autoptr(GPtrArray) kept = g_ptr_array_new_with_free_func((GDestroyNotify)pg_file_free);
    GPtrArray *files = run->physical->files;

    for (guint i = 0; i < items->len; i++) {
        const PgCopyItem *item = &g_array_index(items, PgCopyItem, i);

        if (item->vanished)
            g_hash_table_add(vanished, item->file);
    }
    if (g_hash_table_size(vanished) == 0)
        return;
    for (guint i = 0; i < files->len; i++) {
        PgFile *file = g_ptr_array_index(files, i);

        if (!g_hash_table_contains(vanished, file)) {
            g_ptr_array_add(kept, file);
            files->pdata[i] = NULL;
        }
    }
    run->physical->files = g_steal_pointer(&kept);
    g_ptr_array_unref(files);
}

static gboolean copy_files(PhysicalBackup *run, GError **error)
{
    const EngineBackup *request = run->request;
    g_autoptr(GArray) items = NULL;
    PgCopyLocal copy = {
        .data_directory = run->data_directory,
        .pool = run->pool,
        .base_reader = run->base != NULL ? run->base->reader : NULL,
        .pages = run->pages,
        .jobs = MAX(request->jobs, 1),
        .throttle = run->throttle,
        .nice = request->nice,
        .progress = request->progress,
        .cancellable = request->cancellable,
    };

    if (!pg_base_match(request->base, run->base, may_trust_times(run), run->physical->files, &items,
                       error))
        return FALSE;
    copy.items = items;
    if (!pg_copy_local(&copy, error))
        return FALSE;
    drop_vanished(run, items);
    return TRUE;
}

/* Last of all files: until it is there, nothing that was copied before may be newer than what it
 * says. */
static gboolean copy_control(PhysicalBackup *run, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    PgControl control;

    if (!pg_control_read(run->data_directory, &control, &bytes, error))
        return FALSE;
    for (guint i = 0; i < run->physical->files->len; i++) {
        PgFile *file = g_ptr_array_index(run->physical->files, i);

        if (strcmp(file->path, PG_CONTROL_PATH) == 0)
            return pg_copy_bytes(run->pool, file, bytes, error);
    }
    error_set(error, ERROR_INTERNAL, "%s has no " PG_CONTROL_PATH, run->data_directory);
    return FALSE;
}

static gboolean backup_local(PhysicalBackup *run, const char *probe, GError **error)
{
    g_autofree char *label = g_strdup_printf("holdfast %s", manifest_id(run->request->manifest));
    PgControl control;

    progress_begin(run->request->progress, "starting", 0, 0);
    return pg_backup_session_start(run->session, label, run->physical, error) &&
           pg_backup_wal_prove(&run->wal, probe, run->physical, error) &&
           check_control(run, &control, error) && scan_files(run, control.catalog_version, error) &&
           pg_backup_session_tablespaces(run->session, run->physical, error) &&
           copy_files(run, error) && copy_control(run, error) &&
           pg_backup_session_stop(run->session, run->physical, &run->label, &run->map, error);
}

/* --- stream ----------------------------------------------------------------------------------- */

static gboolean backup_stream(PhysicalBackup *run, const char *probe, GError **error)
{
    const EngineBackup *request = run->request;
    PgCopyStream copy = {
        .source = request->source,
        .backup_id = manifest_id(request->manifest),
        .session = run->session,
        .wal = &run->wal,
        .probe = probe,
        .physical = run->physical,
        .pool = run->pool,
        .base = request->base,
        .base_head = run->base,
        .pages = run->pages,
        .jobs = MAX(request->jobs, 1),
        .rate = request->rate,
        .nice = request->nice,
        .progress = request->progress,
        .cancellable = request->cancellable,
    };

    return pg_copy_stream(&copy, &run->label, &run->map, error);
}

/* --- after the stop --------------------------------------------------------------------------- */

/* TRUE for what lies in a tablespace that was made after the start: replay makes it anew, link and
 * all. */
static gboolean is_in_young_tablespace(const char *path, GHashTable *young)
{
    const char *prefix = "pg_tblspc/";
    guint64 oid;

    if (!g_str_has_prefix(path, prefix))
        return FALSE;
    oid = g_ascii_strtoull(path + strlen(prefix), NULL, 10);
    return g_hash_table_contains(young, GUINT_TO_POINTER((guint32)oid));
}

/* The tablespace_map has the tablespaces of the start; the list of now may have younger ones. */
static void drop_young_tablespaces(PhysicalBackup *run)
{
    g_autoptr(GHashTable) mapped = pg_tablespace_map_oids(run->map);
    g_autoptr(GHashTable) young = g_hash_table_new(NULL, NULL);
    GPtrArray *spaces = run->physical->tablespaces, *files = run->physical->files;

    for (guint i = spaces->len; i > 0; i--) {
        const PgTablespace *space = g_ptr_array_index(spaces, i - 1);

        if (space->location == NULL || g_hash_table_contains(mapped, GUINT_TO_POINTER(space->oid)))
            continue;
        g_hash_table_add(young, GUINT_TO_POINTER(space->oid));
        g_ptr_array_remove_index(spaces, i - 1);
    }
    for (guint i = files->len; i > 0 && g_hash_table_size(young) > 0; i--) {
        const PgFile *file = g_ptr_array_index(files, i - 1);

        if (is_in_young_tablespace(file->path, young))
            g_ptr_array_remove_index(files, i - 1);
    }
}

static void report_pages(PhysicalBackup *run)
{
    Manifest *manifest = run->request->manifest;
    const GPtrArray *failures = run->physical->failures;
    json_t *list = json_array();
    guint64 count = 0;

    if (run->pages != NULL)
        pg_page_check_report(run->pages, run->physical, &count);
    for (guint i = 0; i < failures->len; i++) {
        const PgPageFailure *failure = g_ptr_array_index(failures, i);
        g_autofree char *warning = g_strdup_printf("the page checksum of %s, block %u, is wrong",
                                                   failure->path, failure->block);

        json_array_append_new(list, json_pack("{s:o, s:I}", "file", json_text(failure->path),
                                              "block", (json_int_t)failure->block));
        if (i < NAMED_FAILURES)
            manifest_add_warning(manifest, warning);
    }
    manifest_set_field(manifest, "page_checksum_failures", list);
    if (count > NAMED_FAILURES) {
        g_autofree char *warning =
            g_strdup_printf("%" G_GUINT64_FORMAT " pages have a wrong checksum", count);

        manifest_add_warning(manifest, warning);
    }
}

static void set_lsn(Manifest *manifest, const char *key, PgLsn lsn)
{
    g_autofree char *text = pg_lsn_format(lsn);

    manifest_set_field(manifest, key, json_string(text));
}

static void fill_manifest(PhysicalBackup *run, guint64 tables)
{
    Manifest *manifest = run->request->manifest;
    const PgPhysical *physical = run->physical;
    ManifestPool pool = manifest_pool(manifest);
    PoolStats stats;

    pool_writer_stats(run->pool, &stats);
    pool.plain_bytes = stats.plain + stats.reused_plain + stats.resumed_plain;
    pool.written_bytes = stats.stored + stats.resumed_stored;
    manifest_set_pool(manifest, &pool);
    if (run->request->unfinished != NULL)
        manifest_set_field(manifest, "resumed",
                           json_pack("{s:s, s:I, s:I}", "run", run->request->unfinished->id,
                                     "bytes", (json_int_t)stats.resumed_plain, "of",
                                     (json_int_t)pool.plain_bytes));

    manifest_set_method(manifest, "physical");
    manifest_set_field(manifest, "access", json_string(physical->access));
    manifest_set_field(manifest, "system_identifier",
                       json_text(physical->server.system_identifier));
    manifest_set_field(manifest, "timeline", json_integer(physical->timeline));
    set_lsn(manifest, "start_lsn", physical->start);
    set_lsn(manifest, "stop_lsn", physical->stop);
    set_lsn(manifest, "checkpoint_lsn", physical->checkpoint);
    manifest_set_field(manifest, "segment_size", json_integer(physical->segment_size));
    manifest_set_field(manifest, "from_standby", json_boolean(physical->from_standby));
    manifest_set_counts(manifest, tables, 0);
}

static gboolean put_text(const EngineBackup *request, const char *path, const char *text,
                         GError **error)
{
    /* As it is: whoever restores by hand needs the very bytes. */
    const CompressSpec plain = {CODEC_NONE, 0};

    return backup_writer_put(request->writer, path, plain, text, strlen(text), error);
}

static gboolean write_details(PhysicalBackup *run, GError **error)
{
    const EngineBackup *request = run->request;
    guint64 tables;

    progress_begin(request->progress, "writing details", 0, 0);
    if (!pool_writer_finish(run->pool, error) ||
        !put_text(request, PG_BACKUP_LABEL_PATH, run->label, error) ||
        (run->map[0] != '\0' && !put_text(request, PG_TABLESPACE_MAP_PATH, run->map, error)) ||
        !pg_physical_write_tables(request, pg_backup_session_connection(run->session), &tables,
                                  error) ||
        !pg_physical_write(run->physical, run->pool, request->writer, request->compression, error))
        return FALSE;
    fill_manifest(run, tables);
    return TRUE;
}

gboolean pg_physical_backup(const EngineBackup *request, GError **error)
{
    g_auto(PhysicalBackup) run = {.request = request, .physical = pg_physical_new()};
    g_autofree char *probe = NULL;

    progress_begin(request->progress, "connecting", 0, 0);
    if (!check_request(request, error) || !open_server(&run, error) || !open_pool(&run, error) ||
        !pg_backup_wal_probe(&run.wal, &probe, error))
        return FALSE;
    if (!(run.data_directory != NULL ? backup_local(&run, probe, error)
                                     : backup_stream(&run, probe, error)))
        return FALSE;
    drop_young_tablespaces(&run);
    report_pages(&run);
    return write_details(&run, error) &&
           pg_backup_wal_collect(&run.wal, run.physical, request->writer, request->progress, error);
}
