/* SPDX-License-Identifier: Apache-2.0
 *
 * Databases, super tables and normal tables.
 */
#include "tdengine/capture.h"

#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "tdengine/connect.h"
#include "tdengine/ddl.h"

/* Rows of one answer about the schema, at most. */
#define ANSWER_LIMIT 1000000

static GPtrArray *ask_of(const TdCapture *capture, const char *before, const char *text,
                         GError **error)
{
    g_autoptr(GString) sql = g_string_new(before);

    td_append_text(sql, text);
    return td_ask(capture->client, sql->str, ANSWER_LIMIT, capture->cancellable, error);
}

/* --- Databases -------------------------------------------------------------------------------- */

gboolean td_capture_names(TdClient *client, GPtrArray **ret_names, GCancellable *cancellable,
                          GError **error)
{
    g_autoptr(GPtrArray) rows = td_ask(client, "SELECT name FROM information_schema.ins_databases",
                                       ANSWER_LIMIT, cancellable, error);
    GPtrArray *names;

    if (rows == NULL)
        return FALSE;
    names = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < rows->len; i++) {
        const char *name = td_row_text(g_ptr_array_index(rows, i), "name");

        if (name != NULL && !td_is_no_data(name))
            g_ptr_array_add(names, g_strdup(name));
    }
    *ret_names = names;
    return TRUE;
}

static int compare_vgroups(gconstpointer a, gconstpointer b)
{
    const TdVgroup *left = a, *right = b;

    return left->id < right->id ? -1 : left->id > right->id;
}

/* "20/20": applied and committed, of the member that leads. */
static gint64 applied_version(const json_t *row)
{
    gint64 applied = -1;

    for (guint i = 1; i <= 4; i++) {
        g_autofree char *status = g_strdup_printf("v%u_status", i);
        g_autofree char *versions = g_strdup_printf("v%u_applied/committed", i);

        /* A member that is away tells what it last said: that proves nothing. */
        if ((i == 1 && td_row_text(row, status) == NULL) ||
            g_strcmp0(td_row_text(row, status), "leader") == 0)
            applied = td_row_number(row, versions, applied);
    }
    return applied;
}

/* An old server does not tell versions: -1 then, and nothing can be concluded from them. Nor does
 * a server tell its vgroups to everyone. */
static gboolean read_vgroups(const TdCapture *capture, TdDatabase *database, GError **error)
{
    g_autoptr(GPtrArray) rows = NULL;
    g_autoptr(GError) problem = NULL;

    database->looked = time_now();
    rows = ask_of(capture,
                  "SELECT * FROM information_schema.ins_vgroups WHERE db_name = ", database->name,
                  &problem);
    if (rows == NULL && td_error_is_refusal(problem)) {
        manifest_add_warning(capture->manifest,
                             "the server does not show its vgroups to this user (SYSINFO): an "
                             "increment against this backup has to read everything");
        return TRUE;
    }
    if (rows == NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    for (guint i = 0; i < rows->len; i++) {
        const json_t *row = g_ptr_array_index(rows, i);
        TdVgroup group = {td_row_number(row, "vgroup_id", 0), applied_version(row),
                          td_row_number(row, "tables", 0)};

        g_array_append_val(database->vgroups, group);
    }
    g_array_sort(database->vgroups, compare_vgroups);
    return TRUE;
}

static gboolean read_create(const TdCapture *capture, TdDatabase *database, GError **error)
{
    g_autofree char *name = td_quote_name(database->name);
    g_autofree char *sql = g_strdup_printf("SHOW CREATE DATABASE %s", name);
    g_autoptr(GError) problem = NULL;
    g_autoptr(GPtrArray) rows = td_ask(capture->client, sql, 1, capture->cancellable, &problem);

    if (rows == NULL && !td_error_is_refusal(problem)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    if (rows != NULL && rows->len == 1)
        database->create_sql = g_strdup(td_row_text(g_ptr_array_index(rows, 0), "Create Database"));
    if (database->create_sql == NULL)
        manifest_add_warning(capture->manifest, "the server does not show how a database is made "
                                                "again: its options alone are recorded");
    return TRUE;
}

gboolean td_capture_refresh(const TdCapture *capture, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (td_client_execute(capture->client, "RESET QUERY CACHE", NULL, capture->cancellable,
                          &problem) ||
        td_error_is_refusal(problem))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

gboolean td_capture_database(const TdCapture *capture, const char *name, TdDatabase **ret_database,
                             GError **error)
{
    g_autoptr(GPtrArray) rows =
        ask_of(capture, "SELECT * FROM information_schema.ins_databases WHERE name = ", name,
               error);
    TdDatabase *database;
    const json_t *row;

    if (rows == NULL)
        return FALSE;
    if (rows->len == 0) {
        error_set(error, ERROR_NOT_FOUND, "there is no database %s", name);
        return FALSE;
    }
    row = g_ptr_array_index(rows, 0);
    database = td_database_new(name);
    database->options = json_deep_copy(row);
    database->create_time = td_row_number(row, "create_time", 0);
    if (!td_precision_parse(td_row_text(row, "precision"), &database->precision))
        error_set(error, ERROR_FORMAT, "database %s has a precision that is not known", name);
    else if (read_create(capture, database, error) && read_vgroups(capture, database, error)) {
        *ret_database = database;
        return TRUE;
    }
    td_database_free(database);
    return FALSE;
}

/* --- Columns ---------------------------------------------------------------------------------- */

static TdField *field_of(const json_t *row, const char *table, GError **error)
{
    const char *name = td_row_text(row, "field"), *type = td_row_text(row, "type");
    const char *note = td_row_text(row, "note");
    TdField *field = g_new0(TdField, 1);

    if (name == NULL || type == NULL ||
        !td_type_parse(type, &field->type, &field->precision, &field->scale)) {
        error_set(error, ERROR_UNSUPPORTED,
                  "column %s of table %s has the type %s, which is not known",
                  name != NULL ? name : "", table, type != NULL ? type : "");
        td_field_free(field);
        return NULL;
    }
    field->name = g_strdup(name);
    field->length = (guint)CLAMP(td_row_number(row, "length", 0), 0, G_MAXINT32);
    field->key = note != NULL && strstr(note, "KEY") != NULL;
    if (g_strcmp0(note, "TAG") != 0) {
        field->encode = g_strdup(td_row_text(row, "encode"));
        field->compress = g_strdup(td_row_text(row, "compress"));
        field->level = g_strdup(td_row_text(row, "level"));
    }
    return field;
}

static gboolean take_fields(TdTable *table, const GPtrArray *rows, GError **error)
{
    g_ptr_array_set_size(table->columns, 0);
    g_ptr_array_set_size(table->tags, 0);
    for (guint i = 0; i < rows->len; i++) {
        const json_t *row = g_ptr_array_index(rows, i);
        gboolean is_tag = g_strcmp0(td_row_text(row, "note"), "TAG") == 0;
        TdField *field = field_of(row, table->name, error);

        if (field == NULL)
            return FALSE;
        g_ptr_array_add(is_tag ? table->tags : table->columns, field);
    }
    if (table->columns->len > 0 &&
        ((TdField *)g_ptr_array_index(table->columns, 0))->type == TD_TIMESTAMP) {
        ((TdField *)g_ptr_array_index(table->columns, 0))->key = FALSE;
        return TRUE;
    }
    error_set(error, ERROR_FORMAT, "table %s does not begin with a time", table->name);
    return FALSE;
}

gboolean td_capture_fields(const TdCapture *capture, TdTable *table, gboolean *ret_gone,
                           GError **error)
{
    g_autoptr(GString) sql = g_string_new("DESCRIBE ");
    g_autoptr(GError) problem = NULL;
    g_autoptr(GPtrArray) rows = NULL;

    *ret_gone = FALSE;
    td_append_table(sql, table->database, table->name);
    rows = td_ask(capture->client, sql->str, ANSWER_LIMIT, capture->cancellable, &problem);
    if (rows == NULL && td_error_is_gone(problem)) {
        *ret_gone = TRUE;
        return TRUE;
    }
    if (rows == NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    return take_fields(table, rows, error);
}

/* --- Super tables ----------------------------------------------------------------------------- */

/* The bytes that a column's name takes in a list, or 0 where another one stands there. A server does
 * not double a backtick here (3.3), though it should. */
static gsize match_name(const char *at, const char *name)
{
    g_autofree char *quoted = td_quote_name(name), *raw = g_strdup_printf("`%s`", name);
    const char *const forms[] = {quoted, raw};

    for (guint i = 0; i < G_N_ELEMENTS(forms); i++) {
        gsize length = strlen(forms[i]);

        if (strncmp(at, forms[i], length) == 0 && (at[length] == ',' || at[length] == ')'))
            return length;
    }
    return 0;
}

/* The columns in "… SMA(`a`, `b`) …", behind the tags. NULL: there is no such list. */
static GPtrArray *parse_sma(const char *create, const GPtrArray *columns)
{
    const char *at = NULL;
    GPtrArray *names;
    gsize length = 1;

    /* The last one: a comment stands before it and may say anything. */
    for (const char *next = strstr(create, " SMA(`"); next != NULL;
         next = strstr(next + 1, " SMA(`"))
        at = next + strlen(" SMA(");
    if (at == NULL)
        return NULL;
    names = g_ptr_array_new_with_free_func(g_free);
    while (*at == '`' && length > 0) {
        length = 0;
        for (guint i = 0; i < columns->len && length == 0; i++) {
            const TdField *field = g_ptr_array_index(columns, i);

            length = match_name(at, field->name);
            if (length > 0)
                g_ptr_array_add(names, g_strdup(field->name));
        }
        at += length;
        at += strspn(at, ", ");
    }
    return names;
}

/* What DESCRIBE does not tell. The text is cut where a table is very wide. */
static gboolean read_sma(const TdCapture *capture, TdTable *table, GError **error)
{
    g_autoptr(GString) sql = g_string_new("SHOW CREATE STABLE ");
    g_autoptr(GError) problem = NULL;
    g_autoptr(GPtrArray) rows = NULL;
    const char *create = NULL;

    td_append_table(sql, table->database, table->name);
    rows = td_ask(capture->client, sql->str, 1, capture->cancellable, &problem);
    if (rows == NULL && !td_error_is_refusal(problem)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    if (rows != NULL && rows->len == 1)
        create = td_row_text(g_ptr_array_index(rows, 0), "Create Table");
    if (create != NULL && strlen(create) < 65500)
        table->sma = parse_sma(create, table->columns);
    else if (!td_error_is_gone(problem))
        manifest_add_warning(capture->manifest,
                             "the server does not show all of a super table's "
                             "statement: which of its columns have an SMA is not "
                             "recorded");
    return TRUE;
}

static TdTable *super_of(const TdDatabase *database, const json_t *row)
{
    gboolean virtual = g_strcmp0(td_row_text(row, "isvirtual"), "true") == 0;
    TdTable *table = td_table_new(database->name, td_row_text(row, "stable_name"),
                                  virtual ? TD_TABLE_VIRTUAL_SUPER : TD_TABLE_SUPER);

    table->options = json_deep_copy(row);
    table->comment = g_strdup(td_row_text(row, "table_comment"));
    table->keep = td_row_number(row, "keep", -1);
    table->uid = td_row_number(row, "uid", 0);
    return table;
}

static int compare_tables(gconstpointer a, gconstpointer b)
{
    const TdTable *const *left = a, *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

gboolean td_capture_supers(const TdCapture *capture, const TdDatabase *database,
                           GPtrArray **ret_tables, GError **error)
{
    g_autoptr(GPtrArray) rows =
        ask_of(capture,
               "SELECT * FROM information_schema.ins_stables WHERE db_name = ", database->name,
               error);
    g_autoptr(GPtrArray) tables = g_ptr_array_new_with_free_func((GDestroyNotify)td_table_free);

    if (rows == NULL)
        return FALSE;
    for (guint i = 0; i < rows->len; i++) {
        const json_t *row = g_ptr_array_index(rows, i);
        TdTable *table;
        gboolean gone;

        if (td_row_text(row, "stable_name") == NULL)
            continue;
        table = super_of(database, row);
        if (!td_capture_fields(capture, table, &gone, error) ||
            (!gone && !read_sma(capture, table, error))) {
            td_table_free(table);
            return FALSE;
        }
        if (gone) {
            g_ptr_array_add(database->dropped, g_strdup(table->name));
            td_table_free(table);
            continue;
        }
        g_ptr_array_add(tables, table);
    }
    g_ptr_array_sort(tables, compare_tables);
    g_ptr_array_set_free_func(tables, NULL);
    *ret_tables = g_steal_pointer(&tables);
    return TRUE;
}

/* --- Normal tables ---------------------------------------------------------------------------- */

gboolean td_capture_normal(const TdCapture *capture, const TdDatabase *database,
                           const TdChildren *children, guint32 id, TdTable **ret_table,
                           GError **error)
{
    const TdChild *child = td_children_get(children, id);
    TdTable *table = td_table_new(database->name, td_children_name(children, id), TD_TABLE_NORMAL);
    gboolean gone;

    table->options = json_object();
    json_object_set_new(table->options, "vgroup_id", json_integer(child->vgroup));
    table->comment = g_strdup(td_children_comment(children, id));
    table->ttl = (guint64)MAX(child->ttl, 0);
    table->uid = child->uid;
    if (!td_capture_fields(capture, table, &gone, error)) {
        td_table_free(table);
        return FALSE;
    }
    if (gone)
        g_clear_pointer(&table, td_table_free);
    *ret_table = table;
    return TRUE;
}
