/* SPDX-License-Identifier: Apache-2.0
 *
 * Archived logs that no backup needs any more.
 *
 * As with the pool (see pool/sweep.c): the store's time is asked first, then the leases are listed,
 * then the SHA256SUMS of all committed backups are read, and what is named there or is younger than
 * both that time and the start of every live lease stays. A backup takes its lease before it begins
 * and gives it back after its commit, so that its logs are either young or named. The margin of a
 * day is for backups of a standby, which start at its last restartpoint: that may be as old as
 * checkpoint_timeout, a day at most. A lease that cannot be read, or that uses a backup which is
 * gone, protects all logs.
 */
#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "engine/engine.h"
#include "operation/cleanup-private.h"

#define SHARED_PREFIX "../../"
#define LOG_MARGIN    TIME_DAY

typedef struct {
    OperationContext *context;
    CleanupResult *result;
    GHashTable *items; /* id to CleanupItem */
    GHashTable *named; /* names of logs that backups list */
    GPtrArray *ids;    /* of the backups that stay */
    gint64 now;        /* by the store's clock */
    gint64 before;
    gboolean blind;
} Logs;

static gboolean look_at_leases(Logs *logs, GHashTable *used, GError **error)
{
    g_autoptr(GPtrArray) views = NULL;

    if (!lease_list(logs->context->repository, &views, error))
        return FALSE;
    for (guint i = 0; i < views->len; i++) {
        const LeaseView *view = g_ptr_array_index(views, i);

        if (!view->live)
            continue;
        logs->blind = logs->blind || !view->readable;
        logs->before = MIN(logs->before, view->started);
        for (guint j = 0; view->uses[j] != NULL; j++)
            g_hash_table_add(used, g_strdup(view->uses[j]));
    }
    return TRUE;
}

/* One whose SHA256SUMS cannot be read protects all logs of its source, see trim_source(). */
static gboolean add_names(Logs *logs, const char *id, GError **error)
{
    const CleanupItem *item = g_hash_table_lookup(logs->items, id);
    g_autoptr(GError) problem = NULL;
    g_autoptr(Checksums) checksums = backup_read_checksums(logs->context->repository, id, &problem);

    if (checksums == NULL) {
        if (error_is(problem, ERROR_NOT_FOUND) || (item != NULL && !item->known))
            return TRUE;
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    for (guint i = 0; i < checksums_count(checksums); i++) {
        const char *path = checksums_entry(checksums, i)->path;

        if (g_str_has_prefix(path, SHARED_PREFIX "wal/"))
            g_hash_table_add(logs->named, g_strdup(path + strlen(SHARED_PREFIX)));
    }
    return TRUE;
}

static gboolean look_at_backups(Logs *logs, gboolean dry_run, GHashTable *used, GError **error)
{
    g_autoptr(GPtrArray) ids = NULL;

    if (!backup_list(logs->context->repository, &ids, error))
        return FALSE;
    for (guint i = 0; i < ids->len; i++) {
        const char *id = g_ptr_array_index(ids, i);
        const CleanupItem *item = g_hash_table_lookup(logs->items, id);

        g_hash_table_remove(used, id);
        /* A dry run has deleted nothing; what a real one could not delete is still there. */
        if (dry_run && item != NULL && !item->keep)
            continue;
        if (!add_names(logs, id, error))
            return FALSE;
        g_ptr_array_add(logs->ids, g_strdup(id));
    }
    return TRUE;
}

/* The plan is made by a first pass that removes nothing; the second must not say it all again. */
static void note_once(Logs *logs, gboolean dry_run, char *text)
{
    if (dry_run)
        g_ptr_array_add(logs->result->notes, text);
    else
        g_free(text);
}

/* --- one source ------------------------------------------------------------------------------- */

/* Backups behind which everything is needed: as the plan says, and those that it does not know, or
 * that it could not delete. */
static char **onward_of(const Logs *logs)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

    for (guint i = 0; i < logs->ids->len; i++) {
        const char *id = g_ptr_array_index(logs->ids, i);
        const CleanupItem *item = g_hash_table_lookup(logs->items, id);

        if (item == NULL || (item->known && (item->logs || !item->keep)))
            g_strv_builder_add(builder, id);
    }
    return g_strv_builder_end(builder);
}

/* The engine looks at the manifests; backups of other sources are none of its business. */
static char **own_of(const Logs *logs, char **ids, const char *source)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

    for (guint i = 0; ids[i] != NULL; i++) {
        const CleanupItem *item = g_hash_table_lookup(logs->items, ids[i]);

        if (item == NULL || strcmp(item->source, source) == 0)
            g_strv_builder_add(builder, ids[i]);
    }
    return g_strv_builder_end(builder);
}

static gboolean has_unreadable(const Logs *logs, const char *source)
{
    for (guint i = 0; i < logs->result->items->len; i++) {
        const CleanupItem *item = g_ptr_array_index(logs->result->items, i);

        if (!item->known && strcmp(item->source, source) == 0)
            return TRUE;
    }
    return FALSE;
}

static gboolean trim_source(Logs *logs, const ConfigSource *source, char **onward, gboolean dry_run,
                            GError **error)
{
    const Config *config = logs->context->config;
    RetentionRules rules = cleanup_rules(config, source->name);
    const Engine *engine = engine_find(source->engine, NULL);
    g_auto(GStrv) own = own_of(logs, onward, source->name);
    EngineTrim request = {.repository = logs->context->repository,
                          .source = source->name,
                          .onward = (const char *const *)own,
                          .named = logs->named,
                          .before = logs->before - LOG_MARGIN,
                          .limited = rules.limit_logs,
                          .dry_run = dry_run};
    EngineTrimResult trimmed = {0};
    CleanupLogs *entry;

    if (engine == NULL || engine->trim == NULL)
        return TRUE;
    if (has_unreadable(logs, source->name)) {
        note_once(logs, dry_run,
                  g_strdup_printf("%s: the archived logs are left as they are, since a backup "
                                  "cannot be read",
                                  source->name));
        return TRUE;
    }
    request.before =
        MIN(request.before, retention_log_bound(&rules, logs->now, config_time_zone(config)));
    if (!engine->trim(&request, &trimmed, error))
        return FALSE;
    entry = g_new0(CleanupLogs, 1);
    entry->source = g_strdup(source->name);
    entry->files = trimmed.files;
    entry->bytes = trimmed.bytes;
    entry->ranges = trimmed.ranges;
    g_ptr_array_add(logs->result->logs, entry);
    return TRUE;
}

static gboolean trim_all(Logs *logs, const CleanupRequest *request, gboolean dry_run,
                         GError **error)
{
    const Config *config = logs->context->config;
    g_auto(GStrv) onward = onward_of(logs);

    for (guint i = 0; i < config_source_count(config); i++) {
        const ConfigSource *source = config_source(config, i);

        if (cleanup_wants(config, request, source->name) &&
            !trim_source(logs, source, onward, dry_run, error))
            return FALSE;
    }
    return TRUE;
}

gboolean cleanup_logs(OperationContext *context, const CleanupRequest *request, gboolean dry_run,
                      CleanupResult *result, GError **error)
{
    g_autoptr(GHashTable) items = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) named = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
    Logs logs = {.context = context, .result = result, .items = items, .named = named, .ids = ids};

    for (guint i = 0; i < result->items->len; i++) {
        CleanupItem *item = g_ptr_array_index(result->items, i);

        g_hash_table_insert(items, item->id, item);
    }
    g_ptr_array_set_size(result->logs, 0);
    if (!store_time(repository_store(context->repository), &logs.now, error))
        return FALSE;
    logs.before = logs.now;
    if (!look_at_leases(&logs, used, error) || !look_at_backups(&logs, dry_run, used, error))
        return FALSE;
    if (!logs.blind && g_hash_table_size(used) == 0)
        return trim_all(&logs, request, dry_run, error);
    note_once(&logs, dry_run,
              g_strdup("the archived logs are left as they are: something that runs "
                       "may need any of them"));
    return TRUE;
}
