/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything that is kept as a statement, one list of information_schema after the other.
 */
#include "tdengine/capture.h"

#include <string.h>

#include "base/error.h"
#include "tdengine/connect.h"
#include "tdengine/ddl.h"
#include "tdengine/topic.h"

#define ANSWER_LIMIT 1000000
/* Of an index, in bytes, as a statement can give it. */
#define INDEX_NAME_MAX 64
/* The server cuts statements in its lists at so many characters. */
#define STATEMENT_LIMIT 2048

static TdObject *object_new(TdObjectKind kind, const char *database, const char *name,
                            const json_t *row)
{
    TdObject *object = g_new0(TdObject, 1);

    object->kind = kind;
    object->database = g_strdup(database);
    object->name = g_strdup(name != NULL ? name : "");
    object->details = json_deep_copy(row);
    return object;
}

/* A statement as a list shows it: nobody can tell whether one of the limit's length was cut. */
static void set_statement(TdObject *object, const char *sql)
{
    object->sql = g_strdup(sql);
    if (sql == NULL)
        object->reason = g_strdup("the server does not show its statement");
    else if (strlen(sql) >= STATEMENT_LIMIT - 1)
        object->reason = g_strdup("the server shows only the beginning of its statement");
}

/* --- Kinds ------------------------------------------------------------------------------------ */

static TdObject *function_of(const json_t *row)
{
    TdObject *object = object_new(TD_OBJECT_FUNCTION, NULL, td_row_text(row, "name"), row);

    /* The library or script is a file: it has to be there before the function can be made. */
    object->reason =
        g_strdup("its library or script has to be at hand: the server keeps only a copy");
    return object;
}

/* The first tag is indexed by the server itself, under a name that it makes of tag and table and cuts
 * where it becomes too long; it is longer than any that a statement can give then. */
static gboolean is_automatic(const char *index, const char *tag, const char *table)
{
    g_autofree char *name = g_strdup_printf("%s_%s", tag, table);

    return strcmp(index, name) == 0 || strlen(index) > INDEX_NAME_MAX;
}

static TdObject *index_of(const json_t *row)
{
    const char *tag = td_row_text(row, "column_name"), *name = td_row_text(row, "index_name");
    const char *table = td_row_text(row, "table_name"), *database = td_row_text(row, "db_name");
    g_autoptr(GString) sql = NULL;
    TdObject *object;

    if (tag == NULL || name == NULL || table == NULL || is_automatic(name, tag, table))
        return NULL;
    object = object_new(TD_OBJECT_INDEX, database, name, row);
    sql = g_string_new("CREATE INDEX ");
    td_append_name(sql, name);
    g_string_append(sql, " ON ");
    td_append_table(sql, database, table);
    g_string_append(sql, " (");
    td_append_name(sql, tag);
    g_string_append_c(sql, ')');
    object->sql = g_string_free(g_steal_pointer(&sql), FALSE);
    return object;
}

static TdObject *tsma_of(const json_t *row)
{
    TdObject *object =
        object_new(TD_OBJECT_TSMA, td_row_text(row, "db_name"), td_row_text(row, "tsma_name"), row);

    set_statement(object, td_row_text(row, "create_sql"));
    return object;
}

static TdObject *rsma_of(const json_t *row)
{
    TdObject *object =
        object_new(TD_OBJECT_RSMA, td_row_text(row, "db_name"), td_row_text(row, "rsma_name"), row);

    set_statement(object, td_row_text(row, "create_sql"));
    return object;
}

static TdObject *view_of(const json_t *row)
{
    const char *name = td_row_text(row, "view_name"), *database = td_row_text(row, "db_name");
    const char *query = td_row_text(row, "query_sql");
    TdObject *object = object_new(TD_OBJECT_VIEW, database, name, row);
    g_autoptr(GString) sql = g_string_new("CREATE VIEW ");

    set_statement(object, query);
    if (query == NULL || name == NULL || database == NULL)
        return object;
    td_append_table(sql, database, name);
    g_string_append_printf(sql, " AS %s", query);
    g_free(object->sql);
    object->sql = g_string_free(g_steal_pointer(&sql), FALSE);
    return object;
}

static TdObject *stream_of(const json_t *row)
{
    TdObject *object = object_new(TD_OBJECT_STREAM, td_row_text(row, "db_name"),
                                  td_row_text(row, "stream_name"), row);

    set_statement(object, td_row_text(row, "sql"));
    return object;
}

/* One of ours belongs to a configuration, not to the data: a backup makes it where it is wanted. */
static TdObject *topic_of(const json_t *row)
{
    const char *name = td_row_text(row, "topic_name");
    TdObject *object;

    if (name != NULL && g_str_has_prefix(name, TD_TOPIC_PREFIX))
        return NULL;
    object = object_new(TD_OBJECT_TOPIC, td_row_text(row, "db_name"), name, row);
    set_statement(object, td_row_text(row, "sql"));
    return object;
}

static TdObject *user_of(const json_t *row)
{
    TdObject *object = object_new(TD_OBJECT_USER, NULL, td_row_text(row, "name"), row);

    object->reason = g_strdup("the server does not show passwords");
    return object;
}

/* "GRANT WRITE ON `gs_us`.`st` WITH g = 1 TO `gs_user`" */
static TdObject *grant_of(const json_t *row)
{
    const char *user = td_row_text(row, "user_name"), *privilege = td_row_text(row, "privilege");
    const char *database = td_row_text(row, "db_name"), *table = td_row_text(row, "table_name");
    const char *condition = td_row_text(row, "condition");
    g_autoptr(GString) sql = g_string_new("GRANT ");
    g_autofree char *word = NULL;
    TdObject *object;

    /* The administrator has all, always. */
    if (user == NULL || privilege == NULL || database == NULL || strcmp(user, "root") == 0)
        return NULL;
    object = object_new(TD_OBJECT_GRANT, strcmp(database, "all") != 0 ? database : NULL, user, row);
    word = g_ascii_strup(privilege, -1);
    if (strcmp(privilege, "subscribe") != 0)
        g_string_append_printf(sql, "%s ON ", word);
    else
        g_string_append(sql, "SUBSCRIBE ON ");
    if (strcmp(database, "all") == 0)
        g_string_append(sql, "*.*");
    else if (table == NULL || table[0] == '\0') {
        td_append_name(sql, database);
        if (strcmp(privilege, "subscribe") != 0)
            g_string_append(sql, ".*");
    } else
        td_append_table(sql, database, table);
    if (condition != NULL && condition[0] != '\0')
        g_string_append_printf(sql, " WITH %s", condition);
    g_string_append(sql, " TO ");
    td_append_name(sql, user);
    object->sql = g_string_free(g_steal_pointer(&sql), FALSE);
    return object;
}

/* --- Lists ------------------------------------------------------------------------------------ */

typedef struct {
    const char *table;     /* of information_schema */
    const char *what;      /* for warnings */
    gboolean of_databases; /* rows of other databases than those of the backup are passed over */
    gboolean optional;     /* a server that does not have the list has none of its kind either */
    TdObject *(*make)(const json_t *row); /* NULL: nothing to keep */
} List;

static const List lists[] = {
    {"ins_functions", "functions", FALSE, FALSE, function_of},
    {"ins_indexes", "tag indexes", TRUE, FALSE, index_of},
    {"ins_tsmas", "TSMAs", TRUE, TRUE, tsma_of},
    {"ins_rsmas", "RSMAs", TRUE, TRUE, rsma_of},
    {"ins_views", "views", TRUE, FALSE, view_of},
    {"ins_streams", "streams", TRUE, FALSE, stream_of},
    {"ins_topics", "topics", TRUE, FALSE, topic_of},
    {"ins_users", "users", FALSE, FALSE, user_of},
    {"ins_user_privileges", "grants", FALSE, FALSE, grant_of},
};

static gboolean is_chosen(const TdCapture *capture, const List *list, const json_t *row)
{
    const char *database = td_row_text(row, "db_name");

    return !list->of_databases || database == NULL ||
           td_details_find_database(capture->details, database) != NULL;
}

/* A list that the server refuses is a warning; one that it does not know has nothing in it. */
static gboolean note_refusal(const TdCapture *capture, const List *list, GError *problem,
                             GError **error)
{
    if (!td_error_is_refusal(problem)) {
        g_propagate_error(error, problem);
        return FALSE;
    }
    if (!list->optional || !td_error_is_gone(problem)) {
        g_autofree char *text = error_text(problem);
        const char *answer = strstr(text, "(0x"); /* without the server's address */
        g_autofree char *warning = g_strdup_printf(
            "%s are not in the backup: the server does not list them; the details have its answer",
            list->what);

        /* It may hold a name, and the manifest is clear. */
        g_ptr_array_add(capture->details->answers, g_strdup(answer != NULL ? answer : text));
        manifest_add_warning(capture->manifest, warning);
    }
    g_error_free(problem);
    return TRUE;
}

/* How many of a list cannot be made again as they are. */
static void warn_of_reasons(const TdCapture *capture, const List *list, guint count,
                            const char *reason)
{
    g_autofree char *warning = NULL;

    if (count == 0)
        return;
    warning = g_strdup_printf("%u of the %s are recorded but cannot be made again from the backup "
                              "alone: %s",
                              count, list->what, reason);
    manifest_add_warning(capture->manifest, warning);
}

static gboolean take_list(const TdCapture *capture, const List *list, GError **error)
{
    g_autofree char *sql = g_strdup_printf("SELECT * FROM information_schema.%s", list->table);
    g_autofree char *reason = NULL;
    GError *problem = NULL;
    g_autoptr(GPtrArray) rows =
        td_ask(capture->client, sql, ANSWER_LIMIT, capture->cancellable, &problem);
    guint unmade = 0;

    if (rows == NULL)
        return note_refusal(capture, list, problem, error);
    for (guint i = 0; i < rows->len; i++) {
        const json_t *row = g_ptr_array_index(rows, i);
        TdObject *object = is_chosen(capture, list, row) ? list->make(row) : NULL;

        if (object == NULL)
            continue;
        g_ptr_array_add(capture->details->objects, object);
        /* Every server has its administrator. */
        if (object->reason == NULL ||
            (object->kind == TD_OBJECT_USER && strcmp(object->name, "root") == 0))
            continue;
        unmade++;
        if (reason == NULL)
            reason = g_strdup(object->reason);
    }
    warn_of_reasons(capture, list, unmade, reason);
    return TRUE;
}

static int compare_objects(gconstpointer a, gconstpointer b)
{
    const TdObject *const *left = a, *const *right = b;
    int order = (int)(*left)->kind - (int)(*right)->kind;

    if (order == 0)
        order = g_strcmp0((*left)->database, (*right)->database);
    return order != 0 ? order : strcmp((*left)->name, (*right)->name);
}

gboolean td_capture_objects(const TdCapture *capture, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(lists); i++)
        if (!take_list(capture, &lists[i], error))
            return FALSE;
    g_ptr_array_sort(capture->details->objects, compare_objects);
    return TRUE;
}

/* --- Virtual tables --------------------------------------------------------------------------- */

static gboolean take_virtual(const TdCapture *capture, TdDatabase *database, const char *name,
                             GError **error)
{
    g_autoptr(GString) sql = g_string_new("SHOW CREATE VTABLE ");
    g_autoptr(GPtrArray) rows = NULL;
    g_autoptr(json_t) details = json_object();
    g_autoptr(GError) problem = NULL;
    TdObject *object;

    td_append_table(sql, database->name, name);
    rows = td_ask(capture->client, sql->str, 1, capture->cancellable, &problem);
    if (rows == NULL && td_error_is_gone(problem)) {
        g_ptr_array_add(database->dropped, g_strdup(name));
        return TRUE;
    }
    if (rows == NULL && !td_error_is_refusal(problem)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    object = object_new(TD_OBJECT_VIRTUAL_TABLE, database->name, name, details);
    if (rows != NULL && rows->len == 1)
        object->sql = g_strdup(td_row_text(g_ptr_array_index(rows, 0), "Create Virtual Table"));
    if (object->sql == NULL) {
        object->reason = g_strdup("the server does not show its statement");
        manifest_add_warning(capture->manifest,
                             "the server does not show the statement of a virtual table");
    }
    g_ptr_array_add(capture->details->objects, object);
    return TRUE;
}

gboolean td_capture_virtual(const TdCapture *capture, TdDatabase *database,
                            const TdChildren *children, GError **error)
{
    for (guint32 id = 0; id < td_children_count(children); id++)
        if (td_children_get(children, id)->kind == TD_VIRTUAL &&
            !take_virtual(capture, database, td_children_name(children, id), error))
            return FALSE;
    return TRUE;
}
