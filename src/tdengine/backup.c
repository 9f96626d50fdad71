/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of a full backup.
 */
#include "tdengine/backup.h"

#include <string.h>

#include "base/error.h"
#include "base/random.h"
#include "base/workers.h"
#include "tdengine/capture.h"
#include "tdengine/choice.h"
#include "tdengine/connect.h"
#include "tdengine/increment.h"
#include "tdengine/meanwhile.h"
#include "tdengine/own-topics.h"
#include "tdengine/pattern.h"
#include "tdengine/scan.h"
#include "tdengine/schema-sql.h"
#include "tdengine/tags.h"

/* Tables that are altered again and again while they are read are given up after so many tries. */
#define TRIES 8

typedef struct {
    const EngineBackup *request;
    TdClient *client;
    TdDetails *details;
    TdIncrement *increment; /* NULL: a full */
    GPtrArray *looked;      /* TdDatabase: what the server said first, until details take it */
    TdCapture capture;
    TdPatterns *patterns;
    TdScanner *scanner;
    TdSliceOptions options;
    TdMeanwhile *meanwhile;
    GPtrArray *listed; /* TdListed */
    GPtrArray *scans;  /* TdScanTable: every table that has rows of its own */
    GPtrArray *names;  /* TdNames: child tables that were chosen singly */
    guint64 written;   /* stored bytes of pool objects */
    guint64 plain;
} Run;

static void run_clear(Run *run)
{
    g_clear_pointer(&run->meanwhile, td_meanwhile_free);
    g_clear_pointer(&run->scanner, td_scanner_free);
    g_clear_pointer(&run->scans, g_ptr_array_unref);
    g_clear_pointer(&run->names, g_ptr_array_unref);
    g_clear_pointer(&run->listed, g_ptr_array_unref);
    g_clear_pointer(&run->patterns, td_patterns_free);
    g_clear_pointer(&run->client, td_client_free);
    g_clear_pointer(&run->details, td_details_free);
    g_clear_pointer(&run->increment, td_increment_free);
    g_clear_pointer(&run->looked, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

static void run_init(Run *run, const EngineBackup *request)
{
    run->request = request;
    run->details = td_details_new();
    run->details->start = request->time_from;
    run->details->end = request->time_to;
    random_fill(&run->details->fingerprint_key, sizeof run->details->fingerprint_key);
    run->looked = g_ptr_array_new_with_free_func((GDestroyNotify)td_database_free);
    run->listed = g_ptr_array_new_with_free_func((GDestroyNotify)td_listed_free);
    run->scans = g_ptr_array_new_with_free_func((GDestroyNotify)td_scan_table_free);
    run->names = g_ptr_array_new_with_free_func((GDestroyNotify)td_names_free);
    run->options = (TdSliceOptions){.repository = backup_writer_repository(request->writer),
                                    .backup_id = manifest_id(request->manifest),
                                    .compression = request->compression,
                                    .fingerprint_key = run->details->fingerprint_key,
                                    .cancellable = request->cancellable};
}

/* --- Server and databases --------------------------------------------------------------------- */

static gboolean open_server(Run *run, GError **error)
{
    const EngineBackup *request = run->request;
    g_autoptr(GPtrArray) rows = NULL;

    run->client = td_connect(request->source, request->cancellable, error);
    if (run->client == NULL)
        return FALSE;
    run->capture = (TdCapture){run->client, request->cancellable, request->manifest, run->details};
    run->details->server_version = g_strdup(td_client_server_version(run->client));
    run->details->transport = g_strdup(td_client_transport(run->client));
    manifest_set_server_version(request->manifest, run->details->server_version);
    if (td_client_transport_note(run->client) != NULL)
        manifest_add_warning(request->manifest, td_client_transport_note(run->client));
    /* Only for the next increment's eyes. */
    rows = td_ask(run->client, "SELECT * FROM information_schema.ins_cluster", 10,
                  request->cancellable, NULL);
    if (rows != NULL && rows->len > 0)
        run->details->cluster_id = g_strdup(td_row_text(g_ptr_array_index(rows, 0), "name"));
    return TRUE;
}

/* --- Tables ----------------------------------------------------------------------------------- */

/* The child tables of a super table that --tables names; NULL: none. */
static TdNames *chosen_children(Run *run, const TdTable *table, const TdChildren *children)
{
    g_autoptr(TdNames) names = td_names_new();

    for (guint32 id = 0; id < td_children_count(children); id++) {
        const char *name = td_children_name(children, id);

        if (g_strcmp0(td_children_super(children, id), table->name) == 0 &&
            td_patterns_match(run->patterns, table->database, name))
            td_names_add(names, name, strlen(name));
    }
    return td_names_count(names) > 0 ? g_steal_pointer(&names) : NULL;
}

static void add_scan(Run *run, TdTable *table, const TdListed *listed, const TdNames *only)
{
    TdScanTable *scan =
        td_scan_table_new(table, listed->database,
                          table->kind != TD_TABLE_NORMAL ? listed->before : NULL, only);

    if (run->increment != NULL)
        scan->base = td_base_table_new(td_increment_base(run->increment), table);
    g_ptr_array_add(run->scans, scan);
}

static void take_super(Run *run, TdTable *table, const TdListed *listed)
{
    TdNames *only = NULL;

    if (!td_patterns_match(run->patterns, table->database, table->name)) {
        only = chosen_children(run, table, listed->before);
        if (only == NULL) {
            td_table_free(table);
            return;
        }
        g_ptr_array_add(run->names, only);
    }
    g_ptr_array_add(run->details->tables, table);
    add_scan(run, table, listed, only);
}

static gboolean take_supers(Run *run, const TdListed *listed, GError **error)
{
    g_autoptr(GPtrArray) tables = NULL;

    if (!td_capture_supers(&run->capture, listed->database, &tables, error))
        return FALSE;
    for (guint i = 0; i < tables->len; i++)
        take_super(run, g_ptr_array_index(tables, i), listed);
    return TRUE;
}

static gboolean take_normals(Run *run, const TdListed *listed, GError **error)
{
    for (guint32 id = 0; id < td_children_count(listed->before); id++) {
        const char *name = td_children_name(listed->before, id);
        TdTable *table;

        if (td_children_get(listed->before, id)->kind != TD_NORMAL ||
            !td_patterns_match(run->patterns, listed->database->name, name))
            continue;
        if (!td_capture_normal(&run->capture, listed->database, listed->before, id, &table, error))
            return FALSE;
        if (table == NULL)
            continue; /* the comparison at the end will name it */
        g_ptr_array_add(run->details->tables, table);
        add_scan(run, table, listed, NULL);
    }
    return TRUE;
}

/* The positions come first: what is written from here on, the next increment sees. */
static gboolean look_at_databases(Run *run, const GPtrArray *names, GError **error)
{
    for (guint i = 0; i < names->len; i++) {
        TdDatabase *database;

        if (!td_capture_database(&run->capture, g_ptr_array_index(names, i), &database, error))
            return FALSE;
        g_ptr_array_add(run->looked, database);
    }
    return !run->request->source->topic || manifest_partial(run->request->manifest) ||
           td_own_topics_keep(&run->capture, run->request->source->name, run->looked, error);
}

static gboolean take_database(Run *run, GError **error)
{
    TdDatabase *database = g_ptr_array_steal_index(run->looked, 0);
    const char *name = database->name;
    TdListed *listed;

    g_ptr_array_add(run->details->databases, database);
    listed = g_new0(TdListed, 1);
    listed->database = database;
    g_ptr_array_add(run->listed, listed);
    listed->before = td_children_read(run->client, name, run->request->cancellable, error);
    return listed->before != NULL && take_supers(run, listed, error) &&
           take_normals(run, listed, error) &&
           (!td_patterns_all(run->patterns) ||
            td_capture_virtual(&run->capture, database, listed->before, error));
}

/* Such columns can be declared, and the server itself gives their values as NULL (3.3). */
static void warn_of_types(const Run *run)
{
    for (guint i = 0; i < run->details->tables->len; i++) {
        const TdTable *table = g_ptr_array_index(run->details->tables, i);

        for (guint j = 0; j < table->columns->len; j++)
            if (((TdField *)g_ptr_array_index(table->columns, j))->type == TD_MEDIUMBLOB) {
                manifest_add_warning(run->request->manifest,
                                     "there are columns of type MEDIUMBLOB: their values are in "
                                     "the backup as the server gives them, which may be NULL");
                return;
            }
    }
}

static gboolean check_patterns(const Run *run, GError **error)
{
    const char *unused = td_patterns_unused(run->patterns);

    if (unused == NULL)
        return TRUE;
    error_set(error, ERROR_USAGE, "--tables: \"%s\" matches no table", unused);
    return FALSE;
}

static gboolean take_schema(Run *run, GError **error)
{
    while (run->looked->len > 0)
        if (!take_database(run, error))
            return FALSE;
    warn_of_types(run);
    return check_patterns(run, error);
}

/* --- Tags ------------------------------------------------------------------------------------- */

/* A pool object of this backup, written by it or by its base. */
static gboolean enter_object(Run *run, const TdObjectRef *object, gboolean reused, GError **error)
{
    g_autofree char *path = td_object_path(object);
    guint8 digest[SHA256_SIZE];

    if (!sha256_from_hex(object->sha256, digest)) {
        error_set(error, ERROR_INTERNAL, "a pool object has no name");
        return FALSE;
    }
    run->written += reused ? 0 : object->size;
    run->plain += object->plain_bytes;
    return backup_writer_add_external(run->request->writer, path, digest, object->size, error);
}

/* Tags that could not be read. */
static gboolean end_tags(TdScanTable *scan, GError *problem, GError **error)
{
    if (td_error_is_gone(problem)) {
        td_scan_table_is_gone(scan);
        g_error_free(problem);
        return TRUE;
    }
    g_propagate_prefixed_error(error, problem, "tags of %s.%s: ", scan->table->database,
                               scan->table->name);
    return FALSE;
}

/* Whether the tags are those of the base, whose objects the table has then. */
static gboolean same_tags(Run *run, TdScanTable *scan, const TdChildren *children,
                          const TdSliceOptions *options, gboolean *ret_same, GError **error)
{
    TdTable *table = scan->table;
    const TdTable *before = run->increment != NULL
                                ? td_details_find_table(td_increment_base(run->increment),
                                                        table->database, table->name, NULL)
                                : NULL;
    TdFingerprint sum;

    *ret_same = FALSE;
    if (before == NULL || !before->has_tags_sum)
        return TRUE;
    if (!td_tags_sum(run->client, table, children, options, &sum, error))
        return FALSE;
    *ret_same = td_base_tags(before, sum, table);
    return TRUE;
}

/* Enters the objects of tags that are the base's. */
static gboolean enter_tags(Run *run, const TdTable *table, GError **error)
{
    for (guint i = 0; i < table->tag_objects->len; i++)
        if (!enter_object(run, g_ptr_array_index(table->tag_objects, i), TRUE, error))
            return FALSE;
    return TRUE;
}

static gboolean write_tags(Run *run, TdScanTable *scan, const TdChildren *children,
                           const TdNames *only, GError **error)
{
    TdSliceOptions options = run->options;
    g_autoptr(GError) problem = NULL;
    TdObjectRef object = {0};
    gboolean same = FALSE;

    options.precision = scan->database->precision;
    if (only == NULL && !same_tags(run, scan, children, &options, &same, &problem))
        return end_tags(scan, g_steal_pointer(&problem), error);
    if (same)
        return enter_tags(run, scan->table, error);
    if (!td_tags_write(run->client, scan->table, children, only, &options, &object, &problem))
        return end_tags(scan, g_steal_pointer(&problem), error);
    if (object.rows == 0)
        return TRUE;
    scan->table->child_tables += object.rows;
    g_ptr_array_add(scan->table->tag_objects, g_memdup2(&object, sizeof object));
    return enter_object(run, &object, FALSE, error);
}

static gboolean write_all_tags(Run *run, GError **error)
{
    for (guint i = 0; i < run->scans->len; i++) {
        TdScanTable *scan = g_ptr_array_index(run->scans, i);

        if (scan->children != NULL && !write_tags(run, scan, scan->children, scan->only, error))
            return FALSE;
    }
    return TRUE;
}

/* --- Rows ------------------------------------------------------------------------------------- */

static gboolean take_hints(Run *run, GError **error)
{
    g_autoptr(GHashTable) children = g_hash_table_new(g_str_hash, g_str_equal);

    if (run->increment == NULL || manifest_partial(run->request->manifest))
        return TRUE;
    for (guint i = 0; i < run->listed->len; i++) {
        const TdListed *listed = g_ptr_array_index(run->listed, i);

        g_hash_table_insert(children, listed->database->name, listed->before);
    }
    return td_increment_hint(run->increment, run->client, run->details, children, error);
}

/* Rows and sums of all tables, while the rest is asked on the other connection: the server has cores for
 * both. Parts of tables have no sums, and are nobody's base. */
static gboolean take_census(gpointer task, gpointer data, GCancellable *cancellable, GError **error)
{
    Run *run = data;
    const EngineBackup *request = run->request;
    const TdCensusOptions options = {.from = request->time_from,
                                     .to = request->time_to,
                                     .sums = !manifest_partial(request->manifest),
                                     .key = run->details->fingerprint_key};

    return td_census_take(run->scanner, task, &options, cancellable, error);
}

static gboolean take_the_rest(Run *run, GError **error)
{
    return td_capture_objects(&run->capture, error) && take_hints(run, error) &&
           write_all_tags(run, error);
}

/* The tables that have rows of their own. */
static GPtrArray *tables_with_rows(const Run *run)
{
    GPtrArray *scans = g_ptr_array_new();

    for (guint i = 0; i < run->scans->len; i++) {
        TdScanTable *scan = g_ptr_array_index(run->scans, i);

        if (scan->table->kind != TD_TABLE_VIRTUAL_SUPER)
            g_ptr_array_add(scans, scan);
    }
    return scans;
}

static gboolean take_census_and_rest(Run *run, GPtrArray *scans, GError **error)
{
    g_autoptr(Workers) workers =
        workers_new(1, 0, take_census, run, NULL, run->request->cancellable);

    (void)workers_push(workers, scans);
    return take_the_rest(run, error) && workers_wait(workers, error);
}

/* What is read: everything, or in an increment what the server's sums and the base leave open. */
static gboolean choose_places(Run *run, GPtrArray *scans, guint64 *ret_rows, GError **error)
{
    const gboolean choose = run->increment != NULL && !manifest_partial(run->request->manifest);

    *ret_rows = 0;
    for (guint i = 0; i < scans->len; i++) {
        TdScanTable *scan = g_ptr_array_index(scans, i);

        if (scan->outcome != TD_SCAN_DONE)
            continue;
        if (choose && !td_increment_choose(run->increment, run->client, scan, error))
            return FALSE;
        *ret_rows += td_survey_rows(scan);
    }
    return TRUE;
}

static gboolean plan_tables(Run *run, guint64 *ret_rows, GError **error)
{
    g_autoptr(GPtrArray) scans = tables_with_rows(run);

    return take_census_and_rest(run, scans, error) && choose_places(run, scans, ret_rows, error);
}

/* A table whose columns changed is described anew, its tags too. One that was gone and is there
 * again was made anew meanwhile. */
static gboolean describe_again(Run *run, TdScanTable *scan, gboolean *ret_gone, GError **error)
{
    TdTable *table = scan->table;

    if (!td_capture_fields(&run->capture, table, ret_gone, error))
        return FALSE;
    if (*ret_gone)
        return TRUE;
    if (!g_ptr_array_find_with_equal_func(scan->database->altered, table->name, g_str_equal, NULL))
        g_ptr_array_add(scan->database->altered, g_strdup(table->name));
    if (table->kind != TD_TABLE_SUPER)
        return TRUE;
    g_ptr_array_set_size(table->tag_objects, 0);
    table->child_tables = 0;
    table->tags_sum = (TdFingerprint){0};
    td_survey_choose(scan, TD_READ_ALL, NULL);
    return write_tags(run, scan, scan->children, scan->only, error);
}

/* Whether a table is to be read again, and makes it ready for that. */
static gboolean prepare_again(Run *run, TdScanTable *scan, guint tries, gboolean *ret_again,
                              GError **error)
{
    const TdScanOutcome outcome = scan->outcome;
    gboolean gone = FALSE;

    *ret_again = FALSE;
    if (outcome == TD_SCAN_DONE || scan->table->plan == NULL)
        return TRUE;
    td_scan_table_reset(scan);
    if (outcome != TD_SCAN_BINARY && !describe_again(run, scan, &gone, error))
        return FALSE;
    if (gone) {
        scan->outcome = TD_SCAN_GONE;
        return TRUE;
    }
    if (outcome != TD_SCAN_BINARY && tries >= TRIES) {
        error_set(error, ERROR_VANISHED, "table %s.%s changes again and again while it is read",
                  scan->table->database, scan->table->name);
        error_add_hint(error, "run the backup again when its columns rest");
        return FALSE;
    }
    *ret_again = scan->outcome == TD_SCAN_DONE;
    return TRUE;
}

/* What has to be read again; the others stay as they are. */
static gboolean collect_again(Run *run, GPtrArray *again, guint tries, GError **error)
{
    for (guint i = 0; i < run->scans->len; i++) {
        TdScanTable *scan = g_ptr_array_index(run->scans, i);
        gboolean wanted;

        if (!prepare_again(run, scan, tries, &wanted, error))
            return FALSE;
        if (wanted)
            g_ptr_array_add(again, scan);
    }
    return TRUE;
}

/* Reads until nothing is left that has to be read again, and what became of the tables meanwhile: each
 * round marks at least one more column as bytes, or describes a table anew. */
static gboolean read_rows(Run *run, GError **error)
{
    g_autoptr(GPtrArray) scans = tables_with_rows(run);

    for (guint tries = 0;; tries++) {
        g_autoptr(GPtrArray) again = g_ptr_array_new();

        if (!td_scan_run(run->scanner, scans, td_meanwhile_ask, run->meanwhile, error) ||
            !td_meanwhile_wait(run->meanwhile, error) || !collect_again(run, again, tries, error))
            return FALSE;
        if (again->len == 0)
            return TRUE;
        g_ptr_array_unref(scans);
        scans = g_steal_pointer(&again);
    }
}

/* --- What changed meanwhile ------------------------------------------------------------------- */

static gboolean is_wanted(const char *name, const char *super, gpointer data)
{
    const struct {
        Run *run;
        const char *database;
    } *context = data;

    return td_patterns_match(context->run->patterns, context->database, name) ||
           (super != NULL && td_patterns_match(context->run->patterns, context->database, super));
}

/* Tables that were made since the tags were read, and whose rows came all the same. */
static gboolean write_late_tags(Run *run, const TdListed *listed, GError **error)
{
    for (guint i = 0; i < run->scans->len; i++) {
        TdScanTable *scan = g_ptr_array_index(run->scans, i);

        if (scan->database == listed->database && scan->outcome == TD_SCAN_DONE &&
            td_names_count(scan->unknown) > 0 &&
            !write_tags(run, scan, listed->after, scan->unknown, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean compare_lists(Run *run, GError **error)
{
    for (guint i = 0; i < run->listed->len; i++) {
        const TdListed *listed = g_ptr_array_index(run->listed, i);
        struct {
            Run *run;
            const char *database;
        } context = {run, listed->database->name};

        if (!write_late_tags(run, listed, error))
            return FALSE;
        td_children_compare(listed->before, listed->after, is_wanted, &context, listed->database);
    }
    return TRUE;
}

static void warn_of_changes(const Run *run)
{
    guint created = 0, dropped = 0, altered = 0, recounted = 0;
    g_autofree char *text = NULL;

    for (guint i = 0; i < run->details->databases->len; i++) {
        const TdDatabase *database = g_ptr_array_index(run->details->databases, i);

        created += database->created->len;
        dropped += database->dropped->len + database->recreated->len;
        altered += database->altered->len;
        recounted += database->recounted->len;
    }
    if (created + dropped + altered + recounted == 0)
        return;
    text = g_strdup_printf("the server was changed during the backup: %u tables were created, %u "
                           "dropped, %u altered, and %u had another count of rows at the end; the "
                           "details name them",
                           created, dropped, altered, recounted);
    manifest_add_warning(run->request->manifest, text);
}

/* The count at the end tells where such rows were of tables that are still there. */
static void warn_of_nameless(const Run *run)
{
    g_autofree char *text = NULL;
    guint64 rows = 0;

    for (guint i = 0; i < run->scans->len; i++)
        rows += ((TdScanTable *)g_ptr_array_index(run->scans, i))->nameless;
    if (rows == 0)
        return;
    text = g_strdup_printf("%" G_GUINT64_FORMAT " rows came without the name of their table, as "
                           "those of tables that are dropped meanwhile do: they are not in the "
                           "backup",
                           rows);
    manifest_add_warning(run->request->manifest, text);
}

/* --- Totals ----------------------------------------------------------------------------------- */

static void add_window(guint64 *rows, gint64 *first, gint64 *last, guint64 more_rows,
                       gint64 more_first, gint64 more_last)
{
    if (more_rows == 0)
        return;
    *first = *rows == 0 ? more_first : MIN(*first, more_first);
    *last = *rows == 0 ? more_last : MAX(*last, more_last);
    *rows += more_rows;
}

static gboolean enter_slices(Run *run, TdScanTable *scan, guint32 index, GError **error)
{
    TdTable *table = scan->table;
    TdDatabase *database = td_details_find_database(run->details, table->database);

    td_survey_finish(scan);
    for (guint i = 0; i < scan->slices->len; i++) {
        TdSlice *slice = &g_array_index(scan->slices, TdSlice, i);

        slice->table = index;
        add_window(&table->rows, &table->first, &table->last, slice->rows, slice->first,
                   slice->last);
        td_fingerprint_add(&table->fingerprint, slice->fingerprint);
        if (!enter_object(run, &slice->data, slice->reused, error) ||
            (slice->tables.sha256[0] != '\0' &&
             !enter_object(run, &slice->tables, slice->reused, error)))
            return FALSE;
        g_array_append_val(run->details->slices, *slice);
    }
    add_window(&database->rows, &database->first, &database->last, table->rows, table->first,
               table->last);
    return TRUE;
}

/* Tables that were dropped while they were read are not part of the backup. */
static void remove_gone(Run *run)
{
    for (guint i = run->scans->len; i-- > 0;) {
        TdScanTable *scan = g_ptr_array_index(run->scans, i);

        if (scan->outcome != TD_SCAN_GONE)
            continue;
        if (!g_ptr_array_find_with_equal_func(scan->database->dropped, scan->table->name,
                                              g_str_equal, NULL))
            g_ptr_array_add(scan->database->dropped, g_strdup(scan->table->name));
        g_ptr_array_remove(run->details->tables, scan->table);
        g_ptr_array_remove_index(run->scans, i);
    }
}

static gboolean sum_up(Run *run, GError **error)
{
    guint64 rows = 0, tables = 0;

    remove_gone(run);
    for (guint i = 0; i < run->scans->len; i++) {
        TdScanTable *scan = g_ptr_array_index(run->scans, i);

        /* Scans and tables stand in the same order. */
        if (!enter_slices(run, scan, i, error))
            return FALSE;
        rows += scan->table->rows;
        tables += scan->table->kind == TD_TABLE_NORMAL ? 1 : scan->table->child_tables;
    }
    manifest_set_counts(run->request->manifest, tables, rows);
    return TRUE;
}

/* All that the details hold is the base's. */
static gboolean enter_reused(Run *run, GError **error)
{
    const TdDetails *details = run->details;
    guint64 rows = 0, tables = 0;

    for (guint i = 0; i < details->tables->len; i++) {
        const TdTable *table = g_ptr_array_index(details->tables, i);

        rows += table->rows;
        tables += table->kind == TD_TABLE_NORMAL ? 1 : table->child_tables;
        if (!enter_tags(run, table, error))
            return FALSE;
    }
    for (guint i = 0; i < details->slices->len; i++) {
        const TdSlice *slice = &g_array_index(details->slices, TdSlice, i);

        if (!enter_object(run, &slice->data, TRUE, error) ||
            (slice->tables.sha256[0] != '\0' && !enter_object(run, &slice->tables, TRUE, error)))
            return FALSE;
    }
    manifest_set_counts(run->request->manifest, tables, rows);
    return TRUE;
}

/* --- The whole -------------------------------------------------------------------------------- */

static gboolean read_base(Run *run, GError **error)
{
    if (!td_increment_open(run->request, &run->increment, error))
        return FALSE;
    if (run->increment != NULL) {
        run->details->fingerprint_key = td_increment_base(run->increment)->fingerprint_key;
        run->options.fingerprint_key = run->details->fingerprint_key;
    }
    return TRUE;
}

/* Positions before anything else; with a base they may say that there is nothing to do. */
static gboolean look(Run *run, GError **error)
{
    g_autoptr(GPtrArray) names = NULL;

    return td_capture_refresh(&run->capture, error) &&
           td_patterns_parse(run->request->tables, &run->patterns, error) &&
           td_choose_databases(run->client, run->request, &names, error) &&
           look_at_databases(run, names, error);
}

static gboolean write_details(Run *run, GError **error)
{
    const EngineBackup *request = run->request;
    const ManifestPool pool = {.plain_bytes = run->plain, .written_bytes = run->written};

    manifest_set_pool(request->manifest, &pool);
    manifest_set_field(request->manifest, "databases", json_integer(run->details->databases->len));
    manifest_set_field(request->manifest, "slices", json_integer(run->details->slices->len));
    if (run->increment != NULL)
        td_increment_describe(run->increment, run->details);
    warn_of_changes(run);
    warn_of_nameless(run);
    return td_schema_sql_write(run->details, request->writer, error) &&
           td_details_write(run->details, request->writer, request->compression, error);
}

/* What reads, and what looks afterwards. */
static void make_readers(Run *run)
{
    const EngineBackup *request = run->request;
    const TdRecount limits = {request->time_from, request->time_to};

    run->scanner = td_scanner_new(&(TdScanOptions){.connections = request->jobs,
                                                   .from = request->time_from,
                                                   .to = request->time_to,
                                                   .rate = request->rate,
                                                   .options = run->options,
                                                   .progress = request->progress,
                                                   .cancellable = request->cancellable},
                                  run->client);
    run->meanwhile = td_meanwhile_new(&(TdMeanwhileOptions){.client = run->client,
                                                            .scanner = run->scanner,
                                                            .listed = run->listed,
                                                            .scans = run->scans,
                                                            .limits = limits,
                                                            .cancellable = request->cancellable});
}

static gboolean read_server(Run *run, GError **error)
{
    const EngineBackup *request = run->request;
    guint64 rows;

    make_readers(run);
    if (!take_schema(run, error) || !plan_tables(run, &rows, error))
        return FALSE;
    progress_begin(request->progress, "reading", 0, rows);
    if (!read_rows(run, error))
        return FALSE;
    progress_begin(request->progress, "writing details", 0, 0);
    if (!compare_lists(run, error) || !sum_up(run, error))
        return FALSE;
    td_meanwhile_compare_counts(run->meanwhile);
    return write_details(run, error);
}

gboolean td_backup(const EngineBackup *request, GError **error)
{
    g_auto(Run) run = {0};

    run_init(&run, request);
    progress_begin(request->progress, "preparing", 0, 0);
    if (!open_server(&run, error) || !read_base(&run, error) || !look(&run, error))
        return FALSE;
    if (run.increment == NULL)
        return read_server(&run, error);
    if (td_increment_decide(run.increment, run.looked))
        return td_increment_look_at_files(run.increment, run.client, run.looked, error) &&
               read_server(&run, error);
    td_increment_take(run.increment, run.looked, run.details);
    return td_capture_objects(&run.capture, error) && enter_reused(&run, error) &&
           write_details(&run, error);
}
