/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing statements, and changing the database that one names.
 */
#include "tdengine/ddl.h"

#include <string.h>

/* --- Words ------------------------------------------------------------------------------------ */

void td_append_name(GString *sql, const char *name)
{
    g_string_append_c(sql, '`');
    for (const char *at = name; *at != '\0'; at++) {
        if (*at == '`')
            g_string_append_c(sql, '`');
        g_string_append_c(sql, *at);
    }
    g_string_append_c(sql, '`');
}

char *td_quote_name(const char *name)
{
    g_autoptr(GString) sql = g_string_new(NULL);

    td_append_name(sql, name);
    return g_string_free(g_steal_pointer(&sql), FALSE);
}

void td_append_table(GString *sql, const char *database, const char *table)
{
    td_append_name(sql, database);
    g_string_append_c(sql, '.');
    td_append_name(sql, table);
}

void td_append_range(GString *sql, const TdTable *table, gint64 from, gint64 to)
{
    const TdField *time = g_ptr_array_index(table->columns, 0);
    const char *word = " WHERE ";

    if (from != G_MININT64) {
        g_string_append(sql, word);
        td_append_name(sql, time->name);
        g_string_append_printf(sql, " >= %" G_GINT64_FORMAT, from);
        word = " AND ";
    }
    if (to != G_MAXINT64) {
        g_string_append(sql, word);
        td_append_name(sql, time->name);
        g_string_append_printf(sql, " < %" G_GINT64_FORMAT, to);
    }
}

void td_append_text(GString *sql, const char *text)
{
    g_string_append_c(sql, '\'');
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '\'' || *at == '\\')
            g_string_append_c(sql, '\\');
        g_string_append_c(sql, *at);
    }
    g_string_append_c(sql, '\'');
}

/* --- Tables ----------------------------------------------------------------------------------- */

char *td_field_type_text(const TdField *field)
{
    switch (field->type) {
    case TD_VARCHAR:
    case TD_NCHAR:
    case TD_VARBINARY:
    case TD_GEOMETRY:
        return g_strdup_printf("%s(%u)", td_type_name(field->type), field->length);
    case TD_DECIMAL:
    case TD_DECIMAL64:
        return g_strdup_printf("DECIMAL(%u,%u)", field->precision, field->scale);
    default:
        return g_strdup(td_type_name(field->type));
    }
}

static void append_field(GString *sql, const TdField *field, gboolean encoding)
{
    g_autofree char *type = td_field_type_text(field);

    td_append_name(sql, field->name);
    g_string_append_printf(sql, " %s", type);
    if (encoding && field->encode != NULL && field->compress != NULL && field->level != NULL)
        g_string_append_printf(sql, " ENCODE '%s' COMPRESS '%s' LEVEL '%s'", field->encode,
                               field->compress, field->level);
    if (field->key)
        g_string_append(sql, " COMPOSITE KEY");
}

static void append_fields(GString *sql, const GPtrArray *fields, gboolean encoding)
{
    g_string_append_c(sql, '(');
    for (guint i = 0; i < fields->len; i++) {
        if (i > 0)
            g_string_append(sql, ", ");
        append_field(sql, g_ptr_array_index(fields, i), encoding);
    }
    g_string_append_c(sql, ')');
}

/* The words behind the columns that a super table of an Enterprise server may have. */
static void append_rollup(GString *sql, const TdTable *table)
{
    const char *rollup = json_get_string(table->options, "rollup", "");

    if (rollup[0] == '\0')
        return;
    g_string_append_printf(sql, " ROLLUP(%s)", rollup);
}

static void append_sma(GString *sql, const TdTable *table)
{
    if (table->sma == NULL || table->sma->len == 0)
        return;
    g_string_append(sql, " SMA(");
    for (guint i = 0; i < table->sma->len; i++) {
        if (i > 0)
            g_string_append(sql, ", ");
        td_append_name(sql, g_ptr_array_index(table->sma, i));
    }
    g_string_append_c(sql, ')');
}

char *td_table_ddl(const TdTable *table, const char *database, const TdDdlOptions *options)
{
    g_autoptr(GString) sql = g_string_new(NULL);
    gboolean virtual = table->kind == TD_TABLE_VIRTUAL_SUPER;

    g_string_append(sql, table->kind == TD_TABLE_NORMAL ? "CREATE TABLE " : "CREATE STABLE ");
    td_append_table(sql, database, table->name);
    g_string_append_c(sql, ' ');
    append_fields(sql, table->columns, options->encoding && !virtual);
    if (table->kind != TD_TABLE_NORMAL) {
        g_string_append(sql, " TAGS ");
        append_fields(sql, table->tags, FALSE);
    }
    /* As the literal was written: it goes between quotes as it is. */
    if (table->comment != NULL)
        g_string_append_printf(sql, " COMMENT '%s'", table->comment);
    append_rollup(sql, table);
    append_sma(sql, table);
    if (table->keep > 0)
        g_string_append_printf(sql, " KEEP %" G_GINT64_FORMAT "m", table->keep);
    if (table->ttl > 0)
        g_string_append_printf(sql, " TTL %" G_GUINT64_FORMAT, table->ttl);
    if (virtual)
        g_string_append(sql, " VIRTUAL 1");
    return g_string_free(g_steal_pointer(&sql), FALSE);
}

char *td_database_ddl(const TdDatabase *database, const char *name)
{
    static const char create[] = "CREATE DATABASE ";
    g_autofree char *quoted = td_quote_name(database->name);
    g_autoptr(GString) sql = NULL;
    const char *at = database->create_sql;

    if (at == NULL || !g_str_has_prefix(at, create))
        return NULL;
    at += strlen(create);
    if (g_str_has_prefix(at, quoted))
        at += strlen(quoted);
    else if (g_str_has_prefix(at, database->name))
        at += strlen(database->name);
    else
        return NULL;
    sql = g_string_new(create);
    td_append_name(sql, name);
    g_string_append(sql, at);
    return g_string_free(g_steal_pointer(&sql), FALSE);
}

/* --- Renaming --------------------------------------------------------------------------------- */

typedef struct {
    const char *sql; /* where the word begins */
    gsize length;    /* with quotes */
    char *name;      /* without; NULL where it is no name */
} Word;

/* Bytes of a string, comment or anything else that is to be left alone. */
static gsize skip_literal(const char *at)
{
    const char *end;

    if (*at == '\'' || *at == '"') {
        for (end = at + 1; *end != '\0' && *end != *at; end++)
            if (*end == '\\' && end[1] != '\0')
                end++;
        return (gsize)(end - at) + (*end != '\0');
    }
    if (at[0] == '/' && at[1] == '*') {
        end = strstr(at + 2, "*/");
        return end != NULL ? (gsize)(end - at) + 2 : strlen(at);
    }
    if (at[0] == '-' && at[1] == '-')
        return strcspn(at, "\n");
    return 0;
}

static gboolean is_name_byte(char byte)
{
    return g_ascii_isalnum(byte) || byte == '_';
}

/* A quoted name, or a bare one in lower case, as the server takes it. */
static gboolean read_word(const char *at, Word *ret_word)
{
    gsize length = 0;

    if (*at == '`') {
        g_autoptr(GString) name = g_string_new(NULL);
        const char *end = at + 1;

        for (; *end != '\0' && (*end != '`' || end[1] == '`'); end++) {
            g_string_append_c(name, *end);
            if (*end == '`')
                end++;
        }
        if (*end == '\0')
            return FALSE;
        *ret_word = (Word){at, (gsize)(end - at) + 1, g_string_free(g_steal_pointer(&name), FALSE)};
        return TRUE;
    }
    while (is_name_byte(at[length]))
        length++;
    if (length == 0)
        return FALSE;
    *ret_word = (Word){at, length, g_ascii_strdown(at, (gssize)length)};
    return TRUE;
}

/* Words behind which the name of a table or database is expected. */
static gboolean expects_table(const char *word)
{
    static const char *const words[] = {"from",   "join", "into",   "stable", "table", "using",
                                        "vtable", "view", "stream", "on",     NULL};

    return word != NULL && g_strv_contains(words, word);
}

/* `name` stands before a dot, or behind DATABASE. */
static void append_qualifier(GString *out, const Word *word, const char *before, const char *from,
                             const char *to, char **elsewhere)
{
    if (strcmp(word->name, from) == 0) {
        td_append_name(out, to);
        return;
    }
    g_string_append_len(out, word->sql, (gssize)word->length);
    if (*elsewhere == NULL && expects_table(before))
        *elsewhere = g_strdup(word->name);
}

char *td_sql_rename_database(const char *sql, const char *from, const char *to,
                             char **ret_elsewhere)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_autofree char *before = NULL, *elsewhere = NULL;
    gboolean behind_dot = FALSE;
    const char *at = sql;

    while (*at != '\0') {
        gsize literal = skip_literal(at);
        Word word;

        if (literal > 0 || !read_word(at, &word)) {
            g_string_append_len(out, at, (gssize)MAX(literal, 1));
            behind_dot = *at == '.';
            at += MAX(literal, 1);
            continue;
        }
        at += word.length;
        if (!behind_dot && (*at == '.' || g_strcmp0(before, "database") == 0))
            append_qualifier(out, &word, before, from, to, &elsewhere);
        else
            g_string_append_len(out, word.sql, (gssize)word.length);
        g_free(before);
        before = g_steal_pointer(&word.name);
        behind_dot = FALSE;
    }
    if (ret_elsewhere != NULL)
        *ret_elsewhere = g_steal_pointer(&elsewhere);
    return g_string_free(g_steal_pointer(&out), FALSE);
}
