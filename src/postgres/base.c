/* SPDX-License-Identifier: Apache-2.0
 *
 * An incremental and its base.
 */
#include "postgres/base.h"

#include "base/error.h"
#include "base/time.h"
#include "postgres/backup-session.h"
#include "postgres/copy-local.h"
#include "postgres/file-list.h"
#include "repo/lease-identity.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* Clocks are slewed all the time; a step back of more than this is somebody's doing. */
#define CLOCK_TOLERANCE (TIME_SECOND / 2)

/* --- does it fit? ----------------------------------------------------------------------------- */

static gboolean current_position(PgConnection *connection, gboolean standby, PgLsn *ret_lsn,
                                 GError **error)
{
    g_autofree char *text = NULL;

    return pg_query_value(connection,
                          standby ? "SELECT coalesce(pg_catalog.pg_last_wal_replay_lsn(), '0/0')"
                                  : "SELECT pg_catalog.pg_current_wal_lsn()",
                          &text, error) &&
           pg_lsn_parse(text, ret_lsn, error);
}

/* The server went back behind the base. A standby may just lag: its blocks are compared by content
 * all the same. */
static gboolean is_impossible(const PgPhysical *now, PgLsn position, const PgPhysical *base)
{
    return !now->from_standby && (base->timeline > now->timeline || position < base->stop);
}

static char *find_reason(const PgPhysical *now, PgLsn position, const PgPhysical *base)
{
    if (now->system_identifier != base->system_identifier)
        return g_strdup_printf("it is of another cluster (system identifier %" G_GUINT64_FORMAT
                               ", the server has %" G_GUINT64_FORMAT ")",
                               base->system_identifier, now->system_identifier);
    if (now->server.version_num / 10000 != base->server.version_num / 10000)
        return g_strdup_printf("it is of version %d, the server has %d",
                               base->server.version_num / 10000, now->server.version_num / 10000);
    if (now->block_size != base->block_size || now->segment_size != base->segment_size)
        return g_strdup("the server's blocks or WAL segments have another size");
    if (is_impossible(now, position, base)) {
        g_autofree char *here = pg_lsn_format(position), *there = pg_lsn_format(base->stop);

        return g_strdup_printf(
            "it ends at %s of timeline %u, and the server is at %s of timeline %u", there,
            base->timeline, here, now->timeline);
    }
    return NULL;
}

gboolean pg_base_fits(const ConfigSource *source, Backup *base, char **ret_reason,
                      GCancellable *cancellable, GError **error)
{
    g_autoptr(PgPhysical) now = pg_physical_new();
    g_autoptr(PgPhysical) head = NULL;
    g_autoptr(PgBackupSession) session = NULL;
    g_autoptr(GError) problem = NULL;
    PgLsn position;

    if (!pg_physical_read_head(base, &head, &problem)) {
        /* A base that cannot be read is no reason to be without a backup. */
        if (error_is(problem, ERROR_DAMAGED) || error_is(problem, ERROR_FORMAT)) {
            *ret_reason = error_text(problem);
            return TRUE;
        }
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    session = pg_backup_session_open(source->conninfo, cancellable, error);
    if (session == NULL || !pg_backup_session_describe(session, now, error) ||
        !current_position(pg_backup_session_connection(session), now->from_standby, &position,
                          error))
        return FALSE;
    *ret_reason = find_reason(now, position, head);
    return TRUE;
}

/* --- can times be compared? ------------------------------------------------------------------- */

static gint64 clock_value(clockid_t clock)
{
    struct timespec now = {0};

    clock_gettime(clock, &now);
    return (gint64)now.tv_sec * TIME_SECOND + now.tv_nsec / 1000;
}

gboolean pg_base_identify_host(const char *data_directory, PgPhysical *physical, GError **error)
{
    const LeaseIdentity *identity = lease_identity();
    g_autofree char *text = NULL, *digest = NULL;
    struct stat info;

    if (stat(data_directory, &info) != 0) {
        error_set_errno(error, errno, "cannot look at the data directory %s", data_directory);
        return FALSE;
    }
    /* machine-id(5) asks not to be handed out as it is. */
    text = g_strdup_printf("holdfast:%s:%s", identity->machine_id,
                           identity->machine_id[0] == '\0' ? identity->host : "");
    g_free(physical->host_id);
    g_free(physical->boot_id);
    digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
    physical->host_id =
        g_strdup_printf("%.32s:%" G_GINT64_MODIFIER "x", digest, (guint64)info.st_dev);
    physical->boot_id = g_strdup(identity->boot_id);
    physical->clock_offset = clock_value(CLOCK_REALTIME) - clock_value(CLOCK_BOOTTIME);
    return TRUE;
}

const char *pg_base_times_reason(const PgPhysical *physical, const PgPhysical *base)
{
    if (base->host_id == NULL || g_strcmp0(physical->host_id, base->host_id) != 0)
        return "the base was read on another host or device";
    if (physical->timeline != base->timeline || physical->start < base->stop)
        return "the timeline is not the base's";
    if (physical->start_time < base->stop_time)
        return "the clock is before the end of the base";
    if (g_strcmp0(physical->boot_id, base->boot_id) == 0 &&
        physical->clock_offset < base->clock_offset - CLOCK_TOLERANCE)
        return "the clock was set back since the base";
    return NULL;
}

/* --- which file is which? --------------------------------------------------------------------- */

typedef struct {
    GArray *items; /* sorted by path */
    guint next;
    gboolean times;
} Match;

static gboolean is_same(const PgFile *file, const PgFile *base)
{
    return base->settled && base->inode != 0 && file->inode == base->inode &&
           file->content.size == base->content.size && file->modified == base->modified &&
           file->changed == base->changed;
}

static void take_base_content(const Match *match, PgCopyItem *item, PgFile *base)
{
    item->same = match->times && is_same(item->file, base);
    if (item->same) {
        item->file->content = base->content;
        item->file->crc32c = base->crc32c;
        item->file->settled = TRUE;
    } else {
        item->base = g_memdup2(&base->content, sizeof base->content);
    }
    base->content = (PoolFile){0};
}

/* Both lists are sorted: they are walked side by side. */
static gboolean take_base_file(PgFile *base, gpointer data, GError **error)
{
    Match *match = data;

    while (match->next < match->items->len) {
        PgCopyItem *item = &g_array_index(match->items, PgCopyItem, match->next);
        int order = strcmp(item->file->path, base->path);

        if (order > 0)
            break;
        match->next++;
        if (order == 0 && base->kind == PG_FILE_REGULAR)
            take_base_content(match, item, base);
    }
    pg_file_free(base);
    return TRUE;
}

static void clear_item(gpointer data)
{
    pg_copy_item_clear(data);
}

gboolean pg_base_match(Backup *base, const PgPhysical *head, gboolean times, const GPtrArray *files,
                       GArray **ret_items, GError **error)
{
    g_autoptr(GArray) items = g_array_sized_new(FALSE, FALSE, sizeof(PgCopyItem), files->len);
    Match match = {items, 0, times};

    g_array_set_clear_func(items, clear_item);
    for (guint i = 0; i < files->len; i++) {
        PgCopyItem item = {.file = g_ptr_array_index(files, i)};

        /* pg_control comes last, and by itself. */
        if (item.file->kind == PG_FILE_REGULAR && strcmp(item.file->path, PG_CONTROL_PATH) != 0)
            g_array_append_val(items, item);
    }
    if (base != NULL && !pg_physical_read_files(base, head, take_base_file, &match, error))
        return FALSE;
    *ret_items = g_steal_pointer(&items);
    return TRUE;
}
