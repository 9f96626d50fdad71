/* SPDX-License-Identifier: Apache-2.0
 *
 * The export operation.
 */
#include "operation/export.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "repo/deletion.h"

#define POOL "../../pool/"
/* Below the directory that was named: what is not yet proven to be all of it. */
#define UNFINISHED ".holdfast-export"

/* What is being written. */
typedef struct {
    Backup *backup;
    const char *directory; /* of what is being written */
    GHashTable *folders;   /* char *: those that were written into */
    Progress *progress;
    GCancellable *cancellable;
    ExportReport *report;
    int fd;
    const char *path;
} Export;

/* Where an object goes, relative to the directory; NULL for what is left out: WAL, which only
 * physical backups have. */
static char *export_name(const char *path)
{
    char *stem = NULL;

    if (g_str_has_prefix(path, POOL))
        return g_strdup_printf("pool/%s.parquet", strrchr(path, '/') + 1);
    /* What the codec's extension names is no longer so. */
    if (!g_str_has_prefix(path, "../"))
        codec_of_path(path, &stem);
    return stem;
}

static gboolean write_piece(const void *bytes, gsize length, gpointer data, GError **error)
{
    Export *export = data;

    export->report->bytes += length;
    return file_write_all(export->fd, bytes, length, export->path, error);
}

static gboolean export_object(Export *export, const char *path, GError **error)
{
    g_autofree char *name = export_name(path);
    g_autofree char *file = NULL;
    g_autofree char *folder = NULL;
    const ManifestObject *object = manifest_find_object(backup_manifest(export->backup), path);
    FILE_AUTO_FD fd = -1;

    if (name == NULL)
        return TRUE;
    file = g_build_filename(export->directory, name, NULL);
    folder = g_path_get_dirname(file);
    if (!directory_make(folder, 0700, error))
        return FALSE;
    g_hash_table_add(export->folders, g_steal_pointer(&folder));
    fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        error_set_errno(error, errno, "cannot create %s", file);
        return FALSE;
    }
    export->fd = fd;
    export->path = file;
    if (!backup_read_object(export->backup, path, write_piece, export, export->cancellable,
                            error) ||
        !file_sync(fd, file, error))
        return FALSE;
    export->report->files++;
    progress_add(export->progress, object != NULL ? object->size : 0, 0);
    return TRUE;
}

static gboolean export_objects(Export *export, GError **error)
{
    const Checksums *checksums = backup_checksums(export->backup);

    for (guint i = 0; i < checksums_count(checksums); i++) {
        if (!export_object(export, checksums_entry(checksums, i)->path, error))
            return FALSE;
    }
    return TRUE;
}

/* --- the directory ---------------------------------------------------------------------------- */

/* Holds nothing, or only what is being written. */
static gboolean is_free(const char *directory)
{
    g_autoptr(GDir) entries = g_dir_open(directory, 0, NULL);
    const char *name = NULL;

    while (entries != NULL && (name = g_dir_read_name(entries)) != NULL) {
        if (strcmp(name, UNFINISHED) != 0)
            return FALSE;
    }
    return entries != NULL;
}

static gboolean check_free(const char *directory, GError **error)
{
    if (is_free(directory))
        return TRUE;
    error_set(error, ERROR_EXISTS, "%s is not empty", directory);
    error_add_hint(error, "name a directory that is not there yet; what an export that failed has "
                          "left can be removed");
    return FALSE;
}

/* Of several that begin at once only one can make the directory of what is being written. It stays
 * where the program is killed, so that half an export is not taken for a whole one. */
static gboolean begin_directory(const char *directory, const char *unfinished, GError **error)
{
    if (!directory_make(directory, 0700, error) || !check_free(directory, error))
        return FALSE;
    if (mkdir(unfinished, 0700) != 0) {
        if (errno != EEXIST) {
            error_set_errno(error, errno, "cannot make directory %s", unfinished);
            return FALSE;
        }
        error_set(error, ERROR_EXISTS, "%s holds an export that has not ended", directory);
        error_add_hint(error, "where none is running, remove %s", unfinished);
        return FALSE;
    }
    /* Another may have ended since the first look. */
    if (check_free(directory, error))
        return TRUE;
    (void)rmdir(unfinished);
    return FALSE;
}

static gboolean sync_folders(GHashTable *folders, GError **error)
{
    GHashTableIter iterator;
    gpointer folder;

    g_hash_table_iter_init(&iterator, folders);
    while (g_hash_table_iter_next(&iterator, &folder, NULL)) {
        if (!directory_sync(folder, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean move_up(const char *unfinished, const char *directory, const char *name,
                        GError **error)
{
    g_autofree char *from = g_build_filename(unfinished, name, NULL);
    g_autofree char *to = g_build_filename(directory, name, NULL);

    if (rename(from, to) == 0)
        return TRUE;
    error_set_errno(error, errno, "cannot put %s in place", to);
    return FALSE;
}

/* The directory stays the one that it was: it may be where a disk is mounted, or be known by a
 * link. */
static gboolean put_in_place(const char *unfinished, const char *directory, GError **error)
{
    g_autoptr(GDir) entries = g_dir_open(unfinished, 0, NULL);
    const char *name;

    if (!check_free(directory, error))
        return FALSE;
    while (entries != NULL && (name = g_dir_read_name(entries)) != NULL) {
        if (!move_up(unfinished, directory, name, error))
            return FALSE;
    }
    if (entries != NULL && rmdir(unfinished) == 0)
        return directory_sync(directory, error);
    error_set_errno(error, errno, "cannot take away %s", unfinished);
    return FALSE;
}

static gboolean export_files(Backup *backup, const ExportRequest *request, Progress *progress,
                             GCancellable *cancellable, ExportReport *report, GError **error)
{
    gboolean there = g_file_test(request->directory, G_FILE_TEST_EXISTS);
    g_autofree char *unfinished = g_build_filename(request->directory, UNFINISHED, NULL);
    g_autoptr(GHashTable) folders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Export export = {.backup = backup,
                     .directory = unfinished,
                     .folders = folders,
                     .progress = progress,
                     .cancellable = cancellable,
                     .report = report};
    g_autoptr(GError) problem = NULL;
    gboolean done;

    if (!begin_directory(request->directory, unfinished, error))
        return FALSE;
    progress_begin(progress, "exporting", manifest_stored_size(backup_manifest(backup)), 0);
    done = export_objects(&export, error) && sync_folders(folders, error) &&
           put_in_place(unfinished, request->directory, error);
    progress_end(progress);
    if (done)
        return TRUE;
    if (!directory_remove(unfinished, &problem))
        log_write(LOG_WARNING, "%s", problem->message);
    else if (!there)
        (void)rmdir(request->directory);
    return FALSE;
}

/* --- physical --------------------------------------------------------------------------------- */

/* A restore of the backup's own state, recorded as one. */
static gboolean export_physical(OperationContext *context, Backup *backup,
                                const ExportRequest *request, Progress *progress,
                                GCancellable *cancellable, ExportReport *report, GError **error)
{
    RestoreRequest wanted = {.engine = manifest_engine(backup_manifest(backup)),
                             .backup_id = backup_id(backup),
                             .recovery = {.to = RECOVER_STATE},
                             .place = {.directory = request->directory,
                                       .tablespaces = request->tablespaces},
                             .tolerance = -1,
                             .jobs = request->jobs};
    RestoreReport restored = {0};
    gboolean done;

    if (g_file_test(request->directory, G_FILE_TEST_EXISTS) &&
        !check_free(request->directory, error))
        return FALSE;
    done = operation_restore(context, &wanted, progress, cancellable, &restored, error);
    if (done && restored.summary != NULL)
        report->bytes = json_get_uint(restored.summary, "bytes", 0);
    restore_report_clear(&restored);
    report->physical = TRUE;
    return done;
}

static gboolean take_lease(OperationContext *context, const Backup *backup, Lease **ret_lease,
                           GError **error)
{
    const char *const uses[] = {backup_id(backup), NULL};
    const LeaseRequest request = {.operation = "export",
                                  .source = manifest_source(backup_manifest(backup)),
                                  .uses = uses,
                                  .runtime_directory = config_runtime_directory(context->config)};
    g_autoptr(GError) problem = NULL;

    *ret_lease = lease_acquire(context->repository, &request, &problem);
    if (*ret_lease == NULL)
        log_write(LOG_WARNING, "the export goes on without a lease: %s", problem->message);
    return deletion_wait(context->repository, uses, error);
}

gboolean operation_export(OperationContext *context, const ExportRequest *request,
                          Progress *progress, GCancellable *cancellable, ExportReport *ret_report,
                          GError **error)
{
    g_autoptr(Backup) backup = NULL;
    g_autoptr(Lease) lease = NULL;
    ExportReport report = {0};
    gboolean done;

    if (!repository_unlock(context->repository, error))
        return FALSE;
    backup = backup_open(context->repository, request->backup_id, error);
    if (backup == NULL || !take_lease(context, backup, &lease, error))
        return FALSE;
    done = g_strcmp0(manifest_method(backup_manifest(backup)), "physical") == 0
               ? export_physical(context, backup, request, progress, cancellable, &report, error)
               : export_files(backup, request, progress, cancellable, &report, error);
    if (done)
        *ret_report = report;
    return done;
}
