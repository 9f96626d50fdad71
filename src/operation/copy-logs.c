/* SPDX-License-Identifier: Apache-2.0
 *
 * Copying the archives of logs, which belong to no single backup. Nobody has recorded checksums for
 * most of their objects: they prove themselves, so the engine reads the archive through first.
 */
#include "operation/copy-private.h"

#include <string.h>

#include "base/error.h"
#include "base/workers.h"
#include "engine/engine.h"

#define SYSTEM_NAME "/system.json"
#define PIECE_END   ".part"

typedef struct {
    Copying *copying;
    CopyItem *item;
} LogCopy;

static gboolean collect_name(const char *name, const StoreInfo *info, gpointer data, GError **error)
{
    g_ptr_array_add(data, g_strdup(name));
    return TRUE;
}

static gboolean copy_log(gpointer task, gpointer data, GCancellable *cancellable, GError **error)
{
    const LogCopy *copy = data;
    const char *name = task;
    /* The pieces of a running segment are put together: the same name holds more then. */
    const TransferRequest request = {.source = copy->copying->context->repository,
                                     .target = copy->copying->request->target,
                                     .role = SEAL_WAL,
                                     .name = name,
                                     .replace = g_str_has_suffix(name, PIECE_END)};
    g_autoptr(GError) problem = NULL;
    TransferResult result;
    gboolean of_source;

    if (g_str_has_suffix(name, SYSTEM_NAME))
        return copy_clear_object(copy->copying, name, error);
    if (transfer_object(&request, cancellable, &result, &of_source, &problem)) {
        copy_item_count(copy->copying, copy->item, &result);
        return TRUE;
    }
    /* Superseded since it was listed. */
    if (of_source && error_is(problem, ERROR_NOT_FOUND))
        return TRUE;
    if (!copy_is_damage(of_source, problem)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    copy_item_add_damage(copy->copying, copy->item, name, problem);
    return TRUE;
}

/* What the engine finds wrong with the archive is told; *ret_bad are the names. */
static gboolean look(LogCopy *copy, const Engine *engine, const char *name, GHashTable *bad,
                     GError **error)
{
    const EngineArchive request = {.repository = copy->copying->context->repository,
                                   .name = name,
                                   .jobs = MAX(copy->copying->request->jobs, 1),
                                   .progress = copy->copying->progress,
                                   .cancellable = copy->copying->cancellable};
    EngineArchiveReport found;
    gboolean looked;

    engine_archive_report_init(&found);
    looked = engine->check_archive(&request, &found, error);
    for (guint i = 0; looked && i < found.damage->len; i++) {
        const EngineDamage *damage = found.damage->pdata[i];

        g_hash_table_add(bad, g_strdup(damage->object));
        g_ptr_array_add(copy->item->damage,
                        g_strdup_printf("%s: %s", damage->object, damage->problem));
    }
    engine_archive_report_clear(&found);
    return looked;
}

/* What was listed before the engine looked was looked at. */
static gboolean copy_archive(Copying *copying, const Engine *engine, const char *name,
                             GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) bad = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(CopyItem) item = copy_item_new(NULL);
    g_autofree char *prefix = g_strdup_printf("wal/%s/", name);
    LogCopy copy = {.copying = copying, .item = item};
    g_autoptr(Workers) workers = NULL;

    item->archive = g_strdup_printf("wal/%s", name);
    if (!store_list(repository_store(copying->context->repository), prefix, collect_name, names,
                    error) ||
        !look(&copy, engine, name, bad, error))
        return FALSE;
    progress_begin(copying->progress, "copying WAL", 0, 0);
    workers =
        workers_new(MAX(copying->request->jobs, 1), 0, copy_log, &copy, NULL, copying->cancellable);
    for (guint i = 0; i < names->len; i++) {
        if (!g_hash_table_contains(bad, names->pdata[i]) && !workers_push(workers, names->pdata[i]))
            break;
    }
    if (!workers_wait(workers, error))
        return FALSE;
    progress_end(copying->progress);
    copy_item_tell(copying, item);
    return TRUE;
}

gboolean copy_logs(Copying *copying, GError **error)
{
    const char *source = copying->request->source;
    const Engine *engine;

    for (guint i = 0; (engine = engine_at(i)) != NULL; i++) {
        g_autoptr(GPtrArray) names = NULL;

        if (engine->archives == NULL)
            continue;
        if (!engine->archives(copying->context->repository, &names, error))
            return FALSE;
        for (guint j = 0; j < names->len; j++) {
            if ((source == NULL || strcmp(source, names->pdata[j]) == 0) &&
                !copy_archive(copying, engine, names->pdata[j], error))
                return FALSE;
        }
    }
    return TRUE;
}
