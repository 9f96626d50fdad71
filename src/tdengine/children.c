/* SPDX-License-Identifier: Apache-2.0
 *
 * Listing the tables of a database.
 */
#include "tdengine/children.h"

#include <string.h>

#include "base/error.h"
#include "tdengine/connect.h"
#include "tdengine/ddl.h"

#define NO_SUPER G_MAXUINT32

/* The last is shown only to users who may see how the server is laid out (SYSINFO 1). */
enum { NAME, SUPER, UID, TTL, COMMENT, TYPE, VGROUP, COLUMNS };

struct TdChildren {
    TdNames *names;
    TdNames *supers;
    GArray *entries; /* TdChild, by number of the name */
    GString *comments;
};

static TdChildren *children_new(void)
{
    TdChildren *children = g_new0(TdChildren, 1);

    children->names = td_names_new();
    children->supers = td_names_new();
    children->entries = g_array_new(FALSE, FALSE, sizeof(TdChild));
    children->comments = g_string_new(NULL);
    return children;
}

void td_children_free(TdChildren *children)
{
    if (children == NULL)
        return;
    td_names_free(children->names);
    td_names_free(children->supers);
    g_array_unref(children->entries);
    g_string_free(children->comments, TRUE);
    g_free(children);
}

/* --- Reading ---------------------------------------------------------------------------------- */

static gint64 number_at(const TdBlockColumn *column, guint32 row)
{
    guint32 length;
    const guint8 *value;
    guint64 number = 0;

    if (td_block_is_null(column, row) || column->width == 0)
        return 0;
    value = td_block_value(column, row, &length);
    memcpy(&number, value, length);
    number = GUINT64_FROM_LE(number);
    /* The sign of a narrow number. */
    return (gint64)(number << (64 - 8 * length)) >> (64 - 8 * length);
}

static TdChildKind kind_at(const TdBlockColumn *column, guint32 row)
{
    static const struct {
        const char *text;
        TdChildKind kind;
    } kinds[] = {{"CHILD_TABLE", TD_CHILD}, {"NORMAL_TABLE", TD_NORMAL}};
    guint32 length = 0;
    const char *text =
        td_block_is_null(column, row) ? "" : (const char *)td_block_value(column, row, &length);

    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (strlen(kinds[i].text) == length && memcmp(kinds[i].text, text, length) == 0)
            return kinds[i].kind;
    return TD_VIRTUAL;
}

static void take_comment(TdChildren *children, const TdBlockColumn *column, guint32 row,
                         TdChild *child)
{
    guint32 length;
    const guint8 *text;

    if (td_block_is_null(column, row))
        return;
    text = td_block_value(column, row, &length);
    child->comment = (guint32)children->comments->len + 1;
    g_string_append_len(children->comments, (const char *)text, length);
    g_string_append_c(children->comments, '\0');
}

static void take_row(TdChildren *children, const TdBlock *block, guint32 row)
{
    const TdBlockColumn *columns = block->columns;
    TdChild child = {.uid = number_at(&columns[UID], row),
                     .super = NO_SUPER,
                     .vgroup =
                         block->n_columns > VGROUP ? (gint32)number_at(&columns[VGROUP], row) : 0,
                     .ttl = (gint32)number_at(&columns[TTL], row),
                     .kind = kind_at(&columns[TYPE], row)};
    guint32 length, count = td_names_count(children->names);
    const char *text = (const char *)td_block_value(&columns[NAME], row, &length);

    /* Listed twice while it moved from one vgroup to another. */
    if (td_names_add(children->names, text, length) != count)
        return;
    take_comment(children, &columns[COMMENT], row, &child);
    if (!td_block_is_null(&columns[SUPER], row)) {
        text = (const char *)td_block_value(&columns[SUPER], row, &length);
        child.super = td_names_add(children->supers, text, length);
    }
    g_array_append_val(children->entries, child);
}

static gboolean check_block(const TdBlock *block, GError **error)
{
    gboolean good = block->n_columns == COLUMNS || block->n_columns == VGROUP;

    for (guint i = 0; good && i < block->n_columns; i++)
        good = (i == UID || i == VGROUP || i == TTL) == (block->columns[i].width != 0);
    if (!good)
        error_set(error, ERROR_FORMAT, "the server lists tables in a form that is not known");
    return good;
}

static TdResult *ask(TdClient *client, const char *database, gboolean layout,
                     GCancellable *cancellable, GError **error)
{
    g_autoptr(GString) sql =
        g_string_new("SELECT table_name, stable_name, uid, `ttl`, table_comment, `type`");

    if (layout)
        g_string_append(sql, ", vgroup_id");
    g_string_append(sql, " FROM information_schema.ins_tables WHERE db_name = ");
    td_append_text(sql, database);
    return td_client_query(client, sql->str, cancellable, error);
}

TdChildren *td_children_read(TdClient *client, const char *database, GCancellable *cancellable,
                             GError **error)
{
    g_autoptr(TdChildren) children = children_new();
    g_autoptr(GError) problem = NULL;
    g_autoptr(TdResult) result = ask(client, database, TRUE, cancellable, &problem);
    const TdBlock *block;

    if (result == NULL && td_error_is_refusal(problem)) {
        g_clear_error(&problem);
        result = ask(client, database, FALSE, cancellable, &problem);
    }
    if (result == NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
    while ((block = td_result_next(result, &problem)) != NULL) {
        if (!check_block(block, error))
            return NULL;
        if (children->comments->len > G_MAXUINT32 / 2) {
            error_set(error, ERROR_LIMIT, "the comments of the tables take more than 2 GiB");
            return NULL;
        }
        for (guint32 row = 0; row < block->rows; row++)
            if (!td_block_is_null(&block->columns[NAME], row))
                take_row(children, block, row);
    }
    if (problem != NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
    return g_steal_pointer(&children);
}

/* --- Looking ---------------------------------------------------------------------------------- */

guint32 td_children_count(const TdChildren *children)
{
    return children->entries->len;
}

const TdChild *td_children_get(const TdChildren *children, guint32 id)
{
    return &g_array_index(children->entries, TdChild, id);
}

const char *td_children_name(const TdChildren *children, guint32 id)
{
    return td_names_get(children->names, id, NULL);
}

const char *td_children_super(const TdChildren *children, guint32 id)
{
    guint32 super = td_children_get(children, id)->super;

    return super != NO_SUPER ? td_names_get(children->supers, super, NULL) : NULL;
}

const char *td_children_comment(const TdChildren *children, guint32 id)
{
    guint32 comment = td_children_get(children, id)->comment;

    return comment != 0 ? children->comments->str + comment - 1 : NULL;
}

const TdChild *td_children_find(const TdChildren *children, const char *name, gsize length,
                                guint32 *ret_id)
{
    guint32 id;

    if (!td_names_find(children->names, name, length, &id))
        return NULL;
    if (ret_id != NULL)
        *ret_id = id;
    return td_children_get(children, id);
}

/* Enters the tables of `from` that `to` does not have. */
static void note_missing(const TdChildren *from, const TdChildren *to, TdChildFunc wanted,
                         gpointer data, GPtrArray *missing, GPtrArray *recreated)
{
    for (guint32 id = 0; id < td_children_count(from); id++) {
        const char *name = td_children_name(from, id);
        const TdChild *other = td_children_find(to, name, strlen(name), NULL);

        if (wanted != NULL && !wanted(name, td_children_super(from, id), data))
            continue;
        if (other == NULL)
            g_ptr_array_add(missing, g_strdup(name));
        else if (recreated != NULL && other->uid != td_children_get(from, id)->uid)
            g_ptr_array_add(recreated, g_strdup(name));
    }
}

void td_children_compare(const TdChildren *before, const TdChildren *after, TdChildFunc wanted,
                         gpointer data, TdDatabase *database)
{
    note_missing(before, after, wanted, data, database->dropped, database->recreated);
    note_missing(after, before, wanted, data, database->created, NULL);
}
