/* SPDX-License-Identifier: Apache-2.0
 *
 * Jobs: local history, the only thing in the catalog that the repository does not know.
 */
#include "catalog/catalog.h"

#include "base/error.h"
#include "base/lock.h"
#include "base/time.h"
#include "catalog/private.h"

gboolean catalog_job_begin(Catalog *catalog, const char *id, const char *operation,
                           const char *source, const char *run_file, GError **error)
{
    return catalog_run(catalog, error,
                       "INSERT INTO job VALUES (?, ?, ?, 'running', ?, NULL, NULL, ?, 0)", "ssssi",
                       id, operation, source, run_file, time_now());
}

gboolean catalog_job_end(Catalog *catalog, const char *id, const char *state, const char *result,
                         const char *message, GError **error)
{
    return catalog_run(catalog, error,
                       "UPDATE job SET state = ?, result = ?, message = ?, ended = ? WHERE id = ?",
                       "sssis", state, result, message, time_now(), id);
}

void catalog_job_free(CatalogJob *job)
{
    if (job == NULL)
        return;
    g_free(job->id);
    g_free(job->operation);
    g_free(job->source);
    g_free(job->state);
    g_free(job->message);
    g_free(job->result);
    g_free(job);
}

/* A job that says "running" while nobody holds its run file has died. One whose file cannot be
 * looked at may live. */
static gboolean is_lost(const char *state, const char *run_file)
{
    RunFileState held;

    if (!g_str_equal(state, "running") || run_file == NULL)
        return FALSE;
    return run_file_inspect(run_file, &held, NULL, NULL) && held != RUN_FILE_HELD;
}

static gboolean add_job(Statement *row, gpointer data, GError **error)
{
    CatalogJob *job = g_new0(CatalogJob, 1);
    g_autofree char *run_file = catalog_text(row, 8);

    g_ptr_array_add(data, job);
    job->id = catalog_text(row, 0);
    job->operation = catalog_text(row, 1);
    job->source = catalog_text(row, 2);
    job->state = catalog_text(row, 3);
    job->message = catalog_text(row, 4);
    job->result = catalog_text(row, 5);
    job->started = sqlite3_column_int64(row, 6);
    job->ended = sqlite3_column_int64(row, 7);
    if (is_lost(job->state, run_file)) {
        g_free(job->state);
        job->state = g_strdup("lost");
    }
    return TRUE;
}

gboolean catalog_jobs(Catalog *catalog, guint limit, GPtrArray **ret_jobs, GError **error)
{
    g_autoptr(GPtrArray) jobs = g_ptr_array_new_with_free_func((GDestroyNotify)catalog_job_free);
    g_autoptr(Statement) statement = catalog_prepare(
        catalog, error,
        "SELECT id, operation, source, state, message, result, started, ended, run_file"
        " FROM job ORDER BY started DESC, id DESC LIMIT ?",
        "i", (gint64)limit);

    if (statement == NULL || !catalog_each(catalog, statement, add_job, jobs, error))
        return FALSE;
    *ret_jobs = g_steal_pointer(&jobs);
    return TRUE;
}
