/* SPDX-License-Identifier: Apache-2.0
 *
 * Chosen tables into a database that is there: all in one transaction of one psql, so that a
 * failure or a kill at any moment leaves what was there. The transaction is begun and ended by what
 * we send: psql commits nothing of its own when its input ends too early. And the end is sent only
 * when psql has said that it has done all before it: a whole script that waits in a pipe would be
 * carried out although we are gone.
 */
#include "postgres/restore-merge.h"

#include "base/error.h"
#include "base/file.h"
#include "postgres/client.h"
#include "postgres/count.h"
#include "postgres/restore-compare.h"

#include <math.h>
#include <string.h>

/* The beginning of the error that the script raises when rows differ: told apart from all other
 * errors by it. */
#define MISMATCH "holdfast: restored rows differ: "
/* What psql says when it has done everything but the commit. */
#define READY "holdfast-ready"
/* Tables a block of checks: keeps a statement to some ten thousand bytes. */
#define CHECKS_A_BLOCK 100

static gboolean send_text(Process *psql, const char *text, GCancellable *cancellable,
                          GError **error)
{
    return process_write(psql, text, strlen(text), cancellable, error);
}

static void append_check(GString *body, const PgTable *table, double tolerance,
                         gboolean require_rows)
{
    g_autofree char *name = pg_quote_qualified(table->schema, table->name);
    g_autofree char *plain = g_strdup_printf("%s.%s", table->schema, table->name);
    g_autofree char *literal = pg_quote_literal(plain);
    guint64 slack = (guint64)floor((double)table->rows * tolerance);

    g_string_append_printf(body,
                           " SELECT pg_catalog.count(*) INTO n FROM ONLY %s;"
                           " IF n < %" G_GUINT64_FORMAT " OR n > %" G_GUINT64_FORMAT
                           " OR (n = 0 AND %s) THEN bad := bad || ', ' || %s || ' has ' || n ||"
                           " ' instead of %" G_GUINT64_FORMAT "'; END IF;",
                           name, table->rows - slack, table->rows + slack,
                           require_rows ? "true" : "false", literal, table->rows);
}

/* The rows of tables[start …] are counted inside the transaction, and too great a difference ends
 * it. */
static char *check_sql(const PgRestorePlan *plan, const GPtrArray *tables, guint start)
{
    g_autoptr(GString) body = g_string_new("DECLARE n bigint; bad text := ''; BEGIN");
    g_autofree char *literal = NULL;

    for (guint i = start; i < tables->len && i < start + CHECKS_A_BLOCK; i++)
        append_check(body, g_ptr_array_index(tables, i), plan->request->tolerance,
                     plan->request->require_rows);
    g_string_append(body, " IF bad <> '' THEN RAISE EXCEPTION '" MISMATCH
                          "%', pg_catalog.substr(bad, 3); END IF; END");
    literal = pg_quote_literal(body->str);
    return g_strdup_printf("DO LANGUAGE plpgsql %s;\n", literal);
}

static gboolean send_checks(const PgRestorePlan *plan, const GPtrArray *tables, Process *psql,
                            GError **error)
{
    GCancellable *cancellable = plan->request->cancellable;

    for (guint start = 0; start < tables->len; start += CHECKS_A_BLOCK) {
        g_autofree char *sql = check_sql(plan, tables, start);

        if (!send_text(psql, sql, cancellable, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean send_archive(const PgLoad *load, const PgArchive *archive, const char *section,
                             const char *scratch, Process *psql, GCancellable *cancellable,
                             GError **error)
{
    FILE_AUTO_FD list = -1;

    if (archive->list != NULL && !pg_load_list_file(archive->list, scratch, &list, error))
        return FALSE;
    return pg_load_script(load, archive->path, section, list, psql, cancellable, error);
}

/* pg_restore's scripts change search_path and more for the session; every name of ours is
 * qualified. */
static gboolean send_script(const PgRestorePlan *plan, const PgDatabasePlan *database,
                            Process *psql, GError **error)
{
    const EngineRestore *request = plan->request;
    GCancellable *cancellable = request->cancellable;
    const char *scratch = request->scratch_directory;
    const PgSelection *selection = database->selection;
    PgLoad load = pg_restore_load(plan, NULL);
    PgArchive schema = {.path = database->source->schema_archive, .list = selection->schema_list};
    PgArchive attach = {.path = schema.path, .list = selection->attach_list};

    if (!send_text(psql, "\\o /dev/null\nBEGIN;\n", cancellable, error))
        return FALSE;
    for (guint i = 0; i < selection->drops->len; i++)
        if (!send_text(psql, g_ptr_array_index(selection->drops, i), cancellable, error) ||
            !send_text(psql, "\n", cancellable, error))
            return FALSE;
    if (!send_archive(&load, &schema, "pre-data", scratch, psql, cancellable, error))
        return FALSE;
    progress_begin(request->progress, "loading rows", database->bytes, 0);
    for (guint i = 0; i < database->archives->len; i++)
        if (!send_archive(&load, g_ptr_array_index(database->archives, i), "data", scratch, psql,
                          cancellable, error))
            return FALSE;
    progress_begin(request->progress, "building indexes", 0, 0);
    return send_checks(plan, database->tables, psql, error) &&
           send_archive(&load, &schema, "post-data", scratch, psql, cancellable, error) &&
           (attach.list == NULL ||
            send_archive(&load, &attach, "pre-data", scratch, psql, cancellable, error)) &&
           send_text(psql, "\\echo " READY "\n", cancellable, error);
}

/* Everything but the word goes to /dev/null. When psql ends instead, it has a reason, which its end
 * tells. */
static gboolean await_ready(Process *psql, GCancellable *cancellable, GError **error)
{
    char text[sizeof READY] = "";
    gsize length = 0, got;

    while (length < sizeof text - 1) {
        if (!process_read(psql, text + length, sizeof text - 1 - length, &got, cancellable, error))
            return FALSE;
        if (got == 0)
            break;
        length += got;
    }
    if (strcmp(text, READY) == 0)
        return TRUE;
    error_set(error, ERROR_SUBPROCESS, "psql ended before its script did");
    return FALSE;
}

static gboolean commit(const PgRestorePlan *plan, Process *psql, GError **error)
{
    GCancellable *cancellable = plan->request->cancellable;

    return await_ready(psql, cancellable, error) &&
           send_text(psql, "SET LOCAL synchronous_commit = on;\nCOMMIT;\n", cancellable, error);
}

static Process *start_psql(const PgRestorePlan *plan, const char *database, GError **error)
{
    g_autofree char *conninfo = NULL;
    const char *argv[] = {
        plan->psql, "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--file=-",
        "--dbname", NULL,          NULL};
    ProcessSpec spec = {.argv = argv,
                        .environment = (const char *const *)plan->environment,
                        .flags = PROCESS_STDIN_PIPE | PROCESS_STDOUT_PIPE,
                        .keep_fd = -1};

    if (!pg_child_conninfo(plan->connection, database, &conninfo, error))
        return NULL;
    argv[7] = conninfo;
    return process_start(&spec, error);
}

/* psql's own reason, when it has one, is better than the broken pipe that its end looks like from
 * here. */
static gboolean explain_script(Process *psql, GError *reason, GCancellable *cancellable,
                               GError **error)
{
    g_autoptr(GError) own = NULL;

    if (!error_is(reason, ERROR_SUBPROCESS)) {
        process_kill(psql);
        g_propagate_error(error, reason);
        return FALSE;
    }
    process_close_stdin(psql);
    if (process_wait(psql, cancellable, &own)) {
        g_propagate_error(error, reason);
        return FALSE;
    }
    g_error_free(reason);
    g_propagate_error(error, g_steal_pointer(&own));
    return FALSE;
}

/* The script's own error stands in psql's last lines. */
static gboolean recognise_mismatch(GError *reason, GError **error)
{
    const char *mark = strstr(reason->message, MISMATCH);
    g_autofree char *text = NULL;

    if (mark == NULL) {
        g_propagate_error(error, reason);
        return FALSE;
    }
    text = g_strndup(mark + strlen("holdfast: "), strcspn(mark + strlen("holdfast: "), "\n;"));
    error_set(error, ERROR_COUNT_MISMATCH, "%s; nothing was changed", text);
    g_error_free(reason);
    return FALSE;
}

static gboolean run_script(PgRestorePlan *plan, const PgDatabasePlan *database, GError **error)
{
    GCancellable *cancellable = plan->request->cancellable;
    g_autoptr(Process) psql = start_psql(plan, database->target, error);
    GError *reason = NULL;

    if (psql == NULL)
        return FALSE;
    if (!send_script(plan, database, psql, &reason) || !commit(plan, psql, &reason)) {
        GError *better = NULL;

        (void)explain_script(psql, reason, cancellable, &better);
        return recognise_mismatch(better, error);
    }
    process_close_stdin(psql);
    return process_wait(psql, cancellable, &reason) || recognise_mismatch(reason, error);
}

gboolean pg_restore_merge(PgRestorePlan *plan, const PgDatabasePlan *database, EngineResult *result,
                          GError **error)
{
    const EngineRestore *request = plan->request;
    const GPtrArray *tables = database->tables;
    g_autofree guint64 *rows = g_new0(guint64, MAX(tables->len, 1));
    PgCountRequest count = {.conninfo = request->target->conninfo,
                            .database = database->target,
                            .connections = request->jobs,
                            .cancellable = request->cancellable};

    progress_begin(request->progress, "creating tables", 0, 0);
    if (!run_script(plan, database, error))
        return FALSE;
    /* Within a tolerance the transaction says only that the rows are near enough: the report has
     * the exact number. */
    for (guint i = 0; i < tables->len; i++)
        rows[i] = ((const PgTable *)g_ptr_array_index(tables, i))->rows;
    if (request->tolerance > 0 && !pg_count_tables(&count, tables, rows, error))
        return FALSE;
    return pg_restore_compare(plan, database, rows, result, error);
}
