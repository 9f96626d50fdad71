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
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "repo/deletion.h"

#define POOL "../../pool/"

/* What is being written. */
typedef struct {
    Backup *backup;
    const char *directory; /* under its temporary name */
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

static gboolean put_in_place(const char *temporary, const char *directory, GError **error)
{
    g_autofree char *above = g_path_get_dirname(directory);

    /* An empty directory is replaced, any other is not. */
    if (rename(temporary, directory) == 0)
        return directory_sync(above, error);
    if (errno == ENOTEMPTY || errno == EEXIST)
        error_set(error, ERROR_EXISTS, "%s is not empty", directory);
    else
        error_set_errno(error, errno, "cannot put %s in place", directory);
    return FALSE;
}

static gboolean export_files(Backup *backup, const ExportRequest *request, Progress *progress,
                             GCancellable *cancellable, ExportReport *report, GError **error)
{
    g_autofree char *temporary = g_strconcat(request->directory, ".holdfast-tmp", NULL);
    Export export = {.backup = backup,
                     .directory = temporary,
                     .progress = progress,
                     .cancellable = cancellable,
                     .report = report};
    g_autoptr(GError) problem = NULL;

    if (g_file_test(request->directory, G_FILE_TEST_EXISTS) &&
        !directory_is_empty(request->directory)) {
        error_set(error, ERROR_EXISTS, "%s is not empty", request->directory);
        error_add_hint(error, "name a directory that is not there yet");
        return FALSE;
    }
    /* What a killed export left. */
    if (!directory_remove(temporary, error) || !directory_make(temporary, 0700, error))
        return FALSE;
    progress_begin(progress, "exporting", manifest_stored_size(backup_manifest(backup)), 0);
    if (export_objects(&export, error) && put_in_place(temporary, request->directory, error)) {
        progress_end(progress);
        return TRUE;
    }
    progress_end(progress);
    if (!directory_remove(temporary, &problem))
        log_write(LOG_WARNING, "%s", problem->message);
    return FALSE;
}

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
