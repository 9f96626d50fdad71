/* SPDX-License-Identifier: Apache-2.0
 *
 * Carrying a physical restore out. The order is what makes it safe to be killed: the directory is
 * marked and without pg_control from the first write on; everything is durable before pg_control is
 * put in its place.
 */
#include "postgres/physical-plan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/size.h"
#include "codec/hash.h"
#include "postgres/backup-manifest.h"
#include "postgres/file-list.h"
#include "postgres/recovery-settings.h"
#include "postgres/scratch-server.h"

#define LABEL_PATH  "backup_label"
#define LABEL_LIMIT 65536
#define CONF_LIMIT  (16u << 20)
/* For a backup's own state, whose WAL is all there: "not in the archive", whatever is asked for. */
#define NO_ARCHIVE "false"

/* --- WAL -------------------------------------------------------------------------------------- */

static gboolean fetch_wal(const PgPhysicalPlan *plan, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename("pg_wal", name, NULL);
    g_autofree char *full = g_build_filename(plan->place->directory, path, NULL);

    return wal_archive_get(&plan->archive, name, full, FALSE, error) &&
           pg_place_own(plan->place, path, error);
}

/* The WAL from start to stop; and all history files, so that a promotion takes a timeline that
 * nobody has had. */
static gboolean copy_wal(const PgPhysicalPlan *plan, GError **error)
{
    const EngineRestore *request = plan->request;
    const PgPhysical *physical = plan->physical;
    guint64 first = physical->start / physical->segment_size;

    progress_begin(request->progress, "copying WAL", plan->segments * physical->segment_size, 0);
    for (guint64 i = 0; i < plan->segments; i++) {
        g_autofree char *name =
            wal_segment_format(physical->timeline, first + i, physical->segment_size);

        if (!fetch_wal(plan, name, error))
            return FALSE;
        progress_add(request->progress, physical->segment_size, 0);
    }
    for (guint i = 0; i < plan->route->histories->len; i++) {
        if (!fetch_wal(plan, g_ptr_array_index(plan->route->histories, i), error))
            return FALSE;
    }
    return TRUE;
}

/* --- small files ------------------------------------------------------------------------------ */

static gboolean read_optional(const PgPlace *place, const char *path, char **ret_text,
                              GError **error)
{
    g_autofree char *full = g_build_filename(place->directory, path, NULL);
    g_autoptr(GError) problem = NULL;
    gsize length;

    *ret_text = NULL;
    if (file_read(full, CONF_LIMIT, ret_text, &length, &problem) ||
        error_is(problem, ERROR_NOT_FOUND))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

/* A second target there would keep the server from starting; the file is the user's, and stays as
 * it is. */
static gboolean warn_of_settings(const PgPlace *place, EngineResult *result, GError **error)
{
    g_autofree char *text = NULL;
    g_autoptr(GPtrArray) found = NULL;

    if (!read_optional(place, "postgresql.conf", &text, error))
        return FALSE;
    found = pg_recovery_find(text != NULL ? text : "");
    for (guint i = 0; i < found->len; i++)
        g_ptr_array_add(result->warnings,
                        g_strdup_printf("postgresql.conf sets %s, from an earlier recovery: take "
                                        "it out, or the server may not start",
                                        (const char *)g_ptr_array_index(found, i)));
    return TRUE;
}

static gboolean write_settings(const PgPhysicalPlan *plan, EngineResult *result, GError **error)
{
    const EngineRestore *request = plan->request;
    gboolean standby = request->place->standby;
    gboolean own_state = request->recovery->to == RECOVER_STATE;
    g_autofree char *command =
        own_state ? g_strdup(NO_ARCHIVE)
                  : pg_recovery_command(request->place->wal_get, plan->archive.source, standby);
    /* A timeline by its number needs its history file, which an archive that began later does not
     * have; the backup's own needs none. */
    gboolean same = own_state || plan->route->timeline == plan->physical->timeline;
    PgRecovery recovery = {.target = &plan->target,
                           .timeline = same ? 0 : plan->route->timeline,
                           .standby = standby,
                           .restore_command = command,
                           .ends_with_backup =
                               plan->physical->stop % plan->physical->segment_size == 0 &&
                               strcmp(pg_recovery_action(&plan->target), "promote") == 0};
    const char *signal_file = standby ? "standby.signal" : "recovery.signal";
    g_autofree char *old = NULL, *text = NULL;

    if (!read_optional(plan->place, PG_AUTO_CONF_PATH, &old, error))
        return FALSE;
    text = pg_recovery_merge(old, &recovery);
    return pg_place_write(plan->place, PG_AUTO_CONF_PATH, text, strlen(text), error) &&
           pg_place_write(plan->place, signal_file, "", 0, error) &&
           warn_of_settings(plan->place, result, error);
}

/* The tablespace_map stays away: the links are there, and the map would set them to where they
 * were. */
static gboolean write_label(const PgPhysicalPlan *plan, GBytes **ret_label, GError **error)
{
    g_autoptr(GBytes) label =
        backup_get_object(plan->request->backup, PG_BACKUP_LABEL_PATH, LABEL_LIMIT, error);

    if (label == NULL)
        return FALSE;
    if (!pg_place_write(plan->place, LABEL_PATH, g_bytes_get_data(label, NULL),
                        g_bytes_get_size(label), error))
        return FALSE;
    *ret_label = g_steal_pointer(&label);
    return TRUE;
}

/* --- backup_manifest -------------------------------------------------------------------------- */

static gboolean fill_manifest(const PgPhysicalPlan *plan, GBytes *label, PgManifestWriter *writer,
                              GError **error)
{
    const PgPhysical *physical = plan->physical;
    gsize length;
    const void *bytes = g_bytes_get_data(label, &length);

    if (!pg_manifest_add(writer, LABEL_PATH, length, physical->stop_time, crc32c(0, bytes, length),
                         error))
        return FALSE;
    for (guint i = 0; i < physical->files->len; i++) {
        const PgFile *file = g_ptr_array_index(physical->files, i);

        if (file->kind == PG_FILE_REGULAR &&
            !pg_manifest_add(writer, file->path, file->content.size, file->modified, file->crc32c,
                             error))
            return FALSE;
    }
    return pg_manifest_finish(writer, physical->timeline, physical->start, physical->stop, error);
}

static gboolean write_manifest(const PgPhysicalPlan *plan, GBytes *label, GError **error)
{
    const PgPhysical *physical = plan->physical;
    g_autofree char *path = g_build_filename(plan->place->directory, PG_MANIFEST_NAME, NULL);
    FILE_AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    g_autoptr(PgManifestWriter) writer = NULL;

    if (fd < 0) {
        error_set_errno(error, errno, "cannot write %s", path);
        return FALSE;
    }
    writer = pg_manifest_new(fd, path, physical->server.version_num / 10000,
                             physical->system_identifier);
    return fill_manifest(plan, label, writer, error) &&
           pg_place_own(plan->place, PG_MANIFEST_NAME, error);
}

/* --- all of it -------------------------------------------------------------------------------- */

static gboolean write_files(PgPhysicalPlan *plan, EngineResult *result, GArray **ret_systems,
                            GError **error)
{
    const EngineRestore *request = plan->request;
    g_autoptr(GArray) systems = NULL;
    PgFilesRestore files = {.place = plan->place,
                            .physical = plan->physical,
                            .jobs = MAX(request->jobs, 1),
                            .progress = request->progress,
                            .cancellable = request->cancellable};
    PgFilesResult done = {0};
    guint64 removed;

    if (!pg_place_make_tree(plan->place, plan->physical, &removed, error))
        return FALSE;
    systems = pg_place_open_systems(plan->place, error);
    if (systems == NULL || !pg_place_restore_files(&files, &done, error))
        return FALSE;
    json_object_set_new(result->summary, "files", json_integer((json_int_t)done.files));
    json_object_set_new(result->summary, "bytes", json_integer((json_int_t)done.bytes));
    json_object_set_new(result->summary, "written", json_integer((json_int_t)done.written));
    json_object_set_new(result->summary, "removed", json_integer((json_int_t)removed));
    *ret_systems = g_steal_pointer(&systems);
    return TRUE;
}

static gboolean restore_directory(PgPhysicalPlan *plan, EngineResult *result, GError **error)
{
    const EngineRestore *request = plan->request;
    g_autoptr(PgPlaceLock) lock = pg_place_take(plan->place, plan->physical->system_identifier,
                                                backup_id(request->backup), error);
    g_autoptr(GArray) systems = NULL;
    g_autoptr(GBytes) label = NULL;

    if (lock == NULL || !write_files(plan, result, &systems, error) || !copy_wal(plan, error) ||
        !write_label(plan, &label, error) || !write_settings(plan, result, error) ||
        !write_manifest(plan, label, error))
        return FALSE;
    progress_begin(request->progress, "making it durable", 0, 0);
    return pg_place_sync(systems, plan->place, error) && pg_place_finish(plan->place, error);
}

/* What the disk does not hold yet of the files and of the WAL. Runs of zeros may need less. */
static guint64 missing_bytes(const PgPhysicalPlan *plan)
{
    FILE_AUTO_FD directory = open(plan->place->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    guint64 missing = plan->segments * plan->physical->segment_size;

    for (guint i = 0; i < plan->physical->files->len; i++) {
        const PgFile *file = g_ptr_array_index(plan->physical->files, i);
        guint64 size = file->content.size, present = 0;
        struct stat info;

        if (file->kind != PG_FILE_REGULAR)
            continue;
        if (directory >= 0 && fstatat(directory, file->path, &info, 0) == 0)
            present = (guint64)info.st_blocks * 512;
        missing += size - MIN(size, present);
    }
    return missing;
}

/* A disk that is full: how much is missing, and what state the directory is in. */
static void set_full_disk(const PgPhysicalPlan *plan, const GError *problem, GError **error)
{
    g_autofree char *missing = size_format(missing_bytes(plan));
    g_autofree char *text = error_text(problem);
    g_autofree char *present = NULL;
    guint64 bytes = 0;

    if (!file_free_space(plan->place->directory, &bytes, NULL))
        bytes = 0;
    present = size_format(bytes);
    error_set(error, ERROR_NO_SPACE, "%s; about %s more are needed below %s, where %s are free",
              text, missing, plan->place->directory, present);
    error_add_hint(error,
                   "the restore is unfinished, and no server starts there; free some space and run "
                   "it again with --delta: it goes on from what is there");
}

gboolean pg_physical_restore_directory(PgPhysicalPlan *plan, EngineResult *result, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (restore_directory(plan, result, &problem))
        return TRUE;
    if (error_is(problem, ERROR_NO_SPACE))
        set_full_disk(plan, problem, error);
    else
        g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

gboolean pg_physical_restore(EnginePlan *base, EngineResult *ret_result, GError **error)
{
    PgPhysicalPlan *plan = (PgPhysicalPlan *)(void *)base;

    ret_result->summary = json_deep_copy(base->summary);
    ret_result->warnings = g_ptr_array_new_with_free_func(g_free);
    if (plan->request->place->directory == NULL)
        return pg_physical_extract(plan, ret_result, error);
    if (!pg_physical_restore_directory(plan, ret_result, error))
        return FALSE;
    return !plan->request->place->start || pg_scratch_recover(plan, ret_result, error);
}
