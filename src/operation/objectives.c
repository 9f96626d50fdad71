/* SPDX-License-Identifier: Apache-2.0
 *
 * Recovery objectives.
 */
#include "operation/objectives.h"

#include <string.h>

#include "base/error.h"
#include "base/size.h"
#include "base/time.h"
#include "engine/engine.h"
#include "operation/cleanup-private.h"
#include "operation/expect.h"

/* Beyond this share of what is wanted it is at risk. */
#define RISK_SHARE 0.75
/* A measurement older than this says little. */
#define MEASUREMENT_AGE (60 * TIME_DAY)
#define SECONDS(value)  ((gint64)((value) * (double)TIME_SECOND))

const char *objective_state_name(ObjectiveState state)
{
    static const char *const names[] = {"ok", "at risk", "missed"};

    return names[state];
}

const char *objective_kind_name(ObjectiveKind kind)
{
    static const char *const names[] = {"rpo", "rto", "proof"};

    return names[kind];
}

static void finding_free(ObjectiveFinding *finding)
{
    g_free(finding->reason);
    g_free(finding->command);
    g_free(finding);
}

void objective_free(Objective *objective)
{
    if (objective == NULL)
        return;
    g_free(objective->source);
    g_free(objective->engine);
    g_ptr_array_unref(objective->findings);
    g_array_unref(objective->gaps);
    g_free(objective->measured_by);
    g_free(objective->last_backup);
    g_free(objective->last_verify);
    g_free(objective->verify_result);
    g_free(objective->drill_result);
    g_free(objective->drill_failure);
    g_free(objective->drill_refusal);
    g_free(objective);
}

static Objective *objective_new(const ConfigSource *source)
{
    Objective *objective = g_new0(Objective, 1);

    objective->source = g_strdup(source->name);
    objective->engine = g_strdup(source->engine);
    objective->findings = g_ptr_array_new_with_free_func((GDestroyNotify)finding_free);
    objective->gaps = g_array_new(FALSE, FALSE, sizeof(ObjectiveGap));
    objective->age = objective->expected = objective->measured = objective->drill_time = -1;
    return objective;
}

/* Takes both texts. */
static void find(Objective *objective, ObjectiveKind kind, ObjectiveState state, char *reason,
                 char *command)
{
    ObjectiveFinding *finding = g_new0(ObjectiveFinding, 1);

    *finding = (ObjectiveFinding){kind, state, reason, command};
    g_ptr_array_add(objective->findings, finding);
    objective->states[kind] = MAX(objective->states[kind], state);
    objective->state = MAX(objective->state, state);
}

static char *backup_command(const Objective *objective, const char *type)
{
    return g_strdup_printf("holdfast backup %s %s --source %s", objective->engine, type,
                           objective->source);
}

/* --- what can be recovered -------------------------------------------------------------------- */

typedef struct {
    OperationContext *context;
    const ConfigSource *source;
    const Engine *engine;
    GPtrArray *backups; /* CatalogBackup of the source, newest first */
    EngineReach reach;
    gint64 now;
    GCancellable *cancellable;
    json_t *archive_damage;   /* the record of the newest verify of the source's logs; or NULL */
    const EngineWindow *last; /* the one that leads furthest; NULL: none */
    Objective *objective;
} Look;

static gboolean counts(const CatalogBackup *backup)
{
    return !backup->damaged && !backup->partial;
}

static const CatalogBackup *find_backup(const Look *look, const char *id)
{
    for (guint i = 0; i < look->backups->len; i++) {
        const CatalogBackup *backup = g_ptr_array_index(look->backups, i);

        if (g_strcmp0(backup->id, id) == 0)
            return backup;
    }
    return NULL;
}

/* The oldest good backup of a window; NULL: it cannot be relied upon. */
static const CatalogBackup *door_of(const Look *look, const EngineWindow *window)
{
    for (guint i = 0; window->problem == NULL && i < window->backups->len; i++) {
        const CatalogBackup *backup = find_backup(look, window->backups->pdata[i]);

        if (backup != NULL && counts(backup))
            return backup;
    }
    return NULL;
}

static void add_moments(Objective *objective, gint64 from, gint64 to)
{
    objective->newest = MAX(objective->newest, to);
    objective->oldest = objective->oldest == 0 ? from : MIN(objective->oldest, from);
}

/* What was committed before its newest good backup began is in that, whether or not anything was
 * committed that the archive could show. */
static gint64 end_of(const Look *look, const EngineWindow *window)
{
    gint64 end = window->to;

    for (guint i = 0; i < window->backups->len; i++) {
        const CatalogBackup *backup = find_backup(look, window->backups->pdata[i]);

        if (backup != NULL && counts(backup))
            end = MAX(end, backup->start);
    }
    return end;
}

static void look_at_windows(Look *look, GHashTable *inside)
{
    const GPtrArray *windows = look->reach.windows;
    Objective *objective = look->objective;
    gint64 covered = 0;

    for (guint i = 0; windows != NULL && i < windows->len; i++) {
        const EngineWindow *window = g_ptr_array_index(windows, i);
        const CatalogBackup *door = door_of(look, window);
        gint64 from, to;

        for (guint j = 0; j < window->backups->len; j++)
            g_hash_table_add(inside, window->backups->pdata[j]);
        if (door == NULL)
            continue;
        from = MAX(window->from, door->stop);
        if (covered != 0 && from > covered) {
            const ObjectiveGap gap = {covered, from};

            g_array_append_val(objective->gaps, gap);
        }
        if (window->to >= covered)
            look->last = window;
        to = end_of(look, window);
        covered = MAX(covered, to);
        add_moments(objective, from, to);
    }
    /* Logs go on behind it, and lead nowhere. */
    if (look->last != NULL && look->last->hole != NULL) {
        const ObjectiveGap gap = {covered, look->now};

        g_array_append_val(objective->gaps, gap);
    }
}

/* They are sorted by their end, the newest first. NULL: none. */
static const CatalogBackup *newest_good(const Look *look)
{
    for (guint i = 0; i < look->backups->len; i++)
        if (counts(g_ptr_array_index(look->backups, i)))
            return g_ptr_array_index(look->backups, i);
    return NULL;
}

static gint64 moment_of(const Look *look, const CatalogBackup *backup)
{
    return look->reach.moment != 0 && backup == newest_good(look) ? look->reach.moment
                                                                  : backup->start;
}

/* Without logs a backup has one moment. Its start is the safe side: what was written while it ran
 * may be missing. Of the newest the engine may know better. */
static void look_at_moments(const Look *look, GHashTable *inside)
{
    for (guint i = 0; i < look->backups->len; i++) {
        const CatalogBackup *backup = g_ptr_array_index(look->backups, i);
        gint64 moment = moment_of(look, backup);

        if (counts(backup) && !g_hash_table_contains(inside, backup->id))
            add_moments(look->objective, MIN(backup->start, moment), moment);
    }
}

static gint64 time_of(const json_t *record)
{
    gint64 when;

    return time_parse(json_get_string(record, "time", ""), NULL, &when, NULL) ? when : 0;
}

/* What verify has found to be damaged in the logs, by name. Free with g_hash_table_unref(). */
static GHashTable *damaged_logs(const Look *look)
{
    GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    const json_t *entry;
    size_t index;

    json_array_foreach(json_object_get(look->archive_damage, "damage"), index, entry)
    {
        g_hash_table_add(names, g_strdup(json_get_string(entry, "object", "")));
    }
    return names;
}

static gboolean find_moments(Look *look, GError **error)
{
    const CatalogBackup *newest = newest_good(look);
    g_autoptr(GHashTable) damaged = damaged_logs(look);
    const EngineReachRequest request = {.repository = look->context->repository,
                                        .source = look->source,
                                        .newest = newest != NULL ? newest->id : NULL,
                                        .ask = TRUE,
                                        .damaged = damaged,
                                        .damaged_at = time_of(look->archive_damage),
                                        .cancellable = look->cancellable};
    g_autoptr(GHashTable) inside = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GError) problem = NULL;
    g_autofree char *text = NULL;
    Objective *objective = look->objective;

    if (look->engine->reach != NULL && !look->engine->reach(&request, &look->reach, &problem)) {
        if (error_is(problem, ERROR_UNREACHABLE) || error_is(problem, ERROR_CANCELLED)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        text = error_text(problem);
        find(objective, OBJECTIVE_RPO, OBJECTIVE_MISSED,
             g_strdup_printf("nobody can tell how far the logs lead: %s", text),
             g_strdup_printf("holdfast wal list --source %s", objective->source));
    }
    look_at_windows(look, inside);
    look_at_moments(look, inside);
    objective->replay_bytes = look->reach.replay_bytes;
    objective->complete = look->reach.complete && objective->newest != 0;
    if (objective->complete)
        objective->newest =
            MAX(objective->newest, look->reach.moment != 0 ? look->reach.moment : look->now);
    if (objective->newest != 0)
        objective->age = MAX(look->now - objective->newest, 0);
    return TRUE;
}

/* --- loss ------------------------------------------------------------------------------------- */

/* What is quicker to make where there is a base already. */
static const char *next_type(const Look *look)
{
    return look->engine->base_fits != NULL && g_strcmp0(look->source->method, "logical") != 0
               ? "incremental"
               : "full";
}

static void judge_age(const Look *look)
{
    Objective *objective = look->objective;
    gboolean logs = look->reach.windows != NULL && look->reach.windows->len > 0;
    gboolean missed = objective->age > objective->rpo;
    g_autofree char *age = duration_format(objective->age);
    g_autofree char *wanted = duration_format(objective->rpo);
    const char *doubt = look->reach.doubt;

    if (!missed && (double)objective->age <= (double)objective->rpo * RISK_SHARE)
        return;
    find(objective, OBJECTIVE_RPO, missed ? OBJECTIVE_MISSED : OBJECTIVE_AT_RISK,
         g_strdup_printf("the newest moment that can be recovered is %s ago, %s is wanted%s%s", age,
                         wanted, doubt != NULL ? "; " : "", doubt != NULL ? doubt : ""),
         logs ? g_strdup_printf("holdfast check %s", objective->source)
              : backup_command(objective, next_type(look)));
}

static void judge_windows(const Look *look)
{
    const GPtrArray *windows = look->reach.windows;
    Objective *objective = look->objective;
    RetentionRules rules = cleanup_rules(look->context->config, objective->source);
    gint64 since =
        retention_days_ago(look->now, rules.days, config_time_zone(look->context->config));

    for (guint i = 0; windows != NULL && i < windows->len; i++) {
        const EngineWindow *window = g_ptr_array_index(windows, i);

        if (window->problem != NULL)
            find(objective, OBJECTIVE_RPO, OBJECTIVE_AT_RISK,
                 g_strdup_printf("backup %s cannot be recovered: %s",
                                 (const char *)window->backups->pdata[0], window->problem),
                 backup_command(objective, "full"));
    }
    for (guint i = 0; i < objective->gaps->len; i++) {
        const ObjectiveGap *gap = &g_array_index(objective->gaps, ObjectiveGap, i);
        g_autofree char *from = time_format(gap->from), *to = time_format(gap->to);

        if (gap->to > since && gap->to != look->now)
            find(objective, OBJECTIVE_RPO, OBJECTIVE_AT_RISK,
                 g_strdup_printf("no moment between %s and %s can be recovered", from, to),
                 g_strdup_printf("holdfast wal list --source %s", objective->source));
    }
    if (look->last != NULL && look->last->hole != NULL) {
        g_autofree char *end = time_format(look->last->to);

        find(objective, OBJECTIVE_RPO, OBJECTIVE_AT_RISK,
             g_strdup_printf("no moment after %s can be recovered: WAL segment %s is missing or "
                             "damaged",
                             end, look->last->hole),
             backup_command(objective, "full"));
    }
}

static void judge_loss(const Look *look)
{
    Objective *objective = look->objective;

    if (objective->newest == 0) {
        find(objective, OBJECTIVE_RPO, OBJECTIVE_MISSED, g_strdup("there is no good backup"),
             backup_command(objective, "full"));
        return;
    }
    judge_age(look);
    judge_windows(look);
    if (look->reach.windows != NULL && look->reach.windows->len > 0 && !look->reach.asked &&
        look->reach.doubt != NULL)
        find(objective, OBJECTIVE_RPO, OBJECTIVE_AT_RISK,
             g_strdup_printf("the server could not be asked what it has beyond the archive: %s",
                             look->reach.doubt),
             g_strdup_printf("holdfast check %s", objective->source));
}

/* --- time ------------------------------------------------------------------------------------- */

static double seconds_of(const json_t *record)
{
    return json_number_value(json_object_get(record, "seconds"));
}

static gboolean is_of_source(const Look *look, const json_t *record)
{
    const char *source = json_get_string(record, "source", NULL);

    return source != NULL ? strcmp(source, look->source->name) == 0
                          : find_backup(look, json_get_string(record, "backup", NULL)) != NULL;
}

static gboolean was_cancelled(const json_t *drill)
{
    return strcmp(json_get_string(drill, "result", ""), "cancelled") == 0;
}

/* Asked for what could not be. */
static gboolean was_refused(const json_t *drill)
{
    static const ErrorCode refusals[] = {ERROR_USAGE, ERROR_REFUSED, ERROR_NO_SPACE, ERROR_BUSY};
    const char *code = json_get_string(drill, "code", NULL);

    for (guint i = 0; i < G_N_ELEMENTS(refusals); i++) {
        if (g_strcmp0(code, error_info(refusals[i])->name) == 0)
            return TRUE;
    }
    return FALSE;
}

static void note_last_drill(Objective *objective, const json_t *drill)
{
    objective->drill_result = g_strdup(json_get_string(drill, "result", "unknown"));
    objective->last_drill_at = time_of(drill);
    objective->drill_time = SECONDS(seconds_of(drill));
    if (was_refused(drill))
        objective->drill_refusal = g_strdup(json_get_string(drill, "message", "unknown"));
}

/* One that was stopped or refused proves nothing of a recovery: the one before it counts. */
static void note_drills(const Look *look, const GPtrArray *drills)
{
    Objective *objective = look->objective;

    for (guint i = 0; i < drills->len; i++) {
        const json_t *drill = g_ptr_array_index(drills, i);
        const char *result = json_get_string(drill, "result", "unknown");

        if (!is_of_source(look, drill))
            continue;
        if (objective->drill_result == NULL)
            note_last_drill(objective, drill);
        if (was_cancelled(drill) || was_refused(drill))
            continue;
        if (strcmp(result, "succeeded") != 0)
            objective->drill_failure =
                g_strdup_printf("%s, %s", result, json_get_string(drill, "message", "unknown"));
        return;
    }
}

/* The newest backup, and the logs behind it, as a restore's plan reckons it; nothing is assumed
 * here. */
static void reckon(const Look *look)
{
    Objective *objective = look->objective;
    const CatalogBackup *backup =
        objective->last_backup != NULL ? find_backup(look, objective->last_backup) : NULL;
    const ExpectQuery query = {.engine = objective->engine,
                               .method = backup != NULL ? backup->method : NULL,
                               .source = objective->source,
                               .whole = TRUE,
                               .bytes = objective->restore_bytes + objective->replay_bytes};
    Expectation expectation;

    if (backup == NULL || !expect_restore(look->context, &query, &expectation) ||
        expectation.measured == 0)
        return;
    objective->measured_by = g_strdup(expectation.kind);
    objective->measured = SECONDS(expectation.newest_seconds);
    objective->measured_at = expectation.newest_at;
    objective->expected = SECONDS(expectation.seconds);
}

static gboolean find_times(Look *look, GError **error)
{
    g_autoptr(GPtrArray) drills = NULL;

    if (!catalog_records(look->context->catalog, "drill", &drills, error))
        return FALSE;
    note_drills(look, drills);
    reckon(look);
    return TRUE;
}

static char *drill_command(const Objective *objective)
{
    return g_strdup_printf("holdfast drill %s", objective->source);
}

static void judge_expected(Objective *objective)
{
    gboolean missed = objective->expected > objective->rto;
    g_autofree char *expected = duration_format(objective->expected);
    g_autofree char *wanted = duration_format(objective->rto);

    if (missed || (double)objective->expected > (double)objective->rto * RISK_SHARE)
        find(objective, OBJECTIVE_RTO, missed ? OBJECTIVE_MISSED : OBJECTIVE_AT_RISK,
             g_strdup_printf("a recovery is expected to take %s, %s is wanted", expected, wanted),
             objective->replay_bytes > objective->restore_bytes
                 ? backup_command(objective, "incremental")
                 : drill_command(objective));
}

static void judge_time(const Look *look)
{
    Objective *objective = look->objective;

    if (objective->last_backup == NULL) {
        find(objective, OBJECTIVE_RTO, OBJECTIVE_MISSED, g_strdup("there is no good backup"),
             backup_command(objective, "full"));
        return;
    }
    if (objective->drill_failure != NULL)
        find(objective, OBJECTIVE_RTO, OBJECTIVE_MISSED,
             g_strdup_printf("the last drill ended with: %s", objective->drill_failure),
             drill_command(objective));
    if (objective->drill_refusal != NULL)
        find(objective, OBJECTIVE_RTO, OBJECTIVE_AT_RISK,
             g_strdup_printf("the last drill was not carried out: %s", objective->drill_refusal),
             drill_command(objective));
    if (objective->measured < 0) {
        find(objective, OBJECTIVE_RTO, OBJECTIVE_AT_RISK,
             g_strdup("neither a drill nor a restore of a whole backup was measured"),
             drill_command(objective));
        return;
    }
    judge_expected(objective);
    if (look->now - objective->measured_at > MEASUREMENT_AGE) {
        g_autofree char *age = duration_format(look->now - objective->measured_at);

        find(objective, OBJECTIVE_RTO, OBJECTIVE_AT_RISK,
             g_strdup_printf("the last measurement was %s ago", age), drill_command(objective));
    }
}

/* --- proof ------------------------------------------------------------------------------------ */

/* The newest finding on the archive of the source's logs; NULL: nobody has looked, or found
 * nothing. */
static json_t *find_archive_damage(const Look *look, const GPtrArray *verifies)
{
    g_autofree char *archive = g_strdup_printf("wal/%s", look->source->name);

    for (guint i = 0; i < verifies->len; i++) {
        json_t *record = g_ptr_array_index(verifies, i);

        if (g_strcmp0(json_get_string(record, "archive", NULL), archive) == 0)
            return g_strcmp0(json_get_string(record, "result", NULL), "damaged") == 0 ? record
                                                                                      : NULL;
    }
    return NULL;
}

static gboolean find_last(Look *look, GError **error)
{
    g_autoptr(GPtrArray) verifies = NULL;
    Objective *objective = look->objective;

    for (guint i = 0; i < look->backups->len && objective->last_backup == NULL; i++) {
        const CatalogBackup *backup = g_ptr_array_index(look->backups, i);

        if (!counts(backup))
            continue;
        objective->last_backup = g_strdup(backup->id);
        objective->last_backup_at = backup->stop;
        objective->restore_bytes = backup->plain_size;
    }
    if (!catalog_records(look->context->catalog, "verify", &verifies, error))
        return FALSE;
    for (guint i = 0; i < verifies->len && objective->last_verify == NULL; i++) {
        const json_t *record = g_ptr_array_index(verifies, i);

        if (!is_of_source(look, record))
            continue;
        objective->last_verify = g_strdup(json_get_string(record, "backup", ""));
        objective->verify_result = g_strdup(json_get_string(record, "result", "unknown"));
        objective->last_verify_at = time_of(record);
    }
    look->archive_damage = json_incref(find_archive_damage(look, verifies));
    return TRUE;
}

/* The command that mends it: a new backup where the newest needs what is damaged; else another look,
 * once it was written again, or is gone. */
static char *mend_archive(const Look *look, gboolean *ret_needed)
{
    const Objective *objective = look->objective;

    *ret_needed = look->last == NULL || look->last->hole != NULL || !objective->complete;
    return *ret_needed ? backup_command(objective, "full")
                       : g_strdup_printf("holdfast verify --all --source %s", objective->source);
}

/* It stands until a verify of the archive finds nothing. */
static void judge_archive(const Look *look)
{
    const json_t *record = look->archive_damage;
    const json_t *first = json_array_get(json_object_get(record, "problems"), 0);
    gboolean needed;
    char *command;

    if (record == NULL)
        return;
    command = mend_archive(look, &needed);
    find(look->objective, OBJECTIVE_PROOF, OBJECTIVE_AT_RISK,
         g_strdup_printf("verify found damage in the archived logs on %s: %s%s",
                         json_get_string(record, "time", "?"),
                         json_is_string(first) ? json_string_value(first) : "see its record",
                         needed ? "" : "; the newest backup does not need it"),
         command);
}

static void judge_proof(const Look *look)
{
    Objective *objective = look->objective;
    const CatalogBackup *newest =
        look->backups->len > 0 ? g_ptr_array_index(look->backups, 0) : NULL;
    const CatalogBackup *good =
        objective->last_backup != NULL ? find_backup(look, objective->last_backup) : NULL;

    if (newest != NULL && newest->damaged)
        find(objective, OBJECTIVE_PROOF, OBJECTIVE_AT_RISK,
             g_strdup_printf("the newest backup %s is damaged: %s", newest->id, newest->problem),
             backup_command(objective, "full"));
    if (good == NULL)
        find(objective, OBJECTIVE_PROOF, OBJECTIVE_MISSED,
             g_strdup("there is no good backup to verify"), backup_command(objective, "full"));
    else if (good->verified == 0)
        find(objective, OBJECTIVE_PROOF, OBJECTIVE_AT_RISK,
             g_strdup_printf("the newest good backup %s was never verified", good->id),
             g_strdup_printf("holdfast verify %s", good->id));
}

/* --- all -------------------------------------------------------------------------------------- */

static int by_badness(gconstpointer a, gconstpointer b)
{
    const ObjectiveFinding *const *left = a, *const *right = b;

    if ((*left)->state != (*right)->state)
        return (*left)->state > (*right)->state ? -1 : 1;
    return (int)(*left)->kind - (int)(*right)->kind;
}

static gboolean look_at_source(Look *look, GError **error)
{
    const CatalogFilter filter = {.source = look->source->name};
    Objective *objective = look->objective;

    objective->rto = look->source->rto > 0 ? look->source->rto : look->engine->rto;
    objective->rpo = look->source->rpo > 0 ? look->source->rpo : look->engine->rpo;
    if (!catalog_backups(look->context->catalog, &filter, &look->backups, error) ||
        !find_last(look, error) || !find_moments(look, error) || !find_times(look, error))
        return FALSE;
    judge_loss(look);
    judge_time(look);
    judge_proof(look);
    judge_archive(look);
    g_ptr_array_sort(objective->findings, by_badness);
    return TRUE;
}

static gboolean add_source(OperationContext *context, const ConfigSource *source, gint64 now,
                           GCancellable *cancellable, GPtrArray *objectives, GError **error)
{
    g_autoptr(GError) problem = NULL;
    Look look = {.context = context, .source = source, .now = now, .cancellable = cancellable};
    gboolean done;

    look.objective = objective_new(source);
    g_ptr_array_add(objectives, look.objective);
    look.engine = engine_find(source->engine, &problem);
    if (look.engine == NULL) {
        /* What nobody has looked at is not ok. */
        for (ObjectiveKind kind = OBJECTIVE_RPO; kind <= OBJECTIVE_PROOF; kind++)
            find(look.objective, kind, OBJECTIVE_MISSED, error_text(problem), NULL);
        return TRUE;
    }
    done = look_at_source(&look, error);
    g_clear_pointer(&look.backups, g_ptr_array_unref);
    json_decref(look.archive_damage);
    engine_reach_clear(&look.reach);
    return done;
}

gboolean operation_objectives(OperationContext *context, const char *source,
                              GCancellable *cancellable, GPtrArray **ret_objectives, GError **error)
{
    g_autoptr(GPtrArray) objectives =
        g_ptr_array_new_with_free_func((GDestroyNotify)objective_free);
    gint64 now = time_now();
    const Config *config = context->config;

    if (source != NULL && config_find_source(config, source, NULL, NULL, error) == NULL)
        return FALSE;
    if (config_source_count(config) == 0) {
        error_set(error, ERROR_CONFIG, "the configuration has no source");
        error_add_hint(error, "add a [source NAME] section");
        return FALSE;
    }
    for (guint i = 0; i < config_source_count(config); i++) {
        const ConfigSource *one = config_source(config, i);

        if (source != NULL && strcmp(one->name, source) != 0)
            continue;
        if (!error_unless_cancelled(cancellable, error))
            return FALSE;
        if (!add_source(context, one, now, cancellable, objectives, error))
            return FALSE;
    }
    *ret_objectives = g_steal_pointer(&objectives);
    return TRUE;
}
