/* SPDX-License-Identifier: Apache-2.0
 *
 * CREATE TABLE with many tables a statement, where literals are exact; a bound row that is deleted
 * again where they are not.
 */
#include "tdengine/restore-children.h"

#include <math.h>
#include <string.h>

#include "base/time.h"
#include "tdengine/ddl.h"
#include "tdengine/restore-rows.h"
#include "tdengine/text.h"

#define STATEMENT_TABLES 1000u
#define STATEMENT_BYTES  (900u * 1024) /* the server takes 1 MiB */

/* --- literals --------------------------------------------------------------------------------- */

static gboolean append_float(GString *sql, double value, int digits)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    char format[8];

    /* What the server's parser may round, refuse or lose the sign of. */
    if (!isnormal(value) && (value != 0.0 || signbit(value)))
        return FALSE;
    g_snprintf(format, sizeof format, "%%.%dg", digits);
    g_string_append(sql, g_ascii_formatd(text, sizeof text, format, value));
    return TRUE;
}

static gboolean append_text(GString *sql, const guint8 *bytes, gsize length)
{
    if (!g_utf8_validate_len((const char *)bytes, length, NULL) ||
        memchr(bytes, '\0', length) != NULL)
        return FALSE;
    g_string_append_c(sql, '\'');
    for (gsize i = 0; i < length; i++) {
        if (bytes[i] == '\'' || bytes[i] == '\\')
            g_string_append_c(sql, '\\');
        g_string_append_c(sql, (char)bytes[i]);
    }
    g_string_append_c(sql, '\'');
    return TRUE;
}

static gboolean append_hex(GString *sql, const guint8 *bytes, gsize length)
{
    if (length == 0)
        return FALSE;
    g_string_append(sql, "'\\x");
    for (gsize i = 0; i < length; i++)
        g_string_append_printf(sql, "%02x", bytes[i]);
    g_string_append_c(sql, '\'');
    return TRUE;
}

static gint64 read_signed(const guint8 *bytes, gsize width)
{
    gint64 value = 0;

    memcpy(&value, bytes, width);
    return width == 8 ? value : (gint64)((guint64)value << (64 - 8 * width)) >> (64 - 8 * width);
}

static guint64 read_unsigned(const guint8 *bytes, gsize width)
{
    guint64 value = 0;

    memcpy(&value, bytes, width);
    return value;
}

static gboolean append_value(GString *sql, TdType type, const guint8 *bytes, gsize length)
{
    float single;
    double number;

    switch (type) {
    case TD_BOOL:
        g_string_append(sql, bytes[0] != 0 ? "true" : "false");
        return TRUE;
    case TD_TINYINT:
    case TD_SMALLINT:
    case TD_INT:
    case TD_BIGINT:
    case TD_TIMESTAMP:
        g_string_append_printf(sql, "%" G_GINT64_FORMAT, read_signed(bytes, length));
        return TRUE;
    case TD_UTINYINT:
    case TD_USMALLINT:
    case TD_UINT:
    case TD_UBIGINT:
        g_string_append_printf(sql, "%" G_GUINT64_FORMAT, read_unsigned(bytes, length));
        return TRUE;
    case TD_FLOAT:
        memcpy(&single, bytes, sizeof single);
        return isnormal(single) || single == 0.0F ? append_float(sql, (double)single, 9) : FALSE;
    case TD_DOUBLE:
        memcpy(&number, bytes, sizeof number);
        return append_float(sql, number, 17);
    case TD_VARCHAR:
    case TD_NCHAR:
    case TD_JSON:
        return append_text(sql, bytes, length);
    case TD_VARBINARY:
        return append_hex(sql, bytes, length);
    default:
        return FALSE;
    }
}

gboolean td_append_literal(GString *sql, const TdBindColumn *tag, gsize row)
{
    const gsize before = sql->len;
    const guint8 *bytes;
    gsize length;

    if (!td_bind_column_value(tag, row, &bytes, &length)) {
        g_string_append(sql, "NULL");
        return TRUE;
    }
    if (append_value(sql, tag->type, bytes, length))
        return TRUE;
    g_string_truncate(sql, before);
    return FALSE;
}

/* --- tables without rows ---------------------------------------------------------------------- */

typedef struct {
    TdClient *client;
    const char *database;
    TdPrecision precision;
    const TdTagSet *set;
    GCancellable *cancellable;
    GString *sql;
    guint tables; /* in the statement */
    guint64 made;
} Maker;

static void append_options(GString *sql, const TdTagSet *set, guint32 id)
{
    guint32 ttl = g_array_index(set->ttl, guint32, id);
    const char *comment = g_ptr_array_index(set->comments, id);

    if (ttl > 0)
        g_string_append_printf(sql, " TTL %u", ttl);
    /* As the literal was written: it goes between quotes as it is. */
    if (comment != NULL)
        g_string_append_printf(sql, " COMMENT '%s'", comment);
}

static gboolean send(Maker *maker, GError **error)
{
    if (maker->tables == 0)
        return TRUE;
    if (!td_client_execute(maker->client, maker->sql->str, NULL, maker->cancellable, error)) {
        g_prefix_error(error, "cannot make child tables of %s.%s: ", maker->database,
                       maker->set->table->name);
        return FALSE;
    }
    maker->made += maker->tables;
    maker->tables = 0;
    g_string_assign(maker->sql, "CREATE TABLE");
    return TRUE;
}

/* FALSE: a tag has no exact literal; the statement is as it was. */
static gboolean append_child(Maker *maker, const char *name, guint32 id)
{
    const TdTagSet *set = maker->set;
    const gsize before = maker->sql->len;

    g_string_append(maker->sql, " IF NOT EXISTS ");
    td_append_table(maker->sql, maker->database, name);
    g_string_append(maker->sql, " USING ");
    td_append_table(maker->sql, maker->database, set->table->name);
    g_string_append(maker->sql, " TAGS (");
    for (guint i = 0; i < set->n_tags; i++) {
        g_string_append(maker->sql, i > 0 ? ", " : "");
        if (!td_append_literal(maker->sql, &set->tags[i], id)) {
            g_string_truncate(maker->sql, before);
            return FALSE;
        }
    }
    g_string_append_c(maker->sql, ')');
    append_options(maker->sql, set, id);
    return TRUE;
}

/* A statement that is long enough goes. */
static gboolean end_child(Maker *maker, GError **error)
{
    maker->tables++;
    return (maker->tables < STATEMENT_TABLES && maker->sql->len < STATEMENT_BYTES) ||
           send(maker, error);
}

static gint64 now_ticks(TdPrecision precision)
{
    return time_now() / TIME_SECOND * td_ticks(precision);
}

/* The time, the least value of a composite key, NULLs. */
static void fill_row(const TdTable *table, const gint64 *time, TdBinding *columns)
{
    static const guint8 zeros[16] = {0}, null = 1;
    static const guint32 no_length = 0;

    for (guint i = 0; i < table->columns->len; i++) {
        const TdField *field = g_ptr_array_index(table->columns, i);

        columns[i] = (TdBinding){.type = field->type,
                                 .nulls = i > 0 && !field->key ? &null : NULL,
                                 .values = i == 0 ? (const guint8 *)time : zeros,
                                 .lengths = td_type_width(field->type) == 0 ? &no_length : NULL};
    }
}

/* A row brings the table into being with its tags as they are; then the row goes. */
static gboolean make_with_row(Maker *maker, const char *name, guint32 id, GError **error)
{
    const TdTable *table = maker->set->table;
    const gint64 time = now_ticks(maker->precision);
    g_autofree TdBinding *tags = g_new0(TdBinding, maker->set->n_tags);
    g_autofree TdBinding *columns = g_new0(TdBinding, table->columns->len);
    const TdInsertTable row = {.name = name, .n_rows = 1, .tags = tags, .columns = columns};
    g_autofree char *insert_sql = td_restore_insert_sql(table);
    g_autoptr(TdInsert) insert = td_insert_prepare(maker->client, insert_sql, maker->set->n_tags,
                                                   table->columns->len, maker->cancellable, error);
    g_autoptr(GString) sql = g_string_new("DELETE FROM ");

    if (insert == NULL)
        return FALSE;
    fill_row(table, &time, columns);
    for (guint i = 0; i < maker->set->n_tags; i++)
        td_bind_column_get(&maker->set->tags[i], id, &tags[i]);
    if (!td_restore_insert(maker->client, insert, &row, 1, maker->cancellable, error))
        return FALSE;
    td_append_table(sql, maker->database, name);
    g_string_append(sql, " WHERE ");
    td_append_name(sql, ((TdField *)g_ptr_array_index(table->columns, 0))->name);
    g_string_append_printf(sql, " = %" G_GINT64_FORMAT, time);
    maker->made++;
    return td_client_execute(maker->client, sql->str, NULL, maker->cancellable, error);
}

/* What CREATE TABLE would have said of a table that came into being by its rows. */
static gboolean set_options(Maker *maker, const char *name, guint32 id, GError **error)
{
    g_autoptr(GString) sql = g_string_new("ALTER TABLE ");
    gsize length;

    td_append_table(sql, maker->database, name);
    length = sql->len;
    append_options(sql, maker->set, id);
    return sql->len == length ||
           td_client_execute(maker->client, sql->str, NULL, maker->cancellable, error);
}

static gboolean make_child(Maker *maker, guint32 id, GError **error)
{
    gsize length;
    const char *name = td_names_get(maker->set->names, id, &length);

    if (maker->set->made[id] != 0)
        return TRUE;
    if (maker->set->written[id] > 0)
        return set_options(maker, name, id, error);
    if (!append_child(maker, name, id))
        return make_with_row(maker, name, id, error) && set_options(maker, name, id, error);
    return end_child(maker, error);
}

gboolean td_restore_children_first(TdClient *client, const char *database, const TdTagSet *set,
                                   GCancellable *cancellable, GError **error)
{
    g_autoptr(GString) sql = g_string_new("CREATE TABLE");
    Maker maker = {
        .client = client, .database = database, .set = set, .cancellable = cancellable, .sql = sql};

    for (guint32 id = 0; id < td_names_count(set->names); id++) {
        gsize length;
        const char *name = td_names_get(set->names, id, &length);

        if (!td_tag_set_wants(set, id) ||
            (g_array_index(set->ttl, guint32, id) == 0 &&
             g_ptr_array_index(set->comments, id) == NULL) ||
            !append_child(&maker, name, id))
            continue;
        set->made[id] = 1;
        if (!end_child(&maker, error))
            return FALSE;
    }
    return send(&maker, error);
}

gboolean td_restore_children(TdClient *client, const char *database, TdPrecision precision,
                             const TdTagSet *set, guint64 *ret_made, GCancellable *cancellable,
                             GError **error)
{
    g_autoptr(GString) sql = g_string_new("CREATE TABLE");
    Maker maker = {.client = client,
                   .database = database,
                   .precision = precision,
                   .set = set,
                   .cancellable = cancellable,
                   .sql = sql};

    for (guint32 id = 0; id < td_names_count(set->names); id++)
        if (td_tag_set_wants(set, id) && !make_child(&maker, id, error))
            return FALSE;
    if (!send(&maker, error))
        return FALSE;
    *ret_made = maker.made;
    return TRUE;
}
