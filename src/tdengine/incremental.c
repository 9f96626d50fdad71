/* SPDX-License-Identifier: Apache-2.0
 *
 * Bases: fitting, and finding what they hold.
 */
#include "tdengine/incremental.h"

#include <string.h>

#include "base/error.h"
#include "engine/engine.h"
#include "store/store.h"
#include "tdengine/connect.h"
#include "tdengine/ddl.h"

/* --- Whether it fits -------------------------------------------------------------------------- */

static gboolean is_there(Backup *base, const TdObjectRef *object, gboolean *ret_there,
                         GError **error)
{
    g_autofree char *name = g_strdup_printf("pool/%.2s/%s", object->sha256, object->sha256);
    g_autoptr(GError) problem = NULL;
    StoreInfo info;

    *ret_there = TRUE;
    if (object->sha256[0] == '\0')
        return TRUE;
    if (store_stat(repository_store(backup_repository(base)), name, &info, &problem)) {
        *ret_there = info.size == object->size;
        return TRUE;
    }
    if (error_is(problem, ERROR_NOT_FOUND)) {
        *ret_there = FALSE;
        return TRUE;
    }
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

static gboolean has_objects(Backup *base, const TdDetails *details, gboolean *ret_there,
                            GError **error)
{
    *ret_there = TRUE;
    for (guint i = 0; *ret_there && i < details->slices->len; i++) {
        const TdSlice *slice = &g_array_index(details->slices, TdSlice, i);

        if (!is_there(base, &slice->data, ret_there, error) ||
            (*ret_there && !is_there(base, &slice->tables, ret_there, error)))
            return FALSE;
    }
    for (guint i = 0; *ret_there && i < details->tables->len; i++) {
        const TdTable *table = g_ptr_array_index(details->tables, i);

        for (guint j = 0; *ret_there && j < table->tag_objects->len; j++)
            if (!is_there(base, g_ptr_array_index(table->tag_objects, j), ret_there, error))
                return FALSE;
    }
    return TRUE;
}

/* A database that is gone or new is no other incarnation: its tables come and go with it. */
static gboolean same_incarnations(const ConfigSource *source, const TdDetails *details,
                                  gboolean *ret_same, GCancellable *cancellable, GError **error)
{
    g_autoptr(TdClient) client = td_connect(source, cancellable, error);
    g_autoptr(GPtrArray) rows = NULL;

    *ret_same = TRUE;
    if (client == NULL)
        return FALSE;
    rows = td_ask(client, "SELECT * FROM information_schema.ins_databases", 100000, cancellable,
                  error);
    if (rows == NULL)
        return FALSE;
    for (guint i = 0; i < rows->len; i++) {
        const json_t *row = g_ptr_array_index(rows, i);
        const char *name = td_row_text(row, "name");
        const TdDatabase *before = name != NULL ? td_details_find_database(details, name) : NULL;

        if (before != NULL && before->create_time != td_row_number(row, "create_time", 0))
            *ret_same = FALSE;
    }
    return TRUE;
}

gboolean td_base_fits(const ConfigSource *source, Backup *base, char **ret_reason,
                      GCancellable *cancellable, GError **error)
{
    g_autoptr(TdDetails) details = NULL;
    g_autoptr(GError) problem = NULL;
    gboolean there, same;

    *ret_reason = NULL;
    if (!td_details_read(base, &details, &problem)) {
        if (!engine_is_damage(problem) && !error_is(problem, ERROR_FORMAT)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        *ret_reason = g_strdup_printf("it is damaged: %s", problem->message);
        return TRUE;
    }
    if (!has_objects(base, details, &there, error))
        return FALSE;
    if (!there) {
        *ret_reason = g_strdup("it is damaged: not all of its objects are there");
        return TRUE;
    }
    if (!same_incarnations(source, details, &same, cancellable, error))
        return FALSE;
    if (!same)
        *ret_reason = g_strdup("a database was dropped and made anew since");
    return TRUE;
}

/* --- Its tables and slices -------------------------------------------------------------------- */

/* A column is text only where all values of the backup are, those of its base among them. */
static void carry_binary(const TdTable *before, TdTable *table)
{
    for (guint i = 0; i < table->columns->len; i++) {
        TdField *field = g_ptr_array_index(table->columns, i);

        for (guint j = 0; j < before->columns->len; j++) {
            const TdField *old = g_ptr_array_index(before->columns, j);

            if (old->type == field->type && strcmp(old->name, field->name) == 0)
                field->binary = field->binary || old->binary;
        }
    }
}

TdBaseTable *td_base_table_new(const TdDetails *base, TdTable *table)
{
    guint32 index;
    const TdTable *before = td_details_find_table(base, table->database, table->name, &index);
    TdBaseTable *result;

    if (before == NULL || before->kind != table->kind || before->plan == NULL)
        return NULL;
    carry_binary(before, table);
    result = g_new0(TdBaseTable, 1);
    result->plan = before->plan;
    result->slices = g_array_new(FALSE, FALSE, sizeof(TdSlice));
    for (guint i = 0; i < base->slices->len; i++)
        if (g_array_index(base->slices, TdSlice, i).table == index)
            g_array_append_val(result->slices, g_array_index(base->slices, TdSlice, i));
    return result;
}

void td_base_table_free(TdBaseTable *table)
{
    if (table == NULL)
        return;
    g_array_unref(table->slices);
    g_free(table);
}

GArray *td_base_stretches(const TdBaseTable *base, const TdPlan *plan)
{
    GArray *stretches = g_array_new(FALSE, FALSE, sizeof(TdStretch));

    for (guint i = 0; i < base->slices->len; i++) {
        const gint64 from = g_array_index(base->slices, TdSlice, i).from;
        TdStretch fresh;

        if (stretches->len > 0 && from < g_array_index(stretches, TdStretch, stretches->len - 1).to)
            continue;
        td_plan_stretch(plan, from, &fresh);
        g_array_append_val(stretches, fresh);
    }
    return stretches;
}

gboolean td_base_tags(const TdTable *before, TdFingerprint sum, TdTable *table)
{
    g_autofree char *then = td_fields_hash(before->tags), *now = td_fields_hash(table->tags);

    if (!before->has_tags_sum || !td_fingerprint_equal(before->tags_sum, sum) ||
        strcmp(then, now) != 0)
        return FALSE;
    for (guint i = 0; i < table->tags->len; i++)
        ((TdField *)g_ptr_array_index(table->tags, i))->binary =
            ((TdField *)g_ptr_array_index(before->tags, i))->binary;
    for (guint i = 0; i < before->tag_objects->len; i++)
        g_ptr_array_add(table->tag_objects,
                        g_memdup2(g_ptr_array_index(before->tag_objects, i), sizeof(TdObjectRef)));
    table->child_tables = before->child_tables;
    table->tags_sum = sum;
    table->has_tags_sum = TRUE;
    return TRUE;
}

const TdSlice *td_base_slice(const GArray *slices, const TdSlice *fresh)
{
    for (guint low = 0, high = slices->len; low < high;) {
        guint middle = low + (high - low) / 2;
        const TdSlice *slice = &g_array_index(slices, TdSlice, middle);

        if (slice->from == fresh->from && slice->shard == fresh->shard)
            return slice->to == fresh->to && slice->shards == fresh->shards &&
                           slice->rows == fresh->rows &&
                           strcmp(slice->schema, fresh->schema) == 0 &&
                           td_fingerprint_equal(slice->fingerprint, fresh->fingerprint)
                       ? slice
                       : NULL;
        if (slice->from < fresh->from ||
            (slice->from == fresh->from && slice->shard < fresh->shard))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
