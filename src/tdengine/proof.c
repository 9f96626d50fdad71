/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking into the objects of a TDengine backup.
 */
#include "tdengine/proof.h"

#include <string.h>

#include "base/error.h"
#include "base/workers.h"
#include "parquet/reader.h"
#include "tdengine/slice-hash.h"
#include "tdengine/tags.h"

#define BATCH_ROWS  65536
#define POOL_FOLDER "../../pool/"
#define QUEUE_LIMIT 64

/* --- one object ------------------------------------------------------------------------------- */

static gboolean is_slice(const ParquetMetadata *metadata)
{
    for (guint i = 0; i < metadata->key_values->len; i++) {
        const ParquetKeyValue *pair = &g_array_index(metadata->key_values, ParquetKeyValue, i);

        if (strcmp(pair->key, "holdfast.object") == 0)
            return g_strcmp0(pair->value, "slice") == 0;
    }
    return FALSE;
}

/* Decodes every value of every column. */
static gboolean read_through(const ParquetReader *reader, GCancellable *cancellable, GError **error)
{
    const ParquetMetadata *metadata = parquet_reader_metadata(reader);
    guint count = parquet_schema_count(metadata->schema);
    g_autofree guint *columns = g_new(guint, count);
    g_autoptr(ParquetScan) scan = NULL;
    guint64 rows = 0;
    ParquetBatch batch;

    for (guint i = 0; i < count; i++)
        columns[i] = i;
    scan = parquet_scan_new(reader, columns, count, NULL, error);
    if (scan == NULL)
        return FALSE;
    do {
        if (g_cancellable_is_cancelled(cancellable)) {
            error_set(error, ERROR_CANCELLED, "verify was cancelled");
            return FALSE;
        }
        if (!parquet_scan_next(scan, BATCH_ROWS, &batch, error))
            return FALSE;
        rows += batch.rows;
    } while (batch.rows > 0);
    if (rows == (guint64)metadata->rows)
        return TRUE;
    error_set(error, ERROR_DAMAGED, "%" G_GUINT64_FORMAT " rows are in a file of %" G_GINT64_FORMAT,
              rows, metadata->rows);
    return FALSE;
}

/* All that we write carry a checksum: a page without one was not written by us. */
static gboolean check_pages(const EngineProof *proof, const ParquetReader *reader,
                            GCancellable *cancellable, GError **error)
{
    guint64 pages, bare;

    if (!parquet_reader_check(reader, cancellable, &pages, &bare, error))
        return FALSE;
    proof->count("parquet_footers", 1, proof->data);
    proof->count("parquet_pages", pages, proof->data);
    if (bare == 0)
        return TRUE;
    error_set(error, ERROR_DAMAGED, "%" G_GUINT64_FORMAT " pages carry no checksum", bare);
    return FALSE;
}

static gboolean check_parquet(const EngineProof *proof, const char *path, GCancellable *cancellable,
                              GError **error)
{
    g_autoptr(StoredParquet) source = td_object_open(proof->backup, path, error);
    g_autoptr(ParquetReader) reader = NULL;

    if (source == NULL)
        return FALSE;
    reader = parquet_reader_open(stored_parquet_source(source), NULL, error);
    if (reader == NULL || !check_pages(proof, reader, cancellable, error))
        return FALSE;
    /* Those of slices are decoded where their fingerprints are made. */
    if (proof->level < PROOF_DEEP || is_slice(parquet_reader_metadata(reader)))
        return TRUE;
    return read_through(reader, cancellable, error);
}

gboolean td_check_object(const EngineProof *proof, const char *path, gboolean *ret_looked,
                         GCancellable *cancellable, GError **error)
{
    *ret_looked = g_str_has_prefix(path, POOL_FOLDER);
    return !*ret_looked || check_parquet(proof, path, cancellable, error);
}

/* --- slices ----------------------------------------------------------------------------------- */

/* What is known of one table, by all of its slices. */
typedef struct {
    guint64 expected, found;
    guint slices, read, damaged;
    TdFingerprint fingerprint;
} TableProof;

typedef struct {
    const EngineProof *proof;
    TdDetails *details;
    TableProof *tables;
    GMutex mutex; /* over tables */
} Proving;

static gboolean differs(const char *what, GError **error)
{
    error_set(error, ERROR_DAMAGED, "%s that the backup recorded", what);
    return FALSE;
}

static gboolean compare_slice(const TdSlice *slice, const TdSliceSum *sum, GError **error)
{
    if (sum->rows != slice->rows)
        return differs("it does not hold as many rows as those", error);
    if (sum->rows > 0 && (sum->first != slice->first || sum->last != slice->last))
        return differs("it does not begin and end with the times", error);
    if (!td_fingerprint_equal(sum->fingerprint, slice->fingerprint))
        return differs("its rows do not have the fingerprint", error);
    return TRUE;
}

/* The counts of the child tables stand in an object of their own. */
static gboolean compare_children(const Proving *proving, const TdSlice *slice, GHashTable *found,
                                 GError **error)
{
    g_autoptr(GHashTable) recorded = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    GHashTableIter iter;
    gpointer name, value;

    if (slice->tables.sha256[0] == '\0')
        return TRUE;
    if (!td_table_counts_read(proving->proof->backup, slice, recorded, error))
        return FALSE;
    if (g_hash_table_size(recorded) != g_hash_table_size(found))
        return differs("it counts other child tables than the slice has, or not those", error);
    g_hash_table_iter_init(&iter, recorded);
    while (g_hash_table_iter_next(&iter, &name, &value)) {
        const TdTableCount *count = value, *own = g_hash_table_lookup(found, name);

        if (own == NULL || own->rows != count->rows || own->first != count->first ||
            own->last != count->last || !td_fingerprint_equal(own->fingerprint, count->fingerprint))
            return differs("a child table has other rows than those", error);
    }
    return TRUE;
}

static gboolean is_chosen(const EngineProof *proof, const TdObjectRef *object)
{
    g_autofree char *path = object->sha256[0] != '\0' ? td_object_path(object) : NULL;

    return path != NULL && proof->chosen(path, proof->data);
}

/* Damage is a finding; other failures end the look. */
static gboolean settle(Proving *proving, const TdSlice *slice, const TdObjectRef *object,
                       GError *problem, GError **error)
{
    g_autofree char *path = td_object_path(object);

    if (!engine_is_damage(problem)) {
        g_propagate_error(error, problem);
        return FALSE;
    }
    proving->proof->damage(path, problem, proving->proof->data);
    g_error_free(problem);
    g_mutex_lock(&proving->mutex);
    proving->tables[slice->table].damaged++;
    g_mutex_unlock(&proving->mutex);
    return TRUE;
}

static gboolean prove_slice(gpointer task, gpointer data, GCancellable *cancellable, GError **error)
{
    const TdSlice *slice = task;
    Proving *proving = data;
    const EngineProof *proof = proving->proof;
    g_autoptr(GHashTable) children = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    TableProof *table = &proving->tables[slice->table];
    GError *problem = NULL;
    TdSliceSum sum;

    if (!td_slice_sum(proof->backup, proving->details, slice, children, &sum, cancellable,
                      &problem))
        return settle(proving, slice, &slice->data, problem, error);
    g_mutex_lock(&proving->mutex);
    table->read++;
    table->found += sum.rows;
    td_fingerprint_add(&table->fingerprint, sum.fingerprint);
    g_mutex_unlock(&proving->mutex);
    proof->count("rows_decoded", sum.rows, proof->data);
    if (!compare_slice(slice, &sum, &problem))
        return settle(proving, slice, &slice->data, problem, error);
    proof->count("fingerprints", 1, proof->data);
    if (!compare_children(proving, slice, children, &problem))
        return settle(proving, slice, &slice->tables, problem, error);
    return TRUE;
}

static gboolean prove_slices(Proving *proving, GError **error)
{
    const EngineProof *proof = proving->proof;
    g_autoptr(Workers) workers = workers_new(MAX(proof->jobs, 1), QUEUE_LIMIT, prove_slice, proving,
                                             NULL, proof->cancellable);

    for (guint i = 0; i < proving->details->slices->len; i++) {
        TdSlice *slice = &g_array_index(proving->details->slices, TdSlice, i);

        if (is_chosen(proof, &slice->data) && !workers_push(workers, slice))
            break;
    }
    return workers_wait(workers, error);
}

/* What SHA256SUMS does not list nobody would miss; what is not chosen is looked at by its size. */
static gboolean check_ref(const EngineProof *proof, const TdObjectRef *object, GError **error)
{
    Store *store = repository_store(backup_repository(proof->backup));
    g_autofree char *path = object->sha256[0] != '\0' ? td_object_path(object) : NULL;
    g_autoptr(GError) problem = NULL;
    StoreInfo info;

    if (path == NULL)
        return TRUE;
    if (checksums_find(backup_checksums(proof->backup), path) == NULL)
        error_set(&problem, ERROR_DAMAGED, "SHA256SUMS does not list it");
    else if (store_stat(store, path + strlen("../../"), &info, &problem) &&
             info.size != object->size)
        error_set(&problem, ERROR_DAMAGED,
                  "it has %" G_GUINT64_FORMAT " bytes instead of %" G_GUINT64_FORMAT, info.size,
                  object->size);
    if (problem == NULL || error_is(problem, ERROR_NOT_FOUND)) /* told already */
        return TRUE;
    if (!engine_is_damage(problem)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    proof->damage(path, problem, proof->data);
    return TRUE;
}

static gboolean check_refs(Proving *proving, GError **error)
{
    const TdDetails *details = proving->details;

    for (guint i = 0; i < details->slices->len; i++) {
        const TdSlice *slice = &g_array_index(details->slices, TdSlice, i);
        TableProof *table = &proving->tables[slice->table];

        table->slices++;
        table->expected += slice->rows;
        if (!check_ref(proving->proof, &slice->data, error) ||
            !check_ref(proving->proof, &slice->tables, error))
            return FALSE;
    }
    for (guint i = 0; i < details->tables->len; i++) {
        const TdTable *table = g_ptr_array_index(details->tables, i);

        for (guint k = 0; k < table->tag_objects->len; k++) {
            if (!check_ref(proving->proof, g_ptr_array_index(table->tag_objects, k), error))
                return FALSE;
        }
    }
    return TRUE;
}

/* --- tables ----------------------------------------------------------------------------------- */

static const char different[] = "different";

static const char *judge_table(const Proving *proving, const TdTable *table,
                               const TableProof *found)
{
    if (found->damaged > 0)
        return "damaged";
    if (proving->proof->level < PROOF_DEEP || found->read < found->slices)
        return "not read";
    if (found->found != table->rows ||
        !td_fingerprint_equal(found->fingerprint, table->fingerprint))
        return different;
    return "good";
}

/* Columns that were altered between slices change the key of the hash: sums over them are no
 * table's. */
static void tell_tables(const Proving *proving)
{
    const EngineProof *proof = proving->proof;

    for (guint i = 0; i < proving->details->tables->len; i++) {
        const TdTable *table = g_ptr_array_index(proving->details->tables, i);
        const TableProof *found = &proving->tables[i];
        const char *result = judge_table(proving, table, found);
        g_autofree char *name = g_strdup_printf("%s.%s", table->database, table->name);
        json_t *finding = json_pack("{s:o, s:I, s:s}", "table", json_text(name), "rows",
                                    (json_int_t)table->rows, "result", result);

        if (proof->level == PROOF_DEEP)
            json_object_set_new(finding, "found", json_integer((json_int_t)found->found));
        if (result == different) {
            g_autoptr(GError) problem = NULL;

            error_set(&problem, ERROR_DAMAGED,
                      "the slices of table %s together are not what the backup recorded of it",
                      name);
            proof->damage(backup_find_object(proof->backup, "details.json"), problem, proof->data);
        }
        proof->table(finding, proof->data);
    }
}

gboolean td_check_backup(const EngineProof *proof, GError **error)
{
    g_autoptr(TdDetails) details = NULL;
    g_autoptr(GError) problem = NULL;
    Proving proving = {.proof = proof};
    const char *path = backup_find_object(proof->backup, "details.json");
    gboolean done;

    if (!td_details_read(proof->backup, &details, &problem)) {
        if (engine_is_damage(problem)) {
            proof->damage(path != NULL ? path : "details.json", problem, proof->data);
            return TRUE;
        }
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    proof->count("slices", details->slices->len, proof->data);
    proving.details = details;
    proving.tables = g_new0(TableProof, MAX(details->tables->len, 1));
    g_mutex_init(&proving.mutex);
    done =
        check_refs(&proving, error) && (proof->level < PROOF_DEEP || prove_slices(&proving, error));
    if (done)
        tell_tables(&proving);
    g_mutex_clear(&proving.mutex);
    g_free(proving.tables);
    return done;
}

/* --- what belongs to what --------------------------------------------------------------------- */

static void own(GHashTable *objects, const TdObjectRef *object, const TdTable *table,
                const char *what)
{
    g_autofree char *path = object->sha256[0] != '\0' ? td_object_path(object) : NULL;
    gpointer key;

    if (path != NULL && g_hash_table_lookup_extended(objects, path, &key, NULL))
        g_hash_table_insert(objects, g_strdup(path),
                            g_strdup_printf("%s of %s.%s", what, table->database, table->name));
}

/* Statements for people: a restore makes them from the details. */
static void own_schema(GHashTable *objects, Backup *backup, const char *stem, const char *whose)
{
    const char *path = backup_find_object(backup, stem);

    if (path != NULL && g_hash_table_contains(objects, path))
        g_hash_table_insert(objects, g_strdup(path),
                            g_strdup_printf("the schema of %s for reading, which no restore needs",
                                            whose));
}

gboolean td_owners(Backup *backup, GHashTable *objects, GError **error)
{
    g_autoptr(TdDetails) details = NULL;

    if (!td_details_read(backup, &details, error))
        return FALSE;
    for (guint i = 0; i < details->slices->len; i++) {
        const TdSlice *slice = &g_array_index(details->slices, TdSlice, i);
        const TdTable *table = g_ptr_array_index(details->tables, slice->table);
        g_autofree char *rows = g_strdup_printf("%" G_GUINT64_FORMAT " rows", slice->rows);

        own(objects, &slice->data, table, rows);
        own(objects, &slice->tables, table, "counts of child tables");
    }
    for (guint i = 0; i < details->tables->len; i++) {
        const TdTable *table = g_ptr_array_index(details->tables, i);

        for (guint k = 0; k < table->tag_objects->len; k++)
            own(objects, g_ptr_array_index(table->tag_objects, k), table, "tags");
    }
    for (guint i = 0; i < details->databases->len; i++) {
        const TdDatabase *database = g_ptr_array_index(details->databases, i);
        g_autofree char *stem = g_strdup_printf("schema/database-%u.sql", i);
        g_autofree char *whose = g_strdup_printf("database %s", database->name);

        own_schema(objects, backup, stem, whose);
    }
    own_schema(objects, backup, "schema/server.sql", "the server");
    return TRUE;
}
