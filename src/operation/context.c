/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening what operations work on.
 */
#include "operation/context.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/size.h"
#include "base/suggest.h"
#include "repo/backup-id.h"

/* A catalog that knows what the repository has. */
static Catalog *open_fresh(Repository *repository, const char *state_directory, GError **error)
{
    g_autoptr(Catalog) catalog = catalog_open(repository, state_directory, error);

    return catalog != NULL && catalog_refresh(catalog, error) ? g_steal_pointer(&catalog) : NULL;
}

/* The catalog only makes things quick: where it cannot be kept, one in memory serves. */
static Catalog *open_catalog(Repository *repository, const Config *config, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *text = NULL;
    Catalog *catalog;

    if (config_path(config) == NULL)
        return open_fresh(repository, NULL, error);
    catalog = open_fresh(repository, config_state_directory(config), &problem);
    if (catalog != NULL)
        return catalog;
    if (error_is(problem, ERROR_UNREACHABLE)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
    text = error_text(problem);
    log_write(LOG_WARNING, "%s; working without a catalog, jobs are not noted", text);
    return open_fresh(repository, NULL, error);
}

char *operation_make_scratch(const Config *config)
{
    g_autofree char *path = g_build_filename(config_state_directory(config), "scratch", NULL);

    if (config_path(config) != NULL && directory_make(path, 0700, NULL))
        return g_steal_pointer(&path);
    return g_strdup(g_get_tmp_dir());
}

OperationContext *operation_context_open(Config *config, GError **error)
{
    g_autoptr(OperationContext) context = g_new0(OperationContext, 1);

    context->config = config;
    context->repository = operation_open_repository(config, error);
    if (context->repository == NULL)
        return NULL;
    context->catalog = open_catalog(context->repository, config, error);
    if (context->catalog == NULL)
        return NULL;
    context->scratch_directory = operation_make_scratch(config);
    return g_steal_pointer(&context);
}

OperationContext *operation_context_open_known(Config *config, const Catalog *catalog,
                                               GError **error)
{
    g_autoptr(OperationContext) context = g_new0(OperationContext, 1);

    context->config = config;
    context->repository = operation_open_repository(config, error);
    if (context->repository == NULL)
        return NULL;
    context->catalog = catalog_open_again(catalog, error);
    if (context->catalog == NULL)
        return NULL;
    context->scratch_directory = operation_make_scratch(config);
    return g_steal_pointer(&context);
}

void operation_context_free(OperationContext *context)
{
    if (context == NULL)
        return;
    catalog_free(context->catalog);
    repository_unref(context->repository);
    config_free(context->config);
    g_free(context->scratch_directory);
    g_free(context);
}

const char *operation_scratch_directory(const OperationContext *context)
{
    return context->scratch_directory;
}

gint64 operation_grace(const OperationContext *context)
{
    gint64 grace;

    /* Checked when the configuration was loaded. */
    if (!duration_parse(config_get(context->config, "retention", "grace"), &grace, NULL))
        g_return_val_if_reached(G_MAXINT64);
    return grace;
}

/* Whether there is a folder of exactly that name, which is not listed for want of its commit. */
static gboolean lacks_commit(Repository *repository, const char *id)
{
    g_autofree char *name = g_strdup_printf("backups/%s/" MANIFEST_NAME, id);
    StoreInfo info;

    return backup_id_valid(id) && store_stat(repository_store(repository), name, &info, NULL);
}

char *operation_resolve_backup(OperationContext *context, const char *id, GError **error)
{
    g_autoptr(GPtrArray) ids = NULL;
    const char *found = NULL;
    const char *nearest;
    gboolean committed;
    guint count = 0;

    /* A whole id needs no listing. */
    if (backup_id_valid(id)) {
        if (!backup_is_committed(context->repository, id, &committed, error))
            return NULL;
        if (committed)
            return g_strdup(id);
    }
    if (!backup_list(context->repository, &ids, error))
        return NULL;
    for (guint i = 0; i < ids->len; i++) {
        const char *known = g_ptr_array_index(ids, i);

        if (id[0] != '\0' && (g_str_has_prefix(known, id) || g_str_has_suffix(known, id))) {
            found = known;
            count++;
        }
    }
    if (count == 1)
        return g_strdup(found);
    if (count > 1) {
        error_set(error, ERROR_USAGE, "%u backups fit \"%s\"", count, id);
        error_add_hint(error, "give more of the id; holdfast list backups shows them");
        return NULL;
    }
    if (lacks_commit(context->repository, id)) {
        error_set(error, ERROR_NOT_FOUND,
                  "backup %s has no SHA256SUMS: it was interrupted, or the file is lost", id);
        error_add_hint(error, "holdfast verify --all tells which");
        return NULL;
    }
    g_ptr_array_add(ids, NULL);
    nearest = suggest_nearest(id, (const char *const *)ids->pdata);
    error_set(error, ERROR_NOT_FOUND, "there is no backup \"%s\"", id);
    if (nearest != NULL)
        error_add_hint(error, "did you mean %s?", nearest);
    else
        error_add_hint(error, "holdfast list backups shows the ones there are");
    return NULL;
}
