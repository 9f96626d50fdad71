/* SPDX-License-Identifier: Apache-2.0
 *
 * The plan of a cleanup: what the rules say about the backups that are there, and what would be
 * freed.
 */
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "engine/engine.h"
#include "operation/cleanup-private.h"

#define SHARED_POOL "../../pool/"
/* A backup may have been made by another host, whose clock is not quite ours. */
#define CLOCK_TOLERANCE TIME_MINUTE
/* A recovered server goes on asking for WAL when the restore itself is over, without a lease. */
#define RECOVERY_TIME TIME_DAY

static void item_free(CleanupItem *item)
{
    g_free(item->id);
    g_free(item->source);
    g_free(item->reason);
    g_free(item->spared);
    g_free(item);
}

static void logs_free(CleanupLogs *logs)
{
    g_free(logs->source);
    g_clear_pointer(&logs->ranges, g_ptr_array_unref);
    g_free(logs);
}

void cleanup_result_clear(CleanupResult *result)
{
    g_clear_pointer(&result->items, g_ptr_array_unref);
    g_clear_pointer(&result->notes, g_ptr_array_unref);
    g_clear_pointer(&result->logs, g_ptr_array_unref);
}

/* --- the configuration ------------------------------------------------------------------------ */

/* Values were checked against their range when the configuration was loaded. */
static guint number_of(const Config *config, const char *source, const char *key)
{
    const char *text = config_get_named(config, "retention", source, key);

    return text != NULL ? (guint)g_ascii_strtoull(text, NULL, 10) : 0;
}

RetentionRules cleanup_rules(const Config *config, const char *source)
{
    return (RetentionRules){
        .days = number_of(config, source, "keep_days"),
        .fulls = number_of(config, source, "keep_full"),
        .daily = number_of(config, source, "keep_daily"),
        .weekly = number_of(config, source, "keep_weekly"),
        .monthly = number_of(config, source, "keep_monthly"),
        .yearly = number_of(config, source, "keep_yearly"),
        .limit_logs = config_get_named(config, "retention", source, "wal_days") != NULL,
        .log_days = number_of(config, source, "wal_days"),
    };
}

/* Backups of sources that this host does not know may be another host's, with rules of its own. */
gboolean cleanup_wants(const Config *config, const CleanupRequest *request, const char *source)
{
    if (request->sources != NULL)
        return g_strv_contains(request->sources, source);
    return config_find_source(config, source, NULL, NULL, NULL) != NULL;
}

/* --- what is there ---------------------------------------------------------------------------- */

/* One backup on its way to a verdict. */
typedef struct {
    CleanupItem *item;
    RetentionBackup backup; /* its strings are the item's and the plan's */
    char *in_use;
    char *engine; /* NULL where the manifest cannot be read */
    gint64 stop;
} Candidate;

static void candidate_free(Candidate *candidate)
{
    g_free(candidate->in_use);
    g_free(candidate->engine);
    g_free(candidate);
}

typedef struct {
    OperationContext *context;
    const CleanupRequest *request;
    CleanupResult *result;
    GPtrArray *candidates; /* Candidate, oldest first */
    GPtrArray *leases;     /* LeaseView */
    GHashTable *restored;  /* char *: ids that a recovery may still be reading */
    GError *unreadable;    /* why the first of them could not be read */
    guint unreadable_count;
    gint64 now;
} Plan;

static void note(const Plan *plan, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void note(const Plan *plan, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_ptr_array_add(plan->result->notes, g_strdup_vprintf(format, args));
    va_end(args);
}

const LeaseView *cleanup_user(const GPtrArray *views, const char *id)
{
    for (guint i = 0; i < views->len; i++) {
        const LeaseView *view = g_ptr_array_index(views, i);

        if (lease_view_protects(view, id))
            return view;
    }
    return NULL;
}

static char *user_of(const Plan *plan, const char *id)
{
    const LeaseView *view = cleanup_user(plan->leases, id);

    if (view != NULL)
        return view->readable
                   ? g_strdup_printf("%s on %s", view->operation, view->host)
                   : g_strdup_printf("what lease %s is for, which cannot be read", view->id);
    if (g_hash_table_contains(plan->restored, id))
        return g_strdup("a restore of the last 24 hours");
    return NULL;
}

static gboolean find_restored(Plan *plan, GError **error)
{
    g_autoptr(GPtrArray) records = NULL;

    if (!catalog_recoveries(plan->context->catalog, &records, error))
        return FALSE;
    for (guint i = 0; i < records->len; i++) {
        const json_t *record = g_ptr_array_index(records, i);
        const char *id = json_get_string(record, "backup", NULL);
        gint64 when;

        if (id != NULL && !json_get_bool(record, "dry_run", FALSE) &&
            time_parse(json_get_string(record, "time", ""), NULL, &when, NULL) &&
            when > plan->now - RECOVERY_TIME)
            g_hash_table_add(plan->restored, g_strdup(id));
    }
    return TRUE;
}

static void take_unreadable(Plan *plan, CleanupItem *item, GError *problem)
{
    item->keep = TRUE;
    item->reason = g_strdup("it cannot be read, and was named so");
    if (plan->request->unreadable != NULL && g_strv_contains(plan->request->unreadable, item->id)) {
        g_error_free(problem);
        return;
    }
    plan->unreadable_count++;
    if (plan->unreadable == NULL)
        plan->unreadable = problem;
    else
        g_error_free(problem);
}

/* Every manifest is read anew: what the catalog remembers may have been damaged since. */
static gboolean look_at_backup(Plan *plan, const CatalogBackup *entry, GError **error)
{
    GError *problem = NULL;
    g_autoptr(Backup) backup = backup_open(plan->context->repository, entry->id, &problem);
    Candidate *candidate;
    CleanupItem *item;

    if (backup == NULL && (error_is(problem, ERROR_UNREACHABLE))) {
        g_propagate_error(error, problem);
        return FALSE;
    }
    if (backup == NULL && error_is(problem, ERROR_NOT_FOUND)) {
        g_error_free(problem);
        return TRUE;
    }
    item = g_new0(CleanupItem, 1);
    item->id = g_strdup(entry->id);
    item->source = g_strdup(entry->source != NULL ? entry->source : "");
    item->start = entry->start;
    item->bytes = entry->stored_size;
    g_ptr_array_add(plan->result->items, item);
    candidate = g_new0(Candidate, 1);
    candidate->item = item;
    candidate->stop = entry->stop;
    g_ptr_array_add(plan->candidates, candidate);
    if (backup == NULL) {
        take_unreadable(plan, item, problem);
        return TRUE;
    }
    item->known = TRUE;
    candidate->engine = g_strdup(manifest_engine(backup_manifest(backup)));
    candidate->in_use = user_of(plan, item->id);
    candidate->backup = (RetentionBackup){.id = item->id,
                                          .start = entry->start,
                                          .stop = entry->stop,
                                          .reach = entry->stop,
                                          .full = g_strcmp0(entry->type, "full") == 0,
                                          .partial = entry->partial,
                                          .pinned = entry->pinned,
                                          .good = !entry->damaged,
                                          .in_use = candidate->in_use};
    return TRUE;
}

static gboolean look_at_all(Plan *plan, GError **error)
{
    g_autoptr(GPtrArray) backups = NULL;

    if (!catalog_refresh(plan->context->catalog, error) ||
        !catalog_backups(plan->context->catalog, NULL, &backups, error) ||
        !find_restored(plan, error) || !lease_list(plan->context->repository, &plan->leases, error))
        return FALSE;
    for (guint i = backups->len; i > 0; i--) {
        if (!look_at_backup(plan, g_ptr_array_index(backups, i - 1), error))
            return FALSE;
    }
    return TRUE;
}

/* --- what forbids it -------------------------------------------------------------------------- */

static gboolean check_readable(const Plan *plan, GError **error)
{
    g_autofree char *text = NULL;

    if (plan->unreadable == NULL)
        return TRUE;
    text = error_text(plan->unreadable);
    error_set(error, ERROR_REFUSED, "%u %s cannot be read, so that nobody knows what is needed: %s",
              plan->unreadable_count, plan->unreadable_count == 1 ? "backup" : "backups", text);
    error_add_hint(error, "see holdfast verify; delete it if it is lost, or leave it as it is and "
                          "go on with --unreadable BACKUP");
    return FALSE;
}

static gboolean check_clock(const Plan *plan, GError **error)
{
    for (guint i = 0; i < plan->candidates->len; i++) {
        const Candidate *candidate = g_ptr_array_index(plan->candidates, i);
        g_autofree char *now = NULL, *then = NULL;

        if (candidate->stop <= plan->now + CLOCK_TOLERANCE)
            continue;
        now = time_format(plan->now);
        then = time_format(candidate->stop);
        error_set(error, ERROR_REFUSED, "the clock says %s, and backup %s is of %s", now,
                  candidate->item->id, then);
        error_add_hint(error, "set the clock; if the backup was made with a wrong one, delete it");
        return FALSE;
    }
    return TRUE;
}

static gboolean check_half(const Plan *plan, GError **error)
{
    guint total = plan->result->items->len;
    guint deletions = plan->result->deletions;

    if (deletions * 2 <= total || plan->request->yes)
        return TRUE;
    if (plan->request->dry_run) {
        note(plan, "this is more than half of all backups: it needs --yes");
        return TRUE;
    }
    error_set(error, ERROR_REFUSED, "%u of all %u backups would be deleted at once", deletions,
              total);
    error_add_hint(error, "look at holdfast cleanup --dry-run, then say --yes");
    return FALSE;
}

/* --- verdicts --------------------------------------------------------------------------------- */

/* Fills in how far the logs behind the backups of a source lead. Where that cannot be found out,
 * they are taken to lead up to now: then more is kept. */
static gboolean find_reach(Plan *plan, const ConfigSource *source, const GPtrArray *own,
                           GError **error)
{
    const EngineReachRequest request = {.repository = plan->context->repository, .source = source};
    g_autoptr(GError) problem = NULL;
    const Engine *engine = engine_find(source->engine, &problem);
    g_auto(EngineReach) reach = {0};
    g_autoptr(GHashTable) ends = g_hash_table_new(g_str_hash, g_str_equal);
    gboolean known =
        engine != NULL && (engine->reach == NULL || engine->reach(&request, &reach, &problem));

    if (error_is(problem, ERROR_UNREACHABLE) || error_is(problem, ERROR_CANCELLED)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    if (!known) {
        g_autofree char *text = error_text(problem);

        note(plan, "what can be recovered of %s is not known: %s", source->name, text);
    }
    for (guint i = 0; reach.windows != NULL && i < reach.windows->len; i++) {
        EngineWindow *window = g_ptr_array_index(reach.windows, i);

        for (guint j = 0; j < window->backups->len && window->problem == NULL; j++)
            g_hash_table_insert(ends, window->backups->pdata[j], &window->to);
    }
    for (guint i = 0; i < own->len; i++) {
        Candidate *candidate = g_ptr_array_index(own, i);
        const gint64 *end = g_hash_table_lookup(ends, candidate->item->id);

        if (!known)
            candidate->backup.reach = G_MAXINT64;
        else if (end != NULL)
            candidate->backup.reach = MAX(candidate->backup.stop, *end);
    }
    return TRUE;
}

static gboolean judge_source(Plan *plan, const ConfigSource *source, GError **error)
{
    RetentionRules rules = cleanup_rules(plan->context->config, source->name);
    g_autoptr(GPtrArray) own = g_ptr_array_new();
    g_autoptr(GArray) backups = g_array_new(FALSE, FALSE, sizeof(RetentionBackup));
    g_autofree RetentionVerdict *verdicts = NULL;

    for (guint i = 0; i < plan->candidates->len; i++) {
        Candidate *candidate = g_ptr_array_index(plan->candidates, i);

        if (candidate->item->known && strcmp(candidate->item->source, source->name) == 0)
            g_ptr_array_add(own, candidate);
    }
    if (own->len > 0 && !find_reach(plan, source, own, error))
        return FALSE;
    for (guint i = 0; i < own->len; i++)
        g_array_append_val(backups, ((Candidate *)g_ptr_array_index(own, i))->backup);
    verdicts = retention_decide((const RetentionBackup *)backups->data, own->len, &rules, plan->now,
                                config_time_zone(plan->context->config));
    for (guint i = 0; i < own->len; i++) {
        Candidate *candidate = g_ptr_array_index(own, i);
        CleanupItem *item = candidate->item;

        item->keep = verdicts[i].keep != 0;
        item->logs = verdicts[i].logs;
        item->reason = retention_reason(&rules, &candidate->backup, &verdicts[i]);
        plan->result->deletions += !item->keep;
    }
    if (rules.limit_logs && rules.log_days < rules.days)
        note(plan, "%s: wal_days %u is less than keep_days %u, whose moments need their WAL",
             source->name, rules.log_days, rules.days);
    return TRUE;
}

/* What no source of this run has judged. */
static void keep_others(const Plan *plan)
{
    guint count = 0;

    for (guint i = 0; i < plan->candidates->len; i++) {
        CleanupItem *item = ((Candidate *)g_ptr_array_index(plan->candidates, i))->item;

        if (item->reason != NULL)
            continue;
        item->keep = TRUE;
        item->reason = g_strdup_printf("source %s is not looked at", item->source);
        count += plan->request->sources == NULL;
    }
    if (count > 0)
        note(plan, "%u %s of sources that this configuration does not have: they are left alone",
             count, count == 1 ? "backup is" : "backups are");
}

static gboolean judge_all(Plan *plan, GError **error)
{
    const Config *config = plan->context->config;

    for (guint i = 0; i < config_source_count(config); i++) {
        const ConfigSource *source = config_source(config, i);

        if (cleanup_wants(config, plan->request, source->name) &&
            !judge_source(plan, source, error))
            return FALSE;
    }
    keep_others(plan);
    return TRUE;
}

/* --- sizes ------------------------------------------------------------------------------------ */

static guint digest_hash(gconstpointer key)
{
    guint value;

    memcpy(&value, key, sizeof(value));
    return value;
}

static gboolean digest_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, SHA256_SIZE) == 0;
}

typedef struct {
    GHashTable *live, *dead; /* digests of pool objects */
    guint64 folder_bytes, pool_bytes;
} Sizes;

/* A pool object's digest is its name. */
static gboolean add_backup(Repository *repository, const CleanupItem *item, Sizes *sizes,
                           GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(Checksums) checksums = backup_read_checksums(repository, item->id, &problem);

    if (checksums == NULL) {
        if (!item->known || error_is(problem, ERROR_NOT_FOUND))
            return TRUE;
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    for (guint i = 0; i < checksums_count(checksums); i++) {
        const ChecksumEntry *entry = checksums_entry(checksums, i);

        if (g_str_has_prefix(entry->path, SHARED_POOL))
            g_hash_table_add(item->keep ? sizes->live : sizes->dead,
                             g_memdup2(entry->digest, SHA256_SIZE));
    }
    return TRUE;
}

static gboolean add_size(const char *name, const StoreInfo *info, gpointer data, GError **error)
{
    *(guint64 *)data += info->size;
    return TRUE;
}

static gboolean add_pool_size(const char *name, const StoreInfo *info, gpointer data,
                              GError **error)
{
    Sizes *sizes = data;
    const char *slash = strrchr(name, '/');
    guint8 digest[SHA256_SIZE];

    if (sha256_from_hex(slash + 1, digest) && g_hash_table_contains(sizes->dead, digest) &&
        !g_hash_table_contains(sizes->live, digest))
        sizes->pool_bytes += info->size;
    return TRUE;
}

static gboolean find_sizes(const Plan *plan, GError **error)
{
    Repository *repository = plan->context->repository;
    Store *store = repository_store(repository);
    g_autoptr(GHashTable) live = g_hash_table_new_full(digest_hash, digest_equal, g_free, NULL);
    g_autoptr(GHashTable) dead = g_hash_table_new_full(digest_hash, digest_equal, g_free, NULL);
    Sizes sizes = {.live = live, .dead = dead};

    for (guint i = 0; i < plan->result->items->len && plan->result->deletions > 0; i++) {
        const CleanupItem *item = g_ptr_array_index(plan->result->items, i);
        g_autofree char *prefix = g_strdup_printf("backups/%s/", item->id);

        if (!add_backup(repository, item, &sizes, error) ||
            (!item->keep && !store_list(store, prefix, add_size, &sizes.folder_bytes, error)))
            return FALSE;
    }
    if (g_hash_table_size(dead) > 0 && !store_list(store, "pool/", add_pool_size, &sizes, error))
        return FALSE;
    plan->result->folder_bytes = sizes.folder_bytes;
    plan->result->pool_bytes = sizes.pool_bytes;
    return TRUE;
}

/* --- all -------------------------------------------------------------------------------------- */

gboolean cleanup_plan(OperationContext *context, const CleanupRequest *request,
                      CleanupResult *result, GError **error)
{
    g_autoptr(GPtrArray) candidates =
        g_ptr_array_new_with_free_func((GDestroyNotify)candidate_free);
    g_autoptr(GHashTable) restored = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Plan plan = {.context = context,
                 .request = request,
                 .result = result,
                 .candidates = candidates,
                 .restored = restored,
                 .now = time_now()};
    gboolean done;

    result->items = g_ptr_array_new_with_free_func((GDestroyNotify)item_free);
    result->notes = g_ptr_array_new_with_free_func(g_free);
    result->logs = g_ptr_array_new_with_free_func((GDestroyNotify)logs_free);
    done = look_at_all(&plan, error) && check_readable(&plan, error) &&
           cleanup_check_pins(context->repository, request, error) &&
           cleanup_check_lost(context->repository, request, error) && check_clock(&plan, error) &&
           judge_all(&plan, error) && find_sizes(&plan, error) && check_half(&plan, error);
    g_clear_pointer(&plan.leases, g_ptr_array_unref);
    g_clear_error(&plan.unreadable);
    return done;
}
