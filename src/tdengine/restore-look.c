/* SPDX-License-Identifier: Apache-2.0
 *
 * What the server to restore to has: databases, topics, room, tables of the same names. Everything
 * that is in the way becomes a problem of the plan.
 */
#include "tdengine/restore-plan.h"

#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "tdengine/connect.h"
#include "tdengine/ddl.h"
#include "tdengine/restore-database.h"
#include "tdengine/restore-empty.h"
#include "tdengine/topic.h"

#define ANSWER_LIMIT 1000000
/* For a database that is being made or dropped. */
#define READY_WAIT  (30 * TIME_SECOND)
#define READY_PAUSE (TIME_SECOND / 5)
/* Seconds. Rows that pass the border of KEEP while a restore runs are younger than that by so much. */
#define KEEP_MARGIN (7 * 24 * 3600)

static void add_problem(TdRestorePlan *plan, ErrorCode code, const char *hint, const char *format,
                        ...) G_GNUC_PRINTF(4, 5);

static void add_problem(TdRestorePlan *plan, ErrorCode code, const char *hint, const char *format,
                        ...)
{
    g_autofree char *text = NULL;
    GError *problem = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    error_set(&problem, code, "%s", text);
    if (hint != NULL)
        error_add_hint(&problem, "%s", hint);
    engine_plan_problem(&plan->base, problem);
}

/* --- the server ------------------------------------------------------------------------------- */

static GPtrArray *ask(const TdRestorePlan *plan, const char *sql, GError **error)
{
    return td_ask(plan->client, sql, ANSWER_LIMIT, plan->request->cancellable, error);
}

/* The columns of ins_databases tell which options the server knows. information_schema itself has
 * a row there, so that there is always one. */
static void take_options(TdTargetServer *server, const json_t *row)
{
    const char *key;
    json_t *value;

    server->options = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    json_object_foreach((json_t *)row, key, value) g_hash_table_add(server->options, g_strdup(key));
}

static gboolean look_at_nodes(const TdRestorePlan *plan, TdTargetServer *server, GError **error)
{
    g_autoptr(GPtrArray) rows = ask(plan, "SELECT * FROM information_schema.ins_dnodes", error);

    if (rows == NULL)
        return FALSE;
    for (guint i = 0; i < rows->len; i++) {
        const json_t *row = g_ptr_array_index(rows, i);

        if (g_strcmp0(td_row_text(row, "status"), "ready") != 0)
            continue;
        server->nodes++;
        server->vnodes +=
            MAX(0, td_row_number(row, "support_vnodes", 0) - td_row_number(row, "vnodes", 0));
    }
    return TRUE;
}

/* --- topics ----------------------------------------------------------------------------------- */

/* A topic blocks DROP DATABASE. Ours goes, one of somebody else is not ours to drop. */
static void take_topic(TdRestorePlan *plan, const char *name, const char *database_name)
{
    g_hash_table_add(plan->topics, g_strdup(name));
    for (guint i = 0; i < plan->databases->len; i++) {
        TdDatabasePlan *database = g_ptr_array_index(plan->databases, i);

        if (!database->drop || g_strcmp0(database_name, database->target) != 0)
            continue;
        if (g_str_has_prefix(name, TD_TOPIC_PREFIX))
            g_ptr_array_add(database->topics, g_strdup(name));
        else
            add_problem(plan, ERROR_REFUSED, "drop the topic, if nobody needs it any more",
                        "database %s has the topic %s, which Holdfast has not made: it cannot be "
                        "dropped",
                        database->target, name);
    }
}

static gboolean look_at_topics(TdRestorePlan *plan, GError **error)
{
    g_autoptr(GPtrArray) rows =
        ask(plan, "SELECT topic_name, db_name FROM information_schema.ins_topics", error);

    for (guint i = 0; rows != NULL && i < rows->len; i++) {
        const json_t *row = g_ptr_array_index(rows, i);

        if (td_row_text(row, "topic_name") != NULL)
            take_topic(plan, td_row_text(row, "topic_name"), td_row_text(row, "db_name"));
    }
    return rows != NULL;
}

/* --- tables of a database that stays ---------------------------------------------------------- */

static gboolean list_tables(TdRestorePlan *plan, TdDatabasePlan *database, GError **error)
{
    g_autoptr(GString) sql =
        g_string_new("SELECT stable_name FROM information_schema.ins_stables WHERE db_name = ");
    g_autoptr(GPtrArray) rows = NULL;

    td_append_text(sql, database->target);
    rows = ask(plan, sql->str, error);
    if (rows == NULL)
        return FALSE;
    database->supers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < rows->len; i++)
        g_hash_table_add(database->supers,
                         g_strdup(td_row_text(g_ptr_array_index(rows, i), "stable_name")));
    database->children =
        td_children_read(plan->client, database->target, plan->request->cancellable, error);
    return database->children != NULL;
}

static gboolean is_same_field(const json_t *row, const TdField *field, gboolean tag)
{
    TdType type;
    guint precision, scale;

    return strcmp(td_row_text(row, "field") != NULL ? td_row_text(row, "field") : "",
                  field->name) == 0 &&
           td_row_text(row, "type") != NULL &&
           td_type_parse(td_row_text(row, "type"), &type, &precision, &scale) &&
           type == field->type && precision == field->precision && scale == field->scale &&
           (g_strcmp0(td_row_text(row, "note"), "TAG") == 0) == tag &&
           (td_type_width(type) != 0 || type == TD_BLOB || type == TD_MEDIUMBLOB ||
            td_row_number(row, "length", 0) >= field->length);
}

/* Values are bound by their places: the order counts as well as the names. Columns come before
 * tags. */
static void compare_fields(TdRestorePlan *plan, const TdTablePlan *table, const GPtrArray *rows)
{
    const GPtrArray *columns = table->table->columns, *tags = table->table->tags;
    const char *target = table->database->target, *name = table->table->name;
    static const char hint[] = "--replace drops the table and makes it again";

    if (rows->len != columns->len + tags->len) {
        add_problem(plan, ERROR_REFUSED, hint, "%s.%s has %u columns and tags, in the backup %u",
                    target, name, rows->len, columns->len + tags->len);
        return;
    }
    for (guint i = 0; i < rows->len; i++) {
        const gboolean tag = i >= columns->len;
        const TdField *field = g_ptr_array_index(tag ? tags : columns, tag ? i - columns->len : i);
        const json_t *row = g_ptr_array_index(rows, i);

        if (!is_same_field(row, field, tag))
            add_problem(plan, ERROR_REFUSED, hint,
                        "%s.%s has %s %s where the backup has %s, of another name or type", target,
                        name, tag ? "the tag" : "the column", td_row_text(row, "field"),
                        field->name);
    }
}

/* A table that is written into must have the columns of the backup. */
static gboolean compare_schema(TdRestorePlan *plan, const TdTablePlan *table, GError **error)
{
    g_autoptr(GString) sql = g_string_new("DESCRIBE ");
    g_autoptr(GPtrArray) rows = NULL;

    td_append_table(sql, table->database->target, table->table->name);
    rows = ask(plan, sql->str, error);
    if (rows == NULL)
        return FALSE;
    compare_fields(plan, table, rows);
    return TRUE;
}

static gboolean is_left(const TdDatabasePlan *database, const char *name)
{
    return database->marker != NULL && g_hash_table_contains(database->marker->tables, name);
}

static void refuse_table(TdRestorePlan *plan, const TdTablePlan *table, const char *name)
{
    add_problem(plan, ERROR_EXISTS,
                "--replace drops it and makes it again, --merge writes the rows into it",
                "table %s.%s exists", table->database->target, name);
}

/* Child tables that were chosen, of a super table that stays. */
static void look_at_children(TdRestorePlan *plan, TdTablePlan *table)
{
    const TdTagSet *set = table->tags;

    for (guint32 id = 0; set != NULL && id < td_names_count(set->names); id++) {
        gsize length;
        const char *name = td_names_get(set->names, id, &length);
        guint32 number;

        if (!td_tag_set_wants(set, id) ||
            td_children_find(table->database->children, name, length, &number) == NULL)
            continue;
        if (is_left(table->database, name) || plan->request->replace) {
            if (table->drop_children == NULL)
                table->drop_children = g_ptr_array_new_with_free_func(g_free);
            g_ptr_array_add(table->drop_children, g_strdup(name));
        } else if (!plan->request->merge) {
            refuse_table(plan, table, name);
        }
    }
}

static gboolean look_at_table(TdRestorePlan *plan, TdTablePlan *table, GError **error)
{
    const char *name = table->table->name;
    const gboolean is_super = g_hash_table_contains(table->database->supers, name);
    guint32 number;

    if (!is_super &&
        td_children_find(table->database->children, name, strlen(name), &number) == NULL)
        return TRUE;
    if (is_super != (table->table->kind != TD_TABLE_NORMAL)) {
        add_problem(plan, ERROR_EXISTS, "restore into another database with --to-database",
                    "%s.%s is another kind of table", table->database->target, name);
        return TRUE;
    }
    table->drop = is_left(table->database, name) || (plan->request->replace && table->whole);
    table->exists = !table->drop;
    if (table->drop)
        return TRUE;
    if (table->whole && !plan->request->merge) {
        refuse_table(plan, table, name);
        return TRUE;
    }
    if (!compare_schema(plan, table, error))
        return FALSE;
    if (!table->whole)
        look_at_children(plan, table);
    return TRUE;
}

/* Tables that an earlier run left half made and that this one does not make again would pass for
 * whole ones afterwards. */
static void look_for_leftovers(TdRestorePlan *plan, const TdDatabasePlan *database)
{
    g_autoptr(GHashTable) chosen = g_hash_table_new(g_str_hash, g_str_equal);
    GHashTableIter iter;
    gpointer name;
    guint32 number;

    for (guint i = 0; i < plan->tables->len; i++) {
        const TdTablePlan *table = g_ptr_array_index(plan->tables, i);

        if (table->database != database)
            continue;
        g_hash_table_add(chosen, table->table->name);
        for (guint k = 0; table->drop_children != NULL && k < table->drop_children->len; k++)
            g_hash_table_add(chosen, g_ptr_array_index(table->drop_children, k));
    }
    g_hash_table_iter_init(&iter, database->marker->tables);
    while (g_hash_table_iter_next(&iter, &name, NULL))
        if (!g_hash_table_contains(chosen, name) &&
            (g_hash_table_contains(database->supers, name) ||
             td_children_find(database->children, name, strlen(name), &number) != NULL))
            add_problem(plan, ERROR_REFUSED, "restore it along with the others, or drop it",
                        "table %s.%s was left half made by an interrupted restore",
                        database->target, (const char *)name);
}

/* A row that is older than KEEP is refused, and its whole batch with it. Whether there are such rows,
 * or will be before the restore is through. */
static gboolean reaches_beyond(const TdRestorePlan *plan, const TdDatabasePlan *database,
                               const char *keep)
{
    const gint64 second = td_ticks(database->source->precision);
    const gint64 border =
        time_now() / TIME_SECOND - td_restore_keep_minutes(keep) * 60 + KEEP_MARGIN;

    for (guint i = 0; i < plan->details->slices->len; i++) {
        const TdSlice *slice = &g_array_index(plan->details->slices, TdSlice, i);
        const TdTable *table = g_ptr_array_index(plan->details->tables, slice->table);

        if (strcmp(table->database, database->source->name) == 0 && slice->rows > 0 &&
            slice->first / second <= border)
            return TRUE;
    }
    return FALSE;
}

static void look_at_keep(const TdRestorePlan *plan, TdDatabasePlan *database)
{
    const TdMarker *marker = database->marker;
    const char *widened = marker != NULL ? marker->keep : NULL;
    const char *keep = widened != NULL ? widened : database->there_keep;

    if (widened != NULL || reaches_beyond(plan, database, keep))
        database->keep = g_strdup(keep);
}

static gboolean look_into(TdRestorePlan *plan, TdDatabasePlan *database, GError **error)
{
    TdPrecision precision;

    /* Times would be taken for others. */
    if (!td_precision_parse(database->there_precision, &precision) ||
        precision != database->source->precision)
        add_problem(plan, ERROR_REFUSED, "restore into another database with --to-database",
                    "database %s has times in %s, unlike the backup", database->target,
                    database->there_precision);
    if (!list_tables(plan, database, error))
        return FALSE;
    for (guint i = 0; i < plan->tables->len; i++) {
        TdTablePlan *table = g_ptr_array_index(plan->tables, i);

        if (table->database == database && !look_at_table(plan, table, error))
            return FALSE;
    }
    if (database->marker != NULL)
        look_for_leftovers(plan, database);
    look_at_keep(plan, database);
    return TRUE;
}

/* --- databases -------------------------------------------------------------------------------- */

static void plan_create(TdRestorePlan *plan, TdDatabasePlan *database, const TdTargetServer *server)
{
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) options = td_database_options(database->source);
    const char *keep = td_option_value(options, "KEEP");

    /* Setting back takes a server up to two seconds: nothing is widened for nothing. */
    if (reaches_beyond(plan, database, keep))
        database->keep = g_strdup(keep);
    database->stt_trigger = g_strdup(td_restore_stt_trigger(options, server, database->bytes));
    database->create = td_restore_database_sql(database->source, database->target,
                                               (TdMeanwhile){database->keep != NULL,
                                                             database->stt_trigger != NULL},
                                               server, notes);
    for (guint i = 0; i < notes->len; i++)
        engine_plan_warn(&plan->base, "database %s: %s", database->target,
                         (const char *)g_ptr_array_index(notes, i));
}

/* An interrupted restore may have come no further than making the database, or than making the mark
 * without a word in it. Nobody else makes one with so wide a KEEP; where it was widened by us, in a
 * database that was there before, the mark says so. One of ours that was not made with it is like any
 * other that holds nothing: its options are the right ones. */
static gboolean is_bare_leftover(const TdDatabasePlan *database)
{
    return database->nothing && td_restore_is_wide_keep(database->there_keep) &&
           (database->marker == NULL || database->marker->keep == NULL);
}

static gboolean look_at_leftover(TdRestorePlan *plan, TdDatabasePlan *database, GError **error)
{
    GCancellable *cancellable = plan->request->cancellable;

    if (!td_marker_read(plan->client, database->target, &database->marker, cancellable, error) ||
        !td_holds_nothing(plan->client, database->target, database->marker != NULL,
                          &database->nothing, cancellable, error))
        return FALSE;
    database->left =
        is_bare_leftover(database) || (database->marker != NULL && database->marker->database);
    if (database->marker != NULL && database->marker->running)
        add_problem(plan, ERROR_BUSY, "wait for it, or end it",
                    "another restore is writing into database %s", database->target);
    return TRUE;
}

static gboolean look_at_database(TdRestorePlan *plan, TdDatabasePlan *database,
                                 const TdTargetServer *server, GError **error)
{
    if (!database->exists) {
        plan_create(plan, database, server);
        return TRUE;
    }
    if (!look_at_leftover(plan, database, error))
        return FALSE;
    database->drop = database->left || ((plan->request->replace || database->nothing) &&
                                        !plan->chosen && !plan->request->merge);
    if (database->drop) {
        plan_create(plan, database, server);
        return TRUE;
    }
    if (!plan->chosen && !plan->request->merge) {
        add_problem(plan, ERROR_EXISTS,
                    "--replace drops it and makes it again, --to-database takes another name, "
                    "--merge writes the rows into its tables",
                    "database %s exists", database->target);
        return TRUE;
    }
    return look_into(plan, database, error);
}

/* *ret_busy: one of them is being made or dropped. */
static void find_databases(TdRestorePlan *plan, const GPtrArray *rows, gboolean *ret_busy)
{
    *ret_busy = FALSE;
    for (guint i = 0; i < plan->databases->len; i++) {
        TdDatabasePlan *database = g_ptr_array_index(plan->databases, i);

        database->exists = FALSE;
        for (guint k = 0; k < rows->len; k++) {
            const json_t *row = g_ptr_array_index(rows, k);
            const char *status = td_row_text(row, "status");

            if (g_strcmp0(td_row_text(row, "name"), database->target) != 0)
                continue;
            database->exists = TRUE;
            g_free(database->there_keep);
            database->there_keep = g_strdup(td_row_text(row, "keep"));
            g_free(database->there_precision);
            database->there_precision = g_strdup(td_row_text(row, "precision"));
            *ret_busy = *ret_busy || (status != NULL && strcmp(status, "ready") != 0);
        }
    }
}

/* A server that was ended in the middle of it goes on with making or dropping a database when it is
 * back. */
static GPtrArray *list_databases(TdRestorePlan *plan, GError **error)
{
    const gint64 end = time_monotonic() + READY_WAIT;

    for (;;) {
        GPtrArray *rows = ask(plan, "SELECT * FROM information_schema.ins_databases", error);
        gboolean busy;

        if (rows == NULL)
            return NULL;
        find_databases(plan, rows, &busy);
        if (!busy || time_monotonic() > end ||
            g_cancellable_is_cancelled(plan->request->cancellable))
            return rows;
        g_ptr_array_unref(rows);
        g_usleep(READY_PAUSE);
    }
}

gboolean td_restore_look(TdRestorePlan *plan, GError **error)
{
    g_autoptr(GPtrArray) rows = list_databases(plan, error);
    g_autoptr(GHashTable) options = NULL;
    TdTargetServer server = {0};

    if (rows == NULL)
        return FALSE;
    if (rows->len > 0)
        take_options(&server, g_ptr_array_index(rows, 0));
    options = server.options;
    if (!look_at_nodes(plan, &server, error))
        return FALSE;
    for (guint i = 0; i < plan->databases->len; i++)
        if (!look_at_database(plan, g_ptr_array_index(plan->databases, i), &server, error))
            return FALSE;
    return look_at_topics(plan, error);
}
