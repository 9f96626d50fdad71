/* SPDX-License-Identifier: Apache-2.0
 *
 * Planning a restore: choosing, the order of the steps, the summary.
 */
#include "tdengine/restore-plan.h"

#include <string.h>

#include "base/error.h"
#include "base/size.h"
#include "base/time.h"
#include "engine/restore-names.h"
#include "tdengine/connect.h"
#include "tdengine/ddl.h"
#include "tdengine/pattern.h"
#include "tdengine/restore-choose.h"
#include "tdengine/restore-database.h"

/* --- memory ----------------------------------------------------------------------------------- */

static void database_free(gpointer data)
{
    TdDatabasePlan *database = data;

    g_free(database->target);
    g_free(database->create);
    g_free(database->keep);
    g_free(database->stt_trigger);
    g_free(database->there_keep);
    g_free(database->there_precision);
    g_ptr_array_unref(database->topics);
    td_children_free(database->children);
    g_clear_pointer(&database->supers, g_hash_table_unref);
    td_marker_free(database->marker);
    g_free(database);
}

static void table_free(gpointer data)
{
    TdTablePlan *table = data;

    td_tag_set_free(table->tags);
    g_clear_pointer(&table->drop_children, g_ptr_array_unref);
    g_free(table);
}

void td_restore_plan_free(EnginePlan *made)
{
    TdRestorePlan *plan = (TdRestorePlan *)made;

    if (plan == NULL)
        return;
    g_clear_pointer(&plan->tables, g_ptr_array_unref);
    g_clear_pointer(&plan->databases, g_ptr_array_unref);
    g_clear_pointer(&plan->topics, g_hash_table_unref);
    td_client_free(plan->client);
    td_details_free(plan->details);
    td_details_free(plan->following);
    engine_plan_clear(&plan->base);
    g_free(plan);
}

/* --- time ------------------------------------------------------------------------------------- */

/* Microseconds in ticks; borders between two ticks of milliseconds belong to the later one. */
gint64 td_restore_ticks(gint64 microseconds, TdPrecision precision)
{
    gint64 ticks;

    if (microseconds == G_MININT64 || microseconds == G_MAXINT64)
        return microseconds;
    if (precision == TD_MILLISECONDS)
        return microseconds / 1000 + (microseconds % 1000 > 0);
    if (precision == TD_MICROSECONDS)
        return microseconds;
    if (__builtin_mul_overflow(microseconds, 1000, &ticks))
        return microseconds < 0 ? G_MININT64 : G_MAXINT64;
    return ticks;
}

void td_restore_range(const TdRestorePlan *plan, const TdTablePlan *table, gint64 *ret_from,
                      gint64 *ret_to)
{
    TdPrecision precision = table->database->source->precision;

    *ret_from = td_restore_ticks(plan->request->time_from, precision);
    *ret_to = td_restore_ticks(plan->request->time_to, precision);
}

TdShare td_slice_share(const TdSlice *slice, gint64 from, gint64 to)
{
    if (slice->rows == 0 || slice->last < from || (slice->first >= to && to != G_MAXINT64))
        return TD_SHARE_NONE;
    return slice->first >= from && (slice->last < to || to == G_MAXINT64) ? TD_SHARE_ALL
                                                                          : TD_SHARE_PART;
}

TdShare td_restore_share(const TdRestorePlan *plan, const TdTablePlan *table, const TdSlice *slice)
{
    gint64 from, to;

    td_restore_range(plan, table, &from, &to);
    return td_slice_share(slice, from, to);
}

TdTablePlan *td_restore_find_table(const TdRestorePlan *plan, const char *database,
                                   const char *name)
{
    for (guint i = 0; i < plan->tables->len; i++) {
        TdTablePlan *table = g_ptr_array_index(plan->tables, i);

        if (strcmp(table->table->database, database) == 0 && strcmp(table->table->name, name) == 0)
            return table;
    }
    return NULL;
}

/* --- choosing --------------------------------------------------------------------------------- */

static gboolean choose_databases(TdRestorePlan *plan, GError **error)
{
    const EngineRestore *request = plan->request;
    g_autoptr(GPtrArray) known = g_ptr_array_new();
    g_autoptr(GPtrArray) pairs = NULL;

    for (guint i = 0; i < plan->details->databases->len; i++)
        g_ptr_array_add(known,
                        ((TdDatabase *)g_ptr_array_index(plan->details->databases, i))->name);
    g_ptr_array_add(known, NULL);
    if (!engine_restore_names((const char *const *)known->pdata, request->databases,
                              request->to_database, request->tables != NULL, &pairs, error))
        return FALSE;
    for (guint i = 0; i < pairs->len; i++) {
        const EngineRestoreName *pair = g_ptr_array_index(pairs, i);
        TdDatabasePlan *database = g_new0(TdDatabasePlan, 1);

        database->source = td_details_find_database(plan->details, pair->source);
        database->target = g_strdup(pair->target);
        database->topics = g_ptr_array_new_with_free_func(g_free);
        g_ptr_array_add(plan->databases, database);
        if (strcmp(pair->target, "information_schema") == 0 ||
            strcmp(pair->target, "performance_schema") == 0) {
            error_set(error, ERROR_REFUSED, "nothing is restored into %s", pair->target);
            return FALSE;
        }
    }
    return TRUE;
}

/* Which child tables of a super table the patterns name: FALSE in *ret_any where none. */
static gboolean choose_children(TdRestorePlan *plan, TdTablePlan *table, TdPatterns *patterns,
                                gboolean *ret_any, GError **error)
{
    g_autoptr(TdTagSet) set =
        td_tag_set_read(plan->request->backup, table->table, table->table->tag_objects, error);
    guint32 count;

    if (set == NULL)
        return FALSE;
    count = td_names_count(set->names);
    set->wanted = g_new0(guint8, count);
    set->n_wanted = 0;
    for (guint32 id = 0; id < count; id++) {
        gsize length;

        set->wanted[id] = td_patterns_match(patterns, table->table->database,
                                            td_names_get(set->names, id, &length));
        set->n_wanted += set->wanted[id];
    }
    *ret_any = set->n_wanted > 0;
    if (*ret_any) {
        table->child_tables = set->n_wanted;
        table->tags = g_steal_pointer(&set);
    }
    return TRUE;
}

static gboolean choose_table(TdRestorePlan *plan, TdDatabasePlan *database, guint32 index,
                             TdPatterns *patterns, GError **error)
{
    TdTable *table = g_ptr_array_index(plan->details->tables, index);
    TdTablePlan *chosen = g_new0(TdTablePlan, 1);
    gboolean any;

    *chosen = (TdTablePlan){.database = database,
                            .table = table,
                            .index = index,
                            .child_tables = table->child_tables,
                            .whole = td_patterns_match(patterns, table->database, table->name)};
    any = chosen->whole;
    if (!any && table->kind == TD_TABLE_SUPER &&
        !choose_children(plan, chosen, patterns, &any, error)) {
        table_free(chosen);
        return FALSE;
    }
    /* What marks a restore under way is nobody's data. */
    if (any && strcmp(table->name, TD_MARKER_TABLE) != 0)
        g_ptr_array_add(plan->tables, chosen);
    else
        table_free(chosen);
    return TRUE;
}

static gboolean has_tables(const TdRestorePlan *plan, const TdDatabasePlan *database)
{
    for (guint i = 0; i < plan->tables->len; i++)
        if (((TdTablePlan *)g_ptr_array_index(plan->tables, i))->database == database)
            return TRUE;
    return FALSE;
}

/* Databases of which nothing was chosen are none of this restore's business. */
static gboolean drop_unchosen(TdRestorePlan *plan, GError **error)
{
    g_autoptr(GHashTable) targets = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = plan->databases->len; plan->chosen && i-- > 0;)
        if (!has_tables(plan, g_ptr_array_index(plan->databases, i)))
            g_ptr_array_remove_index(plan->databases, i);
    for (guint i = 0; i < plan->databases->len; i++) {
        TdDatabasePlan *database = g_ptr_array_index(plan->databases, i);

        if (g_hash_table_add(targets, database->target))
            continue;
        error_set(error, ERROR_USAGE, "several databases would become %s", database->target);
        error_add_hint(error, "choose one with --databases, or write --to-database A=X,B=Y");
        return FALSE;
    }
    return TRUE;
}

static gboolean choose_tables(TdRestorePlan *plan, GError **error)
{
    g_autoptr(TdPatterns) patterns = NULL;

    if (!td_patterns_parse(plan->request->tables, &patterns, error))
        return FALSE;
    plan->chosen = !td_patterns_all(patterns);
    for (guint i = 0; i < plan->databases->len; i++) {
        TdDatabasePlan *database = g_ptr_array_index(plan->databases, i);

        for (guint32 k = 0; k < plan->details->tables->len; k++) {
            const TdTable *table = g_ptr_array_index(plan->details->tables, k);

            if (strcmp(table->database, database->source->name) == 0 &&
                !choose_table(plan, database, k, patterns, error))
                return FALSE;
        }
    }
    if (td_patterns_unused(patterns) != NULL) {
        error_set(error, ERROR_USAGE, "the backup has no table that fits %s",
                  td_patterns_unused(patterns));
        return FALSE;
    }
    return drop_unchosen(plan, error);
}

/* --- objects ---------------------------------------------------------------------------------- */

static const TdDatabasePlan *find_database(const TdRestorePlan *plan, const char *source)
{
    for (guint i = 0; source != NULL && i < plan->databases->len; i++) {
        const TdDatabasePlan *database = g_ptr_array_index(plan->databases, i);

        if (strcmp(database->source->name, source) == 0)
            return database;
    }
    return NULL;
}

static gboolean chooses_whole(const TdRestorePlan *plan, const char *database, const char *table)
{
    for (guint i = 0; table != NULL && i < plan->tables->len; i++) {
        const TdTablePlan *chosen = g_ptr_array_index(plan->tables, i);

        if (chosen->whole && !chosen->exists && strcmp(chosen->table->name, table) == 0 &&
            strcmp(chosen->table->database, database) == 0)
            return TRUE;
    }
    return FALSE;
}

gboolean td_restore_wants_object(const TdRestorePlan *plan, const TdObject *object)
{
    /* Users and what they may do belong to the server, which has its own. */
    if (object->kind == TD_OBJECT_USER || object->kind == TD_OBJECT_GRANT)
        return plan->request->globals && !plan->chosen &&
               (object->database == NULL || find_database(plan, object->database) != NULL);
    if (object->kind == TD_OBJECT_FUNCTION)
        return plan->request->globals && !plan->chosen;
    if (find_database(plan, object->database) == NULL)
        return FALSE;
    if (object->kind == TD_OBJECT_INDEX)
        return chooses_whole(plan, object->database,
                             json_get_string(object->details, "table_name", NULL));
    /* Topics have one name for the whole server. */
    if (object->kind == TD_OBJECT_TOPIC && g_hash_table_contains(plan->topics, object->name))
        return FALSE;
    return !plan->chosen && find_database(plan, object->database)->create != NULL;
}

char *td_restore_object_sql(const TdRestorePlan *plan, const TdObject *object, char **ret_elsewhere)
{
    const TdDatabasePlan *database = find_database(plan, object->database);

    *ret_elsewhere = NULL;
    if (object->sql == NULL || database == NULL)
        return g_strdup(object->sql);
    return td_sql_rename_database(object->sql, database->source->name, database->target,
                                  ret_elsewhere);
}

static void look_at_object(TdRestorePlan *plan, const TdObject *object)
{
    const char *kind = td_object_kind_name(object->kind);
    g_autofree char *elsewhere = NULL;
    g_autofree char *sql = td_restore_object_sql(plan, object, &elsewhere);

    if (sql == NULL)
        engine_plan_warn(&plan->base, "%s %s is not made again: %s", kind, object->name,
                         object->reason != NULL ? object->reason : "its statement is not known");
    else if (elsewhere != NULL)
        engine_plan_warn(&plan->base,
                         "%s %s points into database %s, which this restore does not "
                         "touch",
                         kind, object->name, elsewhere);
    if (sql != NULL)
        engine_plan_step(&plan->base, "make %s %s", kind, object->name);
}

/* --- rows ------------------------------------------------------------------------------------- */

static TdTablePlan *find_table(const TdRestorePlan *plan, guint32 index)
{
    for (guint i = 0; i < plan->tables->len; i++) {
        TdTablePlan *table = g_ptr_array_index(plan->tables, i);

        if (table->index == index)
            return table;
    }
    return NULL;
}

static void add_slices(TdRestorePlan *plan)
{
    g_autofree TdTablePlan **by_index = g_new0(TdTablePlan *, plan->details->tables->len + 1);

    for (guint32 i = 0; i < plan->details->tables->len; i++)
        by_index[i] = find_table(plan, i);
    for (guint i = 0; i < plan->details->slices->len; i++) {
        const TdSlice *slice = &g_array_index(plan->details->slices, TdSlice, i);
        TdTablePlan *table = by_index[slice->table];

        if (table == NULL || td_restore_share(plan, table, slice) == TD_SHARE_NONE)
            continue;
        table->expected += slice->rows;
        plan->rows += slice->rows;
        plan->bytes += slice->data.size;
        plan->base.bytes += slice->data.plain_bytes;
        table->database->bytes += slice->data.plain_bytes;
    }
}

static void add_child_tables(TdRestorePlan *plan)
{
    for (guint i = 0; i < plan->tables->len; i++)
        plan->child_tables += ((TdTablePlan *)g_ptr_array_index(plan->tables, i))->child_tables;
}

/* Rows that the server hides, and later removes, as soon as KEEP is what it was. */
static guint64 rows_beyond_keep(const TdRestorePlan *plan)
{
    guint64 rows = 0;

    for (guint i = 0; i < plan->details->slices->len; i++) {
        const TdSlice *slice = &g_array_index(plan->details->slices, TdSlice, i);
        const TdTablePlan *table = find_table(plan, slice->table);
        gint64 minutes = table != NULL ? td_restore_keep_minutes(table->database->keep) : 0;
        gint64 second;

        if (minutes == 0 || td_restore_share(plan, table, slice) == TD_SHARE_NONE)
            continue;
        second = td_ticks(table->database->source->precision);
        if (slice->first / second < time_now() / TIME_SECOND - minutes * 60)
            rows += slice->rows;
    }
    return rows;
}

/* --- words ------------------------------------------------------------------------------------ */

static void describe_database(TdRestorePlan *plan, const TdDatabasePlan *database)
{
    for (guint i = 0; i < database->topics->len; i++)
        engine_plan_step(&plan->base, "drop our topic %s",
                         (const char *)g_ptr_array_index(database->topics, i));
    if (database->left)
        engine_plan_step(&plan->base,
                         "drop database %s, which an interrupted restore left half made",
                         database->target);
    else if (database->drop && database->nothing)
        engine_plan_step(&plan->base, "drop database %s, which holds nothing whatever",
                         database->target);
    else if (database->drop)
        engine_plan_step(&plan->base,
                         "drop database %s: TDengine cannot rename one, so that the old one goes "
                         "before the new one is there; the whole backup was verified",
                         database->target);
    if (database->create != NULL)
        engine_plan_step(&plan->base, "make database %s: %s", database->target, database->create);
    else if (database->keep != NULL)
        engine_plan_step(&plan->base, "widen KEEP of database %s", database->target);
}

static void describe_table(TdRestorePlan *plan, const TdTablePlan *table)
{
    const char *kind = td_table_kind_name(table->table->kind);
    g_autofree char *rows = count_format(table->expected);
    g_autofree char *children = count_format(table->child_tables);

    if (table->drop)
        engine_plan_step(&plan->base, "drop %s table %s.%s", kind, table->database->target,
                         table->table->name);
    if (table->drop_children != NULL)
        engine_plan_step(&plan->base, "drop %u child tables of %s.%s", table->drop_children->len,
                         table->database->target, table->table->name);
    if (table->table->kind == TD_TABLE_SUPER)
        engine_plan_step(&plan->base, "%s super table %s.%s: %s child tables, up to %s rows",
                         table->exists ? "write into" : "make", table->database->target,
                         table->table->name, children, rows);
    else
        engine_plan_step(&plan->base, "%s %s table %s.%s: up to %s rows",
                         table->exists ? "write into" : "make", kind, table->database->target,
                         table->table->name, rows);
}

static void describe(TdRestorePlan *plan)
{
    guint64 beyond = rows_beyond_keep(plan);

    for (guint i = 0; i < plan->databases->len; i++)
        describe_database(plan, g_ptr_array_index(plan->databases, i));
    for (guint i = 0; i < plan->tables->len; i++)
        describe_table(plan, g_ptr_array_index(plan->tables, i));
    engine_plan_step(&plan->base, "count all tables%s and compare with what was written",
                     plan->request->deep ? ", read them back, fingerprint them" : "");
    for (guint i = 0; i < plan->details->objects->len; i++) {
        const TdObject *object = g_ptr_array_index(plan->details->objects, i);

        if (td_restore_wants_object(plan, object))
            look_at_object(plan, object);
        else if (object->kind == TD_OBJECT_TOPIC && !plan->chosen &&
                 g_hash_table_contains(plan->topics, object->name))
            engine_plan_warn(&plan->base, "topic %s is on the server and stays as it is",
                             object->name);
    }
    for (guint i = 0; i < plan->databases->len; i++) {
        const TdDatabasePlan *database = g_ptr_array_index(plan->databases, i);

        if (database->keep != NULL)
            engine_plan_step(&plan->base, "set KEEP of database %s back to %s", database->target,
                             database->keep);
        if (database->stt_trigger != NULL)
            engine_plan_step(&plan->base, "set STT_TRIGGER of database %s back to %s",
                             database->target, database->stt_trigger);
    }
    if (beyond > 0)
        engine_plan_warn(&plan->base,
                         "up to %" G_GUINT64_FORMAT " rows are older than KEEP: the server hides "
                         "them once KEEP is set back; ALTER DATABASE … KEEP keeps them",
                         beyond);
}

static void summarize(TdRestorePlan *plan)
{
    json_t *databases = json_array();

    for (guint i = 0; i < plan->databases->len; i++) {
        const TdDatabasePlan *database = g_ptr_array_index(plan->databases, i);

        json_array_append_new(databases, json_pack("{s:o, s:o, s:b, s:b, s:o}", "database",
                                                   json_text(database->source->name), "target",
                                                   json_text(database->target), "exists",
                                                   database->exists, "replaced", database->drop,
                                                   "keep", json_text(database->keep)));
    }
    json_decref(plan->base.summary);
    plan->base.summary =
        json_pack("{s:o, s:I, s:I, s:I, s:I, s:I}", "databases", databases, "tables",
                  (json_int_t)plan->tables->len, "child_tables", (json_int_t)plan->child_tables,
                  "rows", (json_int_t)plan->rows, "bytes", (json_int_t)plan->bytes,
                  "rows_beyond_keep", (json_int_t)rows_beyond_keep(plan));
}

/* Rows behind the backup's state: those of the next one whose event time lies up to the target. */
static gboolean plan_fill(TdRestorePlan *plan, GError **error)
{
    const EngineRestore *request = plan->request;
    const Manifest *manifest = backup_manifest(request->backup);
    g_autofree char *state = time_format(td_state_time(manifest));
    g_autofree char *from = NULL, *until = NULL;

    if (request->recovery->to != RECOVER_TIME)
        return TRUE;
    engine_plan_step(&plan->base, "take the state of %s: backup %s%s%s", state,
                     backup_id(request->backup), request->reason != NULL ? ", " : "",
                     request->reason != NULL ? request->reason : "");
    /* Rows of the time while it ran may have come too late for it; those that it has are written
     * once more. */
    plan->fill_from = td_state_complete(manifest);
    from = time_format(plan->fill_from);
    plan->fill_to =
        (request->fill_until != G_MININT64 ? request->fill_until : request->recovery->time) + 1;
    if (request->following == NULL || plan->fill_from >= plan->fill_to) {
        engine_plan_step(&plan->base, "no rows are filled in behind that state");
        return TRUE;
    }
    until = time_format(plan->fill_to - 1);
    engine_plan_step(&plan->base,
                     "fill in the rows of backup %s whose event time lies between %s and %s",
                     backup_id(request->following), from, until);
    return td_details_read(request->following, &plan->following, error);
}

EnginePlan *td_restore_plan(const EngineRestore *request, GError **error)
{
    TdRestorePlan *plan = g_new0(TdRestorePlan, 1);

    engine_plan_init(&plan->base);
    plan->request = request;
    plan->topics = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    plan->databases = g_ptr_array_new_with_free_func(database_free);
    plan->tables = g_ptr_array_new_with_free_func(table_free);
    if (!td_details_read(request->backup, &plan->details, error) ||
        !choose_databases(plan, error) || !choose_tables(plan, error) || !plan_fill(plan, error)) {
        td_restore_plan_free(&plan->base);
        return NULL;
    }
    add_slices(plan);
    plan->client = td_connect(request->target, request->cancellable, error);
    if (plan->client == NULL || !td_restore_look(plan, error)) {
        td_restore_plan_free(&plan->base);
        return NULL;
    }
    add_child_tables(plan);
    if (!td_restore_verify(plan, error)) {
        td_restore_plan_free(&plan->base);
        return NULL;
    }
    describe(plan);
    summarize(plan);
    return &plan->base;
}
