/* SPDX-License-Identifier: Apache-2.0
 *
 * pg_dump into the repository: which tables get an archive of their own, and how the archives flow.
 */
#include "postgres/dump.h"

#include "base/error.h"
#include "base/process.h"
#include "base/workers.h"
#include "postgres/client.h"
#include "postgres/count.h"

#include <string.h>

#define STREAM_BUFFER (256 * 1024)
/* A table gets an archive of its own from this size on, or when it is a good part of its database:
 * what one pg_dump costs (reading the catalogs anew) must not matter beside its rows. */
#define BIG_TABLE       (64 * 1024 * 1024)
#define BIG_TABLE_LEAST (4 * 1024 * 1024)
#define BIG_SHARE       8
/* Every one of them is an argument of the dump of the rest; likewise those whose rows are left
 * out. */
#define BIG_TABLES_MOST 400
#define LEFT_OUT_MOST   400
/* Archives of big tables whose pg_dump is started ahead: each is a connection. */
#define AHEAD_MOST 8
/* Microseconds between a failure and the look at what caused it. */
#define BREAK_WAIT 300000

/* --- one stream ------------------------------------------------------------------------------- */

static gboolean copy_stream(const EngineBackup *backup, Process *process, ObjectWriter *object,
                            GCancellable *cancellable, GError **error)
{
    g_autofree char *buffer = g_malloc(STREAM_BUFFER);

    for (;;) {
        gsize length;

        if (!process_read(process, buffer, STREAM_BUFFER, &length, cancellable, error))
            return FALSE;
        if (length == 0)
            return TRUE;
        if (!object_writer_write(object, buffer, length, error))
            return FALSE;
        progress_add(backup->progress, length, 0);
    }
}

/* Takes in what a running program prints. Its own verdict comes before the object counts: a dump
 * that broke off must not look whole. */
static gboolean drain_process(const EngineBackup *backup, Process *process, const char *stem,
                              char **ret_path, GCancellable *cancellable, GError **error)
{
    g_autoptr(ObjectWriter) object =
        backup_writer_begin(backup->writer, stem, backup->compression, error);
    const ManifestObject *committed;

    if (object == NULL || !copy_stream(backup, process, object, cancellable, error) ||
        !process_wait(process, cancellable, error) ||
        !object_writer_commit(object, &committed, error))
        return FALSE;
    *ret_path = g_strdup(committed->path);
    return TRUE;
}

static Process *start_process(const char *const *argv, char **environment, GError **error)
{
    ProcessSpec spec = {.argv = argv,
                        .environment = (const char *const *)environment,
                        .flags = PROCESS_STDOUT_PIPE,
                        .keep_fd = -1};

    return process_start(&spec, error);
}

gboolean pg_dump_stream(const EngineBackup *backup, const char *const *argv, char **environment,
                        const char *stem, char **ret_path, GCancellable *cancellable,
                        GError **error)
{
    g_autoptr(Process) process = start_process(argv, environment, error);

    return process != NULL && drain_process(backup, process, stem, ret_path, cancellable, error);
}

/* --- the archives of a database --------------------------------------------------------------- */

typedef enum { ARCHIVE_SCHEMA, ARCHIVE_TABLE, ARCHIVE_REST, ARCHIVE_OBJECTS } ArchiveKind;

typedef struct {
    ArchiveKind kind;
    PgTable *table;   /* of ARCHIVE_TABLE */
    Process *process; /* pg_dump, where it was started ahead of its turn */
} ArchiveTask;

static void archive_task_free(gpointer data)
{
    ArchiveTask *task = data;

    process_free(task->process);
    g_free(task);
}

typedef struct {
    const PgDump *dump;
    GPtrArray *big;      /* PgTable, borrowed, biggest first */
    GPtrArray *left_out; /* likewise: those whose rows are not wanted */
    char *folder;        /* "data/16384": oids, since the clear manifest must not tell names */
    char *conninfo;
    char **environment;
} DumpRun;

static void dump_run_clear(DumpRun *run)
{
    g_clear_pointer(&run->big, g_ptr_array_unref);
    g_clear_pointer(&run->left_out, g_ptr_array_unref);
    g_clear_pointer(&run->folder, g_free);
    g_clear_pointer(&run->conninfo, g_free);
    g_clear_pointer(&run->environment, g_strfreev);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DumpRun, dump_run_clear)

static void add_names(GPtrArray *argv, const char *option, const GPtrArray *tables)
{
    for (guint i = 0; i < tables->len; i++) {
        const PgTable *table = g_ptr_array_index(tables, i);
        g_autofree char *name = pg_quote_qualified(table->schema, table->name);

        g_ptr_array_add(argv, g_strconcat(option, name, NULL));
    }
}

/* Rows of big tables have archives of their own; some are not wanted at all. */
static void add_exclusions(const DumpRun *run, GPtrArray *argv)
{
    const GHashTable *chosen = run->dump->chosen;

    add_names(argv, "--exclude-table=", run->big);
    if (chosen == NULL)
        return;
    g_ptr_array_add(argv, g_strdup("--no-blobs"));
    if (g_hash_table_size((GHashTable *)chosen) == 0)
        g_ptr_array_add(argv, g_strdup("--exclude-table-data=*.*"));
    else
        add_names(argv, "--exclude-table-data=", run->left_out);
}

static GPtrArray *dump_arguments(const DumpRun *run, const ArchiveTask *task)
{
    GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);
    const PgDump *dump = run->dump;

    g_ptr_array_add(argv, g_strdup(dump->pg_dump));
    g_ptr_array_add(argv, g_strdup("--format=custom"));
    g_ptr_array_add(argv, g_strdup("--compress=0"));
    g_ptr_array_add(argv, g_strdup("--no-password"));
    g_ptr_array_add(argv, g_strdup_printf("--snapshot=%s", pg_session_snapshot(dump->session)));
    g_ptr_array_add(argv, g_strdup_printf("--lock-wait-timeout=%us", dump->lock_wait));
    if (task->kind == ARCHIVE_SCHEMA) {
        g_ptr_array_add(argv, g_strdup("--section=pre-data"));
        g_ptr_array_add(argv, g_strdup("--section=post-data"));
    } else {
        g_ptr_array_add(argv, g_strdup("--section=data"));
    }
    if (task->kind == ARCHIVE_REST)
        add_exclusions(run, argv);
    if (task->kind == ARCHIVE_TABLE) {
        g_autofree char *name = pg_quote_qualified(task->table->schema, task->table->name);

        g_ptr_array_add(argv, g_strdup_printf("--table=%s", name));
    }
    g_ptr_array_add(argv, g_strdup_printf("--dbname=%s", run->conninfo));
    g_ptr_array_add(argv, NULL);
    return argv;
}

static gboolean write_objects(const DumpRun *run, GCancellable *cancellable, GError **error)
{
    const PgDump *dump = run->dump;
    g_autofree char *stem = g_strdup_printf("details-objects-%u.jsonl", dump->database->oid);
    g_autofree char *sql = g_strdup_printf(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '%s'",
        pg_session_snapshot(dump->session));
    g_autoptr(PgConnection) connection =
        pg_connect(dump->backup->source->conninfo, dump->database->name, cancellable, error);
    g_autoptr(ObjectWriter) object = NULL;
    const ManifestObject *committed;

    if (connection == NULL || !pg_execute(connection, sql, error))
        return FALSE;
    object = backup_writer_begin(dump->backup->writer, stem, dump->backup->compression, error);
    if (object == NULL || !pg_objects_write(connection, object, error) ||
        !object_writer_commit(object, &committed, error))
        return FALSE;
    dump->database->objects_path = g_strdup(committed->path);
    return TRUE;
}

static char **archive_path(const DumpRun *run, const ArchiveTask *task)
{
    switch (task->kind) {
    case ARCHIVE_SCHEMA:
        return &run->dump->database->schema_archive;
    case ARCHIVE_REST:
        return &run->dump->database->rest_archive;
    default:
        return &task->table->archive;
    }
}

static char *archive_stem(const DumpRun *run, const ArchiveTask *task)
{
    switch (task->kind) {
    case ARCHIVE_SCHEMA:
        return g_strconcat(run->folder, "/schema.dump", NULL);
    case ARCHIVE_REST:
        return g_strconcat(run->folder, "/rest.dump", NULL);
    default:
        return g_strdup_printf("%s/table-%u.dump", run->folder, task->table->oid);
    }
}

static Process *start_dump(const DumpRun *run, const ArchiveTask *task, GError **error)
{
    g_autoptr(GPtrArray) argv = dump_arguments(run, task);

    return start_process((const char *const *)argv->pdata, run->environment, error);
}

static gboolean run_task(gpointer data, gpointer user_data, GCancellable *cancellable,
                         GError **error)
{
    ArchiveTask *task = data;
    const DumpRun *run = user_data;
    g_autofree char *stem = NULL;

    if (task->kind == ARCHIVE_OBJECTS)
        return write_objects(run, cancellable, error);
    if (task->process == NULL)
        task->process = start_dump(run, task, error);
    if (task->process == NULL)
        return FALSE;
    stem = archive_stem(run, task);
    return drain_process(run->dump->backup, task->process, stem, archive_path(run, task),
                         cancellable, error);
}

/* --- planning --------------------------------------------------------------------------------- */

static gint compare_bytes(gconstpointer left, gconstpointer right)
{
    const PgTable *a = *(const PgTable *const *)left, *b = *(const PgTable *const *)right;

    return a->bytes < b->bytes ? 1 : a->bytes > b->bytes ? -1 : 0;
}

static gboolean is_wanted(const PgDump *dump, const PgTable *table)
{
    return table->kind == PG_TABLE &&
           (dump->chosen == NULL ||
            g_hash_table_contains(dump->chosen, GUINT_TO_POINTER(table->oid)));
}

static guint64 total_bytes(const PgDump *dump)
{
    guint64 total = 0;

    for (guint i = 0; i < dump->tables->len; i++) {
        const PgTable *table = g_ptr_array_index(dump->tables, i);

        total += is_wanted(dump, table) ? table->bytes : 0;
    }
    return total;
}

/* pg_dump reads the names in its arguments in the database's encoding; ours are UTF-8. */
static gboolean can_name(const PgDatabase *database, const PgTable *table)
{
    return strcmp(database->encoding, "UTF8") == 0 ||
           (g_str_is_ascii(table->schema) && g_str_is_ascii(table->name));
}

static void keep_biggest(GPtrArray *tables, guint most)
{
    g_ptr_array_sort(tables, compare_bytes);
    g_ptr_array_set_size(tables, (gint)MIN(tables->len, most));
}

static GPtrArray *choose_big_tables(const PgDump *dump)
{
    GPtrArray *big = g_ptr_array_new();
    guint64 share = total_bytes(dump) / ((guint64)dump->backup->jobs * BIG_SHARE);
    guint64 threshold = CLAMP(share, BIG_TABLE_LEAST, BIG_TABLE);

    for (guint i = 0; i < dump->tables->len; i++) {
        PgTable *table = g_ptr_array_index(dump->tables, i);

        if (is_wanted(dump, table) && table->bytes >= threshold && can_name(dump->database, table))
            g_ptr_array_add(big, table);
    }
    keep_biggest(big, BIG_TABLES_MOST);
    return big;
}

/* Small tables beyond the limit come along: nothing but a little time is lost. */
static GPtrArray *choose_left_out(const PgDump *dump)
{
    GPtrArray *left_out = g_ptr_array_new();

    for (guint i = 0; i < dump->tables->len; i++) {
        PgTable *table = g_ptr_array_index(dump->tables, i);

        if (table->kind == PG_TABLE && !is_wanted(dump, table) && can_name(dump->database, table))
            g_ptr_array_add(left_out, table);
    }
    keep_biggest(left_out, LEFT_OUT_MOST);
    return left_out;
}

static ArchiveTask *task_new(ArchiveKind kind, PgTable *table)
{
    ArchiveTask *task = g_new0(ArchiveTask, 1);

    task->kind = kind;
    task->table = table;
    return task;
}

/* The archives in the order of the work: what takes long comes first. */
static GPtrArray *plan_archives(const DumpRun *run)
{
    GPtrArray *tasks = g_ptr_array_new_with_free_func(archive_task_free);

    for (guint i = 0; i < run->big->len; i++)
        g_ptr_array_add(tasks, task_new(ARCHIVE_TABLE, g_ptr_array_index(run->big, i)));
    g_ptr_array_add(tasks, task_new(ARCHIVE_REST, NULL));
    g_ptr_array_add(tasks, task_new(ARCHIVE_SCHEMA, NULL));
    g_ptr_array_add(tasks, task_new(ARCHIVE_OBJECTS, NULL));
    return tasks;
}

/* Starts programs ahead of their turn, so that they take their locks now; they wait for us to read,
 * then. Otherwise an ALTER or TRUNCATE that comes meanwhile waits for the session's lock, the next
 * pg_dump waits behind it, and we for pg_dump: nobody could go on. */
static gboolean start_ahead(const DumpRun *run, GPtrArray *tasks, GError **error)
{
    guint started = 0;

    for (guint i = 0; i < tasks->len; i++) {
        ArchiveTask *task = g_ptr_array_index(tasks, i);

        if (task->kind == ARCHIVE_OBJECTS ||
            (task->kind == ARCHIVE_TABLE && started++ >= AHEAD_MOST))
            continue;
        task->process = start_dump(run, task, error);
        if (task->process == NULL)
            return FALSE;
    }
    return TRUE;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* A break in a connection shows as a failed pg_dump or statement; the session knows better what
 * happened. */
static void explain_failure(PgSession *session, GError *problem, GError **error)
{
    g_autoptr(GError) reason = NULL;
    /* A new connection that does not find the snapshot any more is told so by the server. */
    gboolean broken = error_is(problem, ERROR_SUBPROCESS) || error_is(problem, ERROR_UNREACHABLE) ||
                      error_is(problem, ERROR_SERVER);

    /* A server that goes down ends its sessions one after the other: ours may be next. */
    if (broken)
        g_usleep(BREAK_WAIT);
    if (broken && !pg_session_check(session, &reason)) {
        g_propagate_error(error, g_steal_pointer(&reason));
        g_error_free(problem);
        return;
    }
    if (error_is(problem, ERROR_SUBPROCESS))
        error_add_hint(&problem, "`holdfast check` tells what the role may not read");
    g_propagate_error(error, problem);
}

static gboolean write_archives(DumpRun *run, GError **error)
{
    const PgDump *dump = run->dump;
    g_autoptr(GPtrArray) tasks = plan_archives(run);
    g_autoptr(Workers) workers = workers_new(dump->backup->jobs, 0, run_task, run,
                                             archive_task_free, dump->backup->cancellable);

    progress_begin(dump->backup->progress, "dumping", total_bytes(dump), 0);
    if (!start_ahead(run, tasks, error))
        return FALSE;
    g_ptr_array_set_free_func(tasks, NULL);
    for (guint i = 0; i < tasks->len; i++)
        /* A refusal means that a task has failed: workers_wait() tells. */
        (void)workers_push(workers, g_ptr_array_index(tasks, i));
    return workers_wait(workers, error);
}

static gboolean count_rows(const DumpRun *run, GError **error)
{
    const PgDump *dump = run->dump;
    g_autoptr(GPtrArray) counted = g_ptr_array_new();
    g_autofree guint64 *rows = NULL;
    PgCountRequest request = {.database = dump->database->name,
                              .connection = pg_session_connection(dump->session),
                              .connections = 1,
                              .progress = dump->backup->progress,
                              .cancellable = dump->backup->cancellable};

    for (guint i = 0; i < dump->tables->len; i++) {
        PgTable *table = g_ptr_array_index(dump->tables, i);

        table->counted = table->counted && is_wanted(dump, table);
        if (table->counted)
            g_ptr_array_add(counted, table);
    }
    progress_begin(dump->backup->progress, "counting", 0, 0);
    rows = g_new0(guint64, counted->len + 1);
    if (!pg_count_tables(&request, counted, rows, error))
        return FALSE;
    for (guint i = 0; i < counted->len; i++)
        ((PgTable *)g_ptr_array_index(counted, i))->rows = rows[i];
    return TRUE;
}

gboolean pg_dump_database(const PgDump *dump, GError **error)
{
    g_auto(DumpRun) run = {.dump = dump};
    GError *problem = NULL;

    run.big = choose_big_tables(dump);
    run.left_out = choose_left_out(dump);
    run.folder = g_strdup_printf("data/%u", dump->database->oid);
    run.environment = pg_child_environment(pg_session_connection(dump->session), NULL);
    if (!pg_child_conninfo(pg_session_connection(dump->session), dump->database->name,
                           &run.conninfo, error))
        return FALSE;
    if (write_archives(&run, &problem) && count_rows(&run, &problem) &&
        pg_session_check(dump->session, &problem))
        return TRUE;
    explain_failure(dump->session, problem, error);
    return FALSE;
}
