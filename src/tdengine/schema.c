/* SPDX-License-Identifier: Apache-2.0
 *
 * Schema structures, to JSON and back.
 */
#include "tdengine/schema.h"

#include <string.h>

#include "base/error.h"
#include "codec/hash.h"
#include "tdengine/ddl.h"

/* What an unknown variable value may take. */
#define TYPICAL_BYTES 24u

/* --- Fields ----------------------------------------------------------------------------------- */

TdField *td_field_copy(const TdField *field)
{
    TdField *copy = g_memdup2(field, sizeof *field);

    copy->name = g_strdup(field->name);
    copy->encode = g_strdup(field->encode);
    copy->compress = g_strdup(field->compress);
    copy->level = g_strdup(field->level);
    return copy;
}

void td_field_free(TdField *field)
{
    if (field == NULL)
        return;
    g_free(field->name);
    g_free(field->encode);
    g_free(field->compress);
    g_free(field->level);
    g_free(field);
}

void td_field_to_column(const TdField *field, TdColumn *ret_column)
{
    *ret_column = (TdColumn){.type = field->type,
                             .bytes = field->length,
                             .precision = field->precision,
                             .scale = field->scale};
    g_strlcpy(ret_column->name, field->name, sizeof ret_column->name);
}

char *td_fields_hash(const GPtrArray *fields)
{
    g_autoptr(GString) text = g_string_new(NULL);
    char hex[TD_FINGERPRINT_HEX_SIZE];
    Hash128 hash;

    for (guint i = 0; i < fields->len; i++) {
        const TdField *field = g_ptr_array_index(fields, i);
        g_autofree char *type = td_field_type_text(field);

        g_string_append_len(text, field->name, (gssize)strlen(field->name) + 1);
        g_string_append_printf(text, "%s %d%d\n", type, field->key, field->binary);
    }
    hash = xxh3_buffer(text->str, text->len, 0);
    td_fingerprint_to_hex((TdFingerprint){.low = hash.low, .high = hash.high}, hex);
    return g_strdup(hex);
}

static json_t *field_to_json(const TdField *field)
{
    g_autofree char *type = td_field_type_text(field);
    json_t *json = json_object();

    json_object_set_new(json, "name", json_text(field->name));
    json_object_set_new(json, "type", json_text(type));
    json_object_set_new(json, "length", json_integer(field->length));
    if (field->key)
        json_object_set_new(json, "key", json_true());
    if (field->binary)
        json_object_set_new(json, "binary", json_true());
    if (field->encode != NULL) {
        json_object_set_new(json, "encode", json_text(field->encode));
        json_object_set_new(json, "compress", json_text(field->compress));
        json_object_set_new(json, "level", json_text(field->level));
    }
    return json;
}

/* "VARCHAR(30)": the length stands in a key of its own. */
static gboolean type_from_text(const char *text, TdField *field)
{
    g_autofree char *bare = g_strdup(text);

    if (!g_str_has_prefix(text, "DECIMAL") && strchr(bare, '(') != NULL)
        *strchr(bare, '(') = '\0';
    return td_type_parse(bare, &field->type, &field->precision, &field->scale);
}

static TdField *field_from_json(const json_t *json, GError **error)
{
    const char *name, *type;
    guint64 length;
    TdField *field;

    if (!json_need_string(json, "name", "a column", &name, error) ||
        !json_need_string(json, "type", name, &type, error) ||
        !json_need_uint(json, "length", name, &length, error))
        return NULL;
    field = g_new0(TdField, 1);
    field->name = g_strdup(name);
    field->length = (guint)MIN(length, G_MAXINT32);
    field->key = json_get_bool(json, "key", FALSE);
    field->binary = json_get_bool(json, "binary", FALSE);
    field->encode = g_strdup(json_get_string(json, "encode", NULL));
    field->compress = g_strdup(json_get_string(json, "compress", NULL));
    field->level = g_strdup(json_get_string(json, "level", NULL));
    if (type_from_text(type, field))
        return field;
    error_set(error, ERROR_FORMAT, "column %s has the type %s, which is not known", name, type);
    td_field_free(field);
    return NULL;
}

static json_t *fields_to_json(const GPtrArray *fields)
{
    json_t *array = json_array();

    for (guint i = 0; i < fields->len; i++)
        json_array_append_new(array, field_to_json(g_ptr_array_index(fields, i)));
    return array;
}

static gboolean fields_from_json(const json_t *json, const char *key, GPtrArray *fields,
                                 GError **error)
{
    json_t *array, *entry;
    size_t index;

    if (!json_need_array(json, key, "a table", &array, error))
        return FALSE;
    if (json_array_size(array) > TD_BLOCK_MAX_COLUMNS) {
        error_set(error, ERROR_LIMIT, "a table of %zu columns", json_array_size(array));
        return FALSE;
    }
    json_array_foreach(array, index, entry)
    {
        TdField *field = field_from_json(entry, error);

        if (field == NULL)
            return FALSE;
        g_ptr_array_add(fields, field);
    }
    return TRUE;
}

/* --- Small things ----------------------------------------------------------------------------- */

static json_t *strings_to_json(const GPtrArray *strings)
{
    json_t *array = json_array();

    for (guint i = 0; i < strings->len; i++)
        json_array_append_new(array, json_text(g_ptr_array_index(strings, i)));
    return array;
}

static GPtrArray *strings_from_json(const json_t *json, const char *key)
{
    GPtrArray *strings = g_ptr_array_new_with_free_func(g_free);
    json_t *entry;
    size_t index;

    json_array_foreach(json_object_get(json, key), index, entry)
    {
        if (json_is_string(entry))
            g_ptr_array_add(strings, g_strdup(json_string_value(entry)));
    }
    return strings;
}

static gint64 get_int(const json_t *json, const char *key, gint64 fallback)
{
    const json_t *value = json_object_get(json, key);

    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

/* Options of the server are kept as they came. */
static json_t *get_object(const json_t *json, const char *key)
{
    json_t *value = json_object_get(json, key);

    return json_is_object(value) ? json_deep_copy(value) : json_object();
}

static void set_window(json_t *json, guint64 rows, gint64 first, gint64 last)
{
    json_object_set_new(json, "rows", json_integer((json_int_t)rows));
    json_object_set_new(json, "first", rows > 0 ? json_integer(first) : json_null());
    json_object_set_new(json, "last", rows > 0 ? json_integer(last) : json_null());
}

json_t *td_object_ref_to_json(const TdObjectRef *object)
{
    return json_pack("{s:s, s:I, s:I, s:I}", "sha256", object->sha256, "size",
                     (json_int_t)object->size, "plain_size", (json_int_t)object->plain_bytes,
                     "rows", (json_int_t)object->rows);
}

gboolean td_object_ref_from_json(const json_t *json, const char *what, TdObjectRef *ret_object,
                                 GError **error)
{
    guint8 digest[SHA256_SIZE];
    const char *sha256;

    if (!json_need_string(json, "sha256", what, &sha256, error) ||
        !json_need_uint(json, "size", what, &ret_object->size, error))
        return FALSE;
    if (!sha256_from_hex(sha256, digest)) {
        error_set(error, ERROR_FORMAT, "%s: \"%s\" is no SHA-256", what, sha256);
        return FALSE;
    }
    sha256_to_hex(digest, ret_object->sha256);
    ret_object->plain_bytes = json_get_uint(json, "plain_size", 0);
    ret_object->rows = json_get_uint(json, "rows", 0);
    return TRUE;
}

/* --- Tables ----------------------------------------------------------------------------------- */

static const char *const table_kinds[] = {"super", "normal", "virtual super"};

const char *td_table_kind_name(TdTableKind kind)
{
    return table_kinds[kind];
}

TdTable *td_table_new(const char *database, const char *name, TdTableKind kind)
{
    TdTable *table = g_new0(TdTable, 1);

    table->database = g_strdup(database);
    table->name = g_strdup(name);
    table->kind = kind;
    table->keep = -1;
    table->columns = g_ptr_array_new_with_free_func((GDestroyNotify)td_field_free);
    table->tags = g_ptr_array_new_with_free_func((GDestroyNotify)td_field_free);
    table->tag_objects = g_ptr_array_new_with_free_func(g_free);
    return table;
}

void td_table_free(TdTable *table)
{
    if (table == NULL)
        return;
    g_free(table->database);
    g_free(table->name);
    g_ptr_array_unref(table->columns);
    g_ptr_array_unref(table->tags);
    g_free(table->comment);
    g_clear_pointer(&table->sma, g_ptr_array_unref);
    json_decref(table->options);
    g_ptr_array_unref(table->tag_objects);
    td_plan_free(table->plan);
    g_free(table);
}

guint64 td_table_row_bytes(const TdTable *table)
{
    guint64 bytes = table->kind == TD_TABLE_SUPER ? TYPICAL_BYTES : 0;

    for (guint i = 0; i < table->columns->len; i++) {
        const TdField *field = g_ptr_array_index(table->columns, i);
        guint width = td_type_width(field->type);

        bytes += width != 0 ? width : 6 + MIN(field->length, TYPICAL_BYTES);
    }
    return bytes;
}

json_t *td_table_to_json(const TdTable *table)
{
    json_t *json = json_object(), *tags = json_array();
    char hex[TD_FINGERPRINT_HEX_SIZE];

    td_fingerprint_to_hex(table->fingerprint, hex);
    json_object_set_new(json, "database", json_text(table->database));
    json_object_set_new(json, "name", json_text(table->name));
    json_object_set_new(json, "kind", json_string(td_table_kind_name(table->kind)));
    set_window(json, table->rows, table->first, table->last);
    json_object_set_new(json, "fingerprint", json_string(hex));
    json_object_set_new(json, "child_tables", json_integer((json_int_t)table->child_tables));
    json_object_set_new(json, "uid", json_integer(table->uid));
    json_object_set_new(json, "comment", json_text(table->comment));
    json_object_set_new(json, "keep", json_integer(table->keep));
    json_object_set_new(json, "ttl", json_integer((json_int_t)table->ttl));
    json_object_set_new(json, "columns", fields_to_json(table->columns));
    json_object_set_new(json, "tags", fields_to_json(table->tags));
    json_object_set_new(json, "sma",
                        table->sma != NULL ? strings_to_json(table->sma) : json_null());
    json_object_set(json, "options", table->options);
    for (guint i = 0; i < table->tag_objects->len; i++)
        json_array_append_new(tags,
                              td_object_ref_to_json(g_ptr_array_index(table->tag_objects, i)));
    json_object_set_new(json, "tag_objects", tags);
    if (table->has_tags_sum) {
        td_fingerprint_to_hex(table->tags_sum, hex);
        json_object_set_new(json, "tags_sum", json_string(hex));
    }
    json_object_set_new(json, "plan",
                        table->plan != NULL ? td_plan_to_json(table->plan) : json_null());
    return json;
}

static gboolean table_parts_from_json(const json_t *json, TdTable *table, GError **error)
{
    const json_t *plan = json_object_get(json, "plan");
    json_t *tags, *entry;
    size_t index;

    if (!fields_from_json(json, "columns", table->columns, error) ||
        !fields_from_json(json, "tags", table->tags, error) ||
        !json_need_array(json, "tag_objects", table->name, &tags, error))
        return FALSE;
    json_array_foreach(tags, index, entry)
    {
        TdObjectRef object = {0};

        if (!td_object_ref_from_json(entry, table->name, &object, error))
            return FALSE;
        g_ptr_array_add(table->tag_objects, g_memdup2(&object, sizeof object));
    }
    if (json_is_object(plan)) {
        table->plan = td_plan_from_json(plan, table->name, error);
        return table->plan != NULL;
    }
    return TRUE;
}

TdTable *td_table_from_json(const json_t *json, GError **error)
{
    const char *database, *name, *kind, *hex;
    TdTable *table;
    guint index = 0;

    if (!json_need_string(json, "database", "a table", &database, error) ||
        !json_need_string(json, "name", "a table", &name, error) ||
        !json_need_string(json, "kind", name, &kind, error) ||
        !json_need_string(json, "fingerprint", name, &hex, error))
        return NULL;
    while (index < G_N_ELEMENTS(table_kinds) && strcmp(table_kinds[index], kind) != 0)
        index++;
    if (index == G_N_ELEMENTS(table_kinds)) {
        error_set(error, ERROR_FORMAT, "table %s is of the kind \"%s\", which is not known", name,
                  kind);
        return NULL;
    }
    table = td_table_new(database, name, (TdTableKind)index);
    table->rows = json_get_uint(json, "rows", 0);
    table->first = get_int(json, "first", 0);
    table->last = get_int(json, "last", 0);
    table->child_tables = json_get_uint(json, "child_tables", 0);
    table->uid = get_int(json, "uid", 0);
    table->comment = g_strdup(json_get_string(json, "comment", NULL));
    table->keep = get_int(json, "keep", -1);
    table->ttl = json_get_uint(json, "ttl", 0);
    table->options = get_object(json, "options");
    table->has_tags_sum =
        td_fingerprint_from_hex(json_get_string(json, "tags_sum", ""), &table->tags_sum);
    if (json_is_array(json_object_get(json, "sma")))
        table->sma = strings_from_json(json, "sma");
    if (!td_fingerprint_from_hex(hex, &table->fingerprint))
        error_set(error, ERROR_FORMAT, "table %s: \"%s\" is no fingerprint", name, hex);
    else if (table_parts_from_json(json, table, error))
        return table;
    td_table_free(table);
    return NULL;
}

/* --- Databases -------------------------------------------------------------------------------- */

gboolean td_is_no_data(const char *database)
{
    static const char *const own[] = {"information_schema", "performance_schema", NULL};

    return g_strv_contains(own, database) || g_str_has_prefix(database, TD_DRILL_PREFIX);
}

TdDatabase *td_database_new(const char *name)
{
    TdDatabase *database = g_new0(TdDatabase, 1);

    database->name = g_strdup(name);
    database->vgroups = g_array_new(FALSE, FALSE, sizeof(TdVgroup));
    database->created = g_ptr_array_new_with_free_func(g_free);
    database->dropped = g_ptr_array_new_with_free_func(g_free);
    database->recreated = g_ptr_array_new_with_free_func(g_free);
    database->altered = g_ptr_array_new_with_free_func(g_free);
    database->recounted = g_ptr_array_new_with_free_func(g_free);
    return database;
}

void td_database_free(TdDatabase *database)
{
    if (database == NULL)
        return;
    g_free(database->name);
    g_free(database->create_sql);
    g_free(database->topic);
    json_decref(database->options);
    g_array_unref(database->vgroups);
    g_ptr_array_unref(database->created);
    g_ptr_array_unref(database->dropped);
    g_ptr_array_unref(database->recreated);
    g_ptr_array_unref(database->altered);
    g_ptr_array_unref(database->recounted);
    g_free(database);
}

static const char *const precisions[] = {"ms", "us", "ns"};

gboolean td_precision_parse(const char *text, TdPrecision *ret_precision)
{
    for (guint i = 0; i < G_N_ELEMENTS(precisions); i++) {
        if (g_strcmp0(text, precisions[i]) != 0)
            continue;
        *ret_precision = (TdPrecision)i;
        return TRUE;
    }
    return FALSE;
}

json_t *td_database_to_json(const TdDatabase *database)
{
    json_t *json = json_object(), *vgroups = json_array();

    for (guint i = 0; i < database->vgroups->len; i++) {
        const TdVgroup *group = &g_array_index(database->vgroups, TdVgroup, i);

        json_array_append_new(vgroups, json_pack("{s:I, s:I, s:I}", "id", (json_int_t)group->id,
                                                 "applied", (json_int_t)group->applied, "tables",
                                                 (json_int_t)group->tables));
    }
    json_object_set_new(json, "name", json_text(database->name));
    json_object_set_new(json, "create_time", json_integer(database->create_time));
    json_object_set_new(json, "precision", json_string(precisions[database->precision]));
    set_window(json, database->rows, database->first, database->last);
    json_object_set_new(json, "looked", json_integer(database->looked));
    json_object_set_new(json, "vgroups", vgroups);
    json_object_set_new(json, "create_sql", json_text(database->create_sql));
    json_object_set(json, "options", database->options);
    if (database->topic != NULL)
        json_object_set_new(json, "topic", json_text(database->topic));
    json_object_set_new(json, "changed_during",
                        json_pack("{s:o, s:o, s:o, s:o, s:o}", "created",
                                  strings_to_json(database->created), "dropped",
                                  strings_to_json(database->dropped), "recreated",
                                  strings_to_json(database->recreated), "altered",
                                  strings_to_json(database->altered), "recounted",
                                  strings_to_json(database->recounted)));
    return json;
}

static void changes_from_json(const json_t *json, TdDatabase *database)
{
    const struct {
        const char *key;
        GPtrArray **names;
    } lists[] = {{"created", &database->created},
                 {"dropped", &database->dropped},
                 {"recreated", &database->recreated},
                 {"altered", &database->altered},
                 {"recounted", &database->recounted}};

    for (guint i = 0; i < G_N_ELEMENTS(lists); i++) {
        g_ptr_array_unref(*lists[i].names);
        *lists[i].names = strings_from_json(json, lists[i].key);
    }
}

TdDatabase *td_database_from_json(const json_t *json, GError **error)
{
    const char *name, *precision;
    TdDatabase *database;
    json_t *vgroups, *entry;
    size_t index;

    if (!json_need_string(json, "name", "a database", &name, error) ||
        !json_need_string(json, "precision", name, &precision, error) ||
        !json_need_array(json, "vgroups", name, &vgroups, error))
        return NULL;
    database = td_database_new(name);
    if (!td_precision_parse(precision, &database->precision)) {
        error_set(error, ERROR_FORMAT, "database %s has the precision \"%s\", which is not known",
                  name, precision);
        td_database_free(database);
        return NULL;
    }
    database->create_time = get_int(json, "create_time", 0);
    database->rows = json_get_uint(json, "rows", 0);
    database->first = get_int(json, "first", 0);
    database->last = get_int(json, "last", 0);
    database->looked = get_int(json, "looked", 0);
    database->create_sql = g_strdup(json_get_string(json, "create_sql", NULL));
    database->options = get_object(json, "options");
    database->topic = g_strdup(json_get_string(json, "topic", NULL));
    json_array_foreach(vgroups, index, entry)
    {
        TdVgroup group = {get_int(entry, "id", 0), get_int(entry, "applied", -1),
                          get_int(entry, "tables", 0)};

        g_array_append_val(database->vgroups, group);
    }
    changes_from_json(json_object_get(json, "changed_during"), database);
    return database;
}

/* --- Objects ---------------------------------------------------------------------------------- */

static const char *const object_kinds[] = {"function", "index",  "tsma",  "rsma", "virtual table",
                                           "view",     "stream", "topic", "user", "grant"};

const char *td_object_kind_name(TdObjectKind kind)
{
    return object_kinds[kind];
}

void td_object_free(TdObject *object)
{
    if (object == NULL)
        return;
    g_free(object->database);
    g_free(object->name);
    g_free(object->sql);
    g_free(object->reason);
    json_decref(object->details);
    g_free(object);
}

json_t *td_object_to_json(const TdObject *object)
{
    json_t *json = json_object();

    json_object_set_new(json, "kind", json_string(td_object_kind_name(object->kind)));
    json_object_set_new(json, "database", json_text(object->database));
    json_object_set_new(json, "name", json_text(object->name));
    json_object_set_new(json, "sql", json_text(object->sql));
    json_object_set_new(json, "reason", json_text(object->reason));
    json_object_set(json, "details", object->details);
    return json;
}

TdObject *td_object_from_json(const json_t *json, GError **error)
{
    const char *kind, *name;
    TdObject *object;
    guint index = 0;

    if (!json_need_string(json, "kind", "an object", &kind, error) ||
        !json_need_string(json, "name", kind, &name, error))
        return NULL;
    while (index < G_N_ELEMENTS(object_kinds) && strcmp(object_kinds[index], kind) != 0)
        index++;
    if (index == G_N_ELEMENTS(object_kinds)) {
        error_set(error, ERROR_FORMAT, "%s is of the kind \"%s\", which is not known", name, kind);
        return NULL;
    }
    object = g_new0(TdObject, 1);
    object->kind = (TdObjectKind)index;
    object->database = g_strdup(json_get_string(json, "database", NULL));
    object->name = g_strdup(name);
    object->sql = g_strdup(json_get_string(json, "sql", NULL));
    object->reason = g_strdup(json_get_string(json, "reason", NULL));
    object->details = get_object(json, "details");
    return object;
}
