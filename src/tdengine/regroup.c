/* SPDX-License-Identifier: Apache-2.0
 *
 * Kept blocks, runs in them, and the slices that they go to.
 */
#include "tdengine/regroup.h"

#include <string.h>

#include "base/error.h"

/* A run costs memory too: runs of single rows must not outgrow the limit unseen. */
#define RUN_BYTES sizeof(Run)

typedef struct {
    guint32 slice; /* index into slices */
    guint32 name;
    guint32 block;
    guint32 from, count;
    guint32 order; /* in which it came: keeps rows of one time in their order */
    gint64 first, last;
} Run;

typedef struct {
    TdSlicePlace place;
    TdSliceWriter *writer;
} Slice;

typedef struct {
    guint8 *bytes;
    TdBlockColumn *columns; /* views into bytes, without tbname */
} KeptBlock;

struct TdRegroup {
    TdRegroupOptions options;
    guint n_columns; /* of the table */
    gboolean has_names;
    TdNames *names;
    GByteArray *wanted; /* a byte a name */
    GArray *hashes;     /* guint64 a name: its shard */
    GPtrArray *blocks;  /* KeptBlock */
    gsize kept;         /* bytes */
    GArray *runs;
    GArray *slices;
    guint64 nameless; /* rows */
};

static void kept_block_free(KeptBlock *block)
{
    g_free(block->bytes);
    g_free(block->columns);
    g_free(block);
}

TdRegroup *td_regroup_new(const TdRegroupOptions *options)
{
    TdRegroup *regroup = g_new0(TdRegroup, 1);

    regroup->options = *options;
    regroup->n_columns = options->table->columns->len;
    regroup->has_names = options->table->kind == TD_TABLE_SUPER;
    regroup->names = td_names_new();
    regroup->wanted = g_byte_array_new();
    regroup->hashes = g_array_new(FALSE, FALSE, sizeof(guint64));
    regroup->blocks = g_ptr_array_new_with_free_func((GDestroyNotify)kept_block_free);
    regroup->runs = g_array_new(FALSE, FALSE, sizeof(Run));
    regroup->slices = g_array_new(FALSE, FALSE, sizeof(Slice));
    return regroup;
}

void td_regroup_free(TdRegroup *regroup)
{
    if (regroup == NULL)
        return;
    for (guint i = 0; i < regroup->slices->len; i++)
        td_slice_writer_free(g_array_index(regroup->slices, Slice, i).writer);
    g_array_unref(regroup->slices);
    g_array_unref(regroup->runs);
    g_ptr_array_unref(regroup->blocks);
    g_array_unref(regroup->hashes);
    g_byte_array_unref(regroup->wanted);
    td_names_free(regroup->names);
    g_free(regroup);
}

/* --- Keeping blocks --------------------------------------------------------------------------- */

static gboolean check_columns(const TdRegroup *regroup, const TdBlock *block, GError **error)
{
    guint skip = regroup->has_names ? 1 : 0;

    if (block->n_columns != regroup->n_columns + skip) {
        error_set(error, ERROR_FORMAT, "table %s: a block of %u columns came, not of %u",
                  regroup->options.table->name, block->n_columns, regroup->n_columns + skip);
        return FALSE;
    }
    if (regroup->has_names && block->columns[0].type != TD_VARCHAR) {
        error_set(error, ERROR_FORMAT, "table %s: names of tables did not come as text",
                  regroup->options.table->name);
        return FALSE;
    }
    for (guint i = 0; i < regroup->n_columns; i++) {
        const TdField *field = g_ptr_array_index(regroup->options.table->columns, i);

        if (block->columns[i + skip].type == field->type)
            continue;
        error_set(error, ERROR_FORMAT, "table %s: column %s came as %s, not as %s",
                  regroup->options.table->name, field->name,
                  td_type_name(block->columns[i + skip].type), td_type_name(field->type));
        return FALSE;
    }
    return TRUE;
}

static gsize head_bytes(const TdBlockColumn *column, guint32 rows)
{
    return column->width != 0 ? ((gsize)rows + 7) / 8 : (gsize)rows * 4;
}

/* Copies the columns; names are known by number already. */
static KeptBlock *keep_block(TdRegroup *regroup, const TdBlock *block)
{
    const TdBlockColumn *columns = block->columns + (regroup->has_names ? 1 : 0);
    KeptBlock *kept = g_new0(KeptBlock, 1);
    gsize size = 0;
    guint8 *to;

    for (guint i = 0; i < regroup->n_columns; i++)
        size += head_bytes(&columns[i], block->rows) + columns[i].length;
    kept->bytes = to = g_malloc(size + 1);
    kept->columns = g_memdup2(columns, regroup->n_columns * sizeof *columns);
    for (guint i = 0; i < regroup->n_columns; i++) {
        TdBlockColumn *column = &kept->columns[i];
        gsize head = head_bytes(column, block->rows);

        memcpy(to, column->width != 0 ? column->bitmap : column->offsets, head);
        if (column->width != 0)
            column->bitmap = to;
        else
            column->offsets = to;
        if (column->length > 0) /* NULLs only: there need be no bytes */
            memcpy(to + head, column->values, column->length);
        column->values = to + head;
        to += head + column->length;
    }
    regroup->kept += size;
    return kept;
}

/* --- Finding runs ----------------------------------------------------------------------------- */

/* The slice of a place, made at its first row. */
static guint32 find_slice(TdRegroup *regroup, const TdSlicePlace *place)
{
    Slice fresh = {.place = *place};

    for (guint i = 0; i < regroup->slices->len; i++) {
        const Slice *slice = &g_array_index(regroup->slices, Slice, i);

        if (slice->place.from == place->from && slice->place.shard == place->shard)
            return i;
    }
    g_array_append_val(regroup->slices, fresh);
    return regroup->slices->len - 1;
}

static guint32 slice_of(TdRegroup *regroup, gint64 time, guint32 name)
{
    TdSlicePlace place;

    td_plan_locate(regroup->options.plan, time,
                   regroup->has_names ? g_array_index(regroup->hashes, guint64, name) : 0, &place);
    place.from = MAX(place.from, regroup->options.from);
    place.to = MIN(place.to, regroup->options.to);
    return find_slice(regroup, &place);
}

static guint32 name_of(TdRegroup *regroup, const char *name, gsize length)
{
    guint32 known = td_names_count(regroup->names);
    guint32 id = td_names_add(regroup->names, name, length);

    if (id == known) {
        guint64 hash = td_table_hash(name, length);
        guint8 wanted = regroup->options.name == NULL ||
                        regroup->options.name(name, length, regroup->options.name_data);

        g_array_append_val(regroup->hashes, hash);
        g_byte_array_append(regroup->wanted, &wanted, 1);
    }
    return id;
}

static gint64 time_at(const TdBlockColumn *column, guint32 row)
{
    gint64 time;

    memcpy(&time, column->values + (gsize)row * sizeof time, sizeof time);
    return GINT64_FROM_LE(time);
}

/* Rows from `row` on that have the table of `row`; *ret_name is its number. */
static guint32 rows_of_table(TdRegroup *regroup, const TdBlock *block, guint32 row,
                             guint32 *ret_name)
{
    guint32 length, end = row + 1;
    const guint8 *name;

    *ret_name = 0;
    if (!regroup->has_names)
        return block->rows - row;
    name = td_block_value(&block->columns[0], row, &length);
    *ret_name = name_of(regroup, (const char *)name, length);
    for (; end < block->rows; end++) {
        guint32 other_length;
        const guint8 *other;

        if (td_block_is_null(&block->columns[0], end))
            break;
        other = td_block_value(&block->columns[0], end, &other_length);
        if (other_length != length || memcmp(other, name, length) != 0)
            break;
    }
    return end - row;
}

/* Cuts the rows of one table where a time falls and at the borders of slices. */
static void add_runs(TdRegroup *regroup, const TdBlockColumn *times, guint32 from, guint32 count,
                     guint32 name)
{
    guint32 row = from, end = from + count;

    while (row < end) {
        gint64 last = time_at(times, row);
        Run run = {.slice = slice_of(regroup, last, name),
                   .name = name,
                   .block = regroup->blocks->len,
                   .from = row,
                   .order = regroup->runs->len,
                   .first = last};
        gint64 to = g_array_index(regroup->slices, Slice, run.slice).place.to;

        for (row++; row < end; row++) {
            gint64 time = time_at(times, row);

            if (time < last || time >= to)
                break;
            last = time;
        }
        run.count = row - run.from;
        run.last = last;
        g_array_append_val(regroup->runs, run);
    }
}

static gboolean check_times(const TdRegroup *regroup, const TdBlockColumn *times, guint32 rows,
                            GError **error)
{
    for (guint32 row = 0; row < rows; row++) {
        if (!td_block_is_null(times, row))
            continue;
        error_set(error, ERROR_FORMAT, "table %s: a row without a time came",
                  regroup->options.table->name);
        return FALSE;
    }
    return TRUE;
}

/* A table that is dropped while it is read has no name any more: its rows come without one (seen),
 * and cannot be told from those of others. */
static gboolean find_runs(TdRegroup *regroup, const TdBlock *block, GError **error)
{
    const TdBlockColumn *times = &block->columns[regroup->has_names ? 1 : 0];
    guint32 row = 0;

    if (!check_times(regroup, times, block->rows, error))
        return FALSE;
    while (row < block->rows) {
        guint32 name, count;

        if (regroup->has_names && td_block_is_null(&block->columns[0], row)) {
            regroup->nameless++;
            row++;
            continue;
        }
        count = rows_of_table(regroup, block, row, &name);
        if (!regroup->has_names || regroup->wanted->data[name])
            add_runs(regroup, times, row, count, name);
        row += count;
    }
    return TRUE;
}

guint64 td_regroup_nameless(const TdRegroup *regroup)
{
    return regroup->nameless;
}

/* --- Writing runs ----------------------------------------------------------------------------- */

static int compare_runs(gconstpointer a, gconstpointer b, gpointer data)
{
    const Run *left = a, *right = b;
    const TdRegroup *regroup = data;

    if (left->slice != right->slice)
        return left->slice < right->slice ? -1 : 1;
    if (left->name != right->name) {
        /* Names are UTF-8, and differ: the bytes decide, as for Parquet. */
        return strcmp(td_names_get(regroup->names, left->name, NULL),
                      td_names_get(regroup->names, right->name, NULL));
    }
    if (left->first != right->first)
        return left->first < right->first ? -1 : 1;
    return left->order < right->order ? -1 : left->order > right->order;
}

/* Whether two runs of one table in one slice overlap: then their rows have to be sorted singly. */
static gboolean overlaps(const Run *run, const Run *next)
{
    return run->slice == next->slice && run->name == next->name && next->first < run->last;
}

static void split_run(const TdRegroup *regroup, const Run *run, GArray *singles)
{
    const KeptBlock *block = g_ptr_array_index(regroup->blocks, run->block);

    for (guint32 i = 0; i < run->count; i++) {
        Run single = *run;

        single.from = run->from + i;
        single.count = 1;
        single.first = single.last = time_at(&block->columns[0], single.from);
        g_array_append_val(singles, single);
    }
}

/* Replaces the runs of tables that overlap by single rows, sorted. */
static void sort_overlapping(TdRegroup *regroup)
{
    g_autoptr(GArray) sorted = NULL;
    gboolean any = FALSE;
    guint i = 0;

    for (guint j = 1; j < regroup->runs->len && !any; j++)
        any = overlaps(&g_array_index(regroup->runs, Run, j - 1),
                       &g_array_index(regroup->runs, Run, j));
    if (!any)
        return;
    sorted = g_array_new(FALSE, FALSE, sizeof(Run));
    while (i < regroup->runs->len) {
        const Run *first = &g_array_index(regroup->runs, Run, i);
        guint start = sorted->len, end = i + 1;
        gboolean overlap = FALSE;

        for (; end < regroup->runs->len; end++) {
            const Run *run = &g_array_index(regroup->runs, Run, end);

            if (run->slice != first->slice || run->name != first->name)
                break;
            overlap = overlap || overlaps(run - 1, run);
        }
        for (; i < end; i++) {
            if (overlap)
                split_run(regroup, &g_array_index(regroup->runs, Run, i), sorted);
            else
                g_array_append_val(sorted, g_array_index(regroup->runs, Run, i));
        }
        if (overlap)
            g_qsort_with_data(&g_array_index(sorted, Run, start), (gint)(sorted->len - start),
                              sizeof(Run), compare_runs, regroup);
    }
    g_array_unref(regroup->runs);
    regroup->runs = g_steal_pointer(&sorted);
}

static gboolean write_run(TdRegroup *regroup, TdSliceWriter *writer, const Run *run,
                          gint *ret_binary, GError **error)
{
    const KeptBlock *block = g_ptr_array_index(regroup->blocks, run->block);
    TdRun rows = {.table = regroup->options.table->name,
                  .columns = block->columns,
                  .from = run->from,
                  .count = run->count,
                  .first = run->first,
                  .last = run->last};

    if (regroup->has_names)
        rows.table = td_names_get(regroup->names, run->name, &rows.table_length);
    else
        rows.table_length = strlen(rows.table);
    return td_slice_writer_add(writer, &rows, ret_binary, error);
}

/* The runs of one slice, which begin at `*at`. */
static gboolean write_slice(TdRegroup *regroup, guint *at, gint *ret_binary, GError **error)
{
    guint32 index = g_array_index(regroup->runs, Run, *at).slice;
    Slice *slice = &g_array_index(regroup->slices, Slice, index);

    if (slice->writer == NULL) {
        slice->writer = td_slice_writer_new(regroup->options.shape, &slice->place, error);
        if (slice->writer == NULL)
            return FALSE;
    }
    for (; *at < regroup->runs->len; (*at)++) {
        const Run *run = &g_array_index(regroup->runs, Run, *at);

        if (run->slice != index)
            break;
        if (!write_run(regroup, slice->writer, run, ret_binary, error))
            return FALSE;
        if (*ret_binary >= 0)
            return TRUE;
    }
    return td_slice_writer_end_group(slice->writer, error);
}

static gboolean flush(TdRegroup *regroup, gint *ret_binary, GError **error)
{
    guint at = 0;

    g_qsort_with_data(regroup->runs->data, (gint)regroup->runs->len, sizeof(Run), compare_runs,
                      regroup);
    sort_overlapping(regroup);
    while (at < regroup->runs->len) {
        if (!write_slice(regroup, &at, ret_binary, error))
            return FALSE;
        if (*ret_binary >= 0)
            return TRUE;
    }
    g_array_set_size(regroup->runs, 0);
    g_ptr_array_set_size(regroup->blocks, 0);
    regroup->kept = 0;
    return TRUE;
}

/* --- The whole -------------------------------------------------------------------------------- */

gboolean td_regroup_add(TdRegroup *regroup, const TdBlock *block, gint *ret_binary, GError **error)
{
    *ret_binary = -1;
    if (!check_columns(regroup, block, error) || !find_runs(regroup, block, error))
        return FALSE;
    g_ptr_array_add(regroup->blocks, keep_block(regroup, block));
    if (regroup->kept + regroup->runs->len * RUN_BYTES < regroup->options.memory)
        return TRUE;
    return flush(regroup, ret_binary, error);
}

gboolean td_regroup_finish(TdRegroup *regroup, GArray *slices, gint *ret_binary, GError **error)
{
    *ret_binary = -1;
    if (!flush(regroup, ret_binary, error))
        return FALSE;
    for (guint i = 0; *ret_binary < 0 && i < regroup->slices->len; i++) {
        Slice *slice = &g_array_index(regroup->slices, Slice, i);
        TdSlice finished;

        if (!td_slice_writer_finish(slice->writer, &finished, error))
            return FALSE;
        g_clear_pointer(&slice->writer, td_slice_writer_free);
        g_array_append_val(slices, finished);
    }
    return TRUE;
}
