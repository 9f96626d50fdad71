/* SPDX-License-Identifier: Apache-2.0
 *
 * Jobs: local history, the only thing in the catalog that the repository does not know.
 */
#include "catalog/catalog.h"

#include "base/error.h"
#include "base/lock.h"
#include "base/time.h"
#include "catalog/private.h"

#define COLUMNS                                                                                    \
    "id, operation, source, state, message, result, started, ended, run_file, command, origin,"    \
    " code, attempt, attempts, retry_after, time_limit, queued, not_before"

/* When a job came. */
#define ENTERED "coalesce(nullif(queued, 0), started)"

gboolean catalog_job_begin(Catalog *catalog, const char *id, const char *operation,
                           const char *source, const char *run_file, GError **error)
{
    return catalog_run(catalog, error,
                       "INSERT INTO job (id, operation, source, state, run_file, started, ended)"
                       " VALUES (?, ?, ?, 'running', ?, ?, 0)",
                       "ssssi", id, operation, source, run_file, time_now());
}

gboolean catalog_job_end(Catalog *catalog, const char *id, const char *state, const char *result,
                         const char *message, GError **error)
{
    return catalog_run(catalog, error,
                       "UPDATE job SET state = ?, result = coalesce(?, result),"
                       " message = coalesce(?, message), ended = ? WHERE id = ?",
                       "sssis", state, result, message, time_now(), id);
}

gboolean catalog_job_note(Catalog *catalog, const char *id, const char *result, const char *message,
                          const char *code, GError **error)
{
    return catalog_run(catalog, error,
                       "UPDATE job SET result = coalesce(?, result),"
                       " message = coalesce(?, message), code = coalesce(?, code)"
                       " WHERE id = ? AND state IN ('queued', 'running')",
                       "ssss", result, message, code, id);
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
    g_free(job->run_file);
    g_free(job->command);
    g_free(job->origin);
    g_free(job->code);
    g_free(job);
}

/* A job that says "running" while nobody holds its run file has died. One whose file cannot be
 * looked at may live. While the row is read nobody can commit, and a job ends in the catalog before
 * it lets its file go: so what is seen here holds together. */
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

    g_ptr_array_add(data, job);
    job->id = catalog_text(row, 0);
    job->operation = catalog_text(row, 1);
    job->source = catalog_text(row, 2);
    job->state = catalog_text(row, 3);
    job->message = catalog_text(row, 4);
    job->result = catalog_text(row, 5);
    job->started = sqlite3_column_int64(row, 6);
    job->ended = sqlite3_column_int64(row, 7);
    job->run_file = catalog_text(row, 8);
    job->command = catalog_text(row, 9);
    job->origin = catalog_text(row, 10);
    job->code = catalog_text(row, 11);
    job->attempt = (guint)sqlite3_column_int64(row, 12);
    job->attempts = (guint)sqlite3_column_int64(row, 13);
    job->retry_after = sqlite3_column_int64(row, 14);
    job->time_limit = sqlite3_column_int64(row, 15);
    job->queued = sqlite3_column_int64(row, 16);
    job->not_before = sqlite3_column_int64(row, 17);
    if (is_lost(job->state, job->run_file)) {
        g_free(job->state);
        job->state = g_strdup("lost");
    }
    return TRUE;
}

/* Takes the statement, which may be NULL (preparing has failed then). */
static gboolean collect(Catalog *catalog, Statement *taken, GPtrArray **ret_jobs, GError **error)
{
    g_autoptr(Statement) statement = taken;
    g_autoptr(GPtrArray) jobs = g_ptr_array_new_with_free_func((GDestroyNotify)catalog_job_free);

    if (statement == NULL || !catalog_each(catalog, statement, add_job, jobs, error))
        return FALSE;
    *ret_jobs = g_steal_pointer(&jobs);
    return TRUE;
}

gboolean catalog_jobs_filtered(Catalog *catalog, const CatalogJobFilter *filter, guint limit,
                               GPtrArray **ret_jobs, GError **error)
{
    /* "lost" is found by looking, so that a row may still say "running". */
    return collect(catalog,
                   catalog_prepare(catalog, error,
                                   "SELECT " COLUMNS " FROM job"
                                   " WHERE (?1 IS NULL OR operation = ?1)"
                                   " AND (?2 IS NULL OR source = ?2)"
                                   " AND (?3 IS NULL OR state = ?3"
                                   "  OR (?3 = 'active' AND state IN ('queued', 'running')))"
                                   " AND (?4 IS NULL OR (" ENTERED ", id) <"
                                   "  (SELECT " ENTERED ", id FROM job WHERE id = ?4))"
                                   " ORDER BY " ENTERED " DESC, id DESC LIMIT ?5",
                                   "ssssi", filter->operation, filter->source, filter->state,
                                   filter->before, (gint64)limit),
                   ret_jobs, error);
}

gboolean catalog_jobs(Catalog *catalog, guint limit, GPtrArray **ret_jobs, GError **error)
{
    const CatalogJobFilter all = {0};

    return catalog_jobs_filtered(catalog, &all, limit, ret_jobs, error);
}

CatalogJob *catalog_job_find(Catalog *catalog, const char *id, GError **error)
{
    g_autoptr(GPtrArray) jobs = NULL;

    if (!collect(catalog,
                 catalog_prepare(catalog, error,
                                 "SELECT " COLUMNS " FROM job WHERE id = ?1 OR (?1 <> '' AND"
                                 " (substr(id, 1, length(?1)) = ?1 OR"
                                 "  substr(id, -length(?1)) = ?1))"
                                 " ORDER BY id <> ?1 LIMIT 2",
                                 "s", id),
                 &jobs, error))
        return NULL;
    if (jobs->len == 1 ||
        (jobs->len > 1 && g_str_equal(((CatalogJob *)g_ptr_array_index(jobs, 0))->id, id)))
        return g_ptr_array_steal_index(jobs, 0);
    if (jobs->len > 1) {
        error_set(error, ERROR_USAGE, "several jobs fit \"%s\"", id);
        error_add_hint(error, "give more of the id; holdfast job list shows them");
    } else {
        error_set(error, ERROR_NOT_FOUND, "there is no job \"%s\"", id);
        error_add_hint(error, "holdfast job list shows the ones there are");
    }
    return NULL;
}

/* --- waiting, running, ended ------------------------------------------------------------------ */

/* Fails where a job of this kind waits or runs. Inside the transaction. */
static gboolean check_free(Catalog *catalog, const CatalogJob *job, GError **error)
{
    g_autoptr(GPtrArray) jobs = NULL;

    if (!collect(catalog,
                 catalog_prepare(catalog, error,
                                 "SELECT " COLUMNS " FROM job WHERE state IN"
                                 " ('queued', 'running') AND operation = ? AND source IS ?",
                                 "ss", job->operation, job->source),
                 &jobs, error))
        return FALSE;
    for (guint i = 0; i < jobs->len; i++) {
        const CatalogJob *other = g_ptr_array_index(jobs, i);

        if (g_str_equal(other->state, "lost"))
            continue;
        error_set(error, ERROR_BUSY, "%s%s%s is %s already: job %s", job->operation,
                  job->source != NULL ? " of " : "", job->source != NULL ? job->source : "",
                  other->state, other->id);
        if (other->command != NULL)
            error_add_hint(error, "holdfast job show %s; holdfast job cancel %s", other->id,
                           other->id);
        else
            error_add_hint(error, "it was started by hand: wait for its end; holdfast job show %s",
                           other->id);
        return FALSE;
    }
    return TRUE;
}

gboolean catalog_job_queue(Catalog *catalog, const CatalogJob *job, GError **error)
{
    gboolean result;

    if (!catalog_begin(catalog, error))
        return FALSE;
    result = check_free(catalog, job, error) &&
             catalog_run(catalog, error,
                         "INSERT INTO job (id, operation, source, state, command, origin, attempts,"
                         " retry_after, time_limit, queued, not_before, started, ended)"
                         " VALUES (?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, 0, 0)",
                         "sssssiiiii", job->id, job->operation, job->source, job->command,
                         job->origin, (gint64)job->attempts, job->retry_after, job->time_limit,
                         time_now(), job->not_before);
    return catalog_end(catalog, result, error);
}

gboolean catalog_job_start(Catalog *catalog, const char *id, const char *run_file,
                           gboolean *ret_started, GError **error)
{
    if (!catalog_run(catalog, error,
                     "UPDATE job SET state = 'running', run_file = ?, started = ?, ended = 0,"
                     " attempt = attempt + 1, message = NULL, code = NULL"
                     " WHERE id = ? AND state = 'queued'",
                     "sis", run_file, time_now(), id))
        return FALSE;
    *ret_started = sqlite3_changes(catalog->database) == 1;
    return TRUE;
}

gboolean catalog_job_retry(Catalog *catalog, const char *id, gint64 not_before, GError **error)
{
    return catalog_run(catalog, error,
                       "UPDATE job SET state = 'queued', not_before = ? WHERE id = ?"
                       " AND state = 'running'",
                       "is", not_before, id);
}

gboolean catalog_job_defer(Catalog *catalog, const char *id, gint64 not_before, const char *message,
                           const char *code, GError **error)
{
    return catalog_run(catalog, error,
                       "UPDATE job SET attempt = attempt + 1, not_before = ?, message = ?, code = ?"
                       " WHERE id = ? AND state = 'queued'",
                       "isss", not_before, message, code, id);
}

gboolean catalog_job_settle(Catalog *catalog, const char *id, const char *from, const char *state,
                            const char *message, gboolean *ret_done, GError **error)
{
    if (!catalog_run(catalog, error,
                     "UPDATE job SET state = ?1, message = coalesce(?2, message),"
                     " code = CASE WHEN ?2 IS NULL THEN code END, ended = ?3"
                     " WHERE id = ?4 AND state = ?5",
                     "ssiss", state, message, time_now(), id, from))
        return FALSE;
    *ret_done = sqlite3_changes(catalog->database) == 1;
    return TRUE;
}

/* --- told, counted, forgotten ----------------------------------------------------------------- */

#define ENDED "state NOT IN ('queued', 'running')"

gboolean catalog_jobs_untold(Catalog *catalog, guint limit, GPtrArray **ret_jobs, GError **error)
{
    return collect(catalog,
                   catalog_prepare(catalog, error,
                                   "SELECT " COLUMNS " FROM job WHERE told = 0 AND " ENDED
                                   " ORDER BY ended, id LIMIT ?",
                                   "i", (gint64)limit),
                   ret_jobs, error);
}

gboolean catalog_job_told(Catalog *catalog, const char *id, GError **error)
{
    return catalog_run(catalog, error, "UPDATE job SET told = 1 WHERE id = ?", "s", id);
}

static gboolean add_id(Statement *row, gpointer data, GError **error)
{
    g_ptr_array_add(data, catalog_text(row, 0));
    return TRUE;
}

gboolean catalog_jobs_prune(Catalog *catalog, gint64 before, guint keep, GPtrArray **ret_ids,
                            GError **error)
{
    g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(Statement) statement =
        catalog_prepare(catalog, error,
                        "DELETE FROM job WHERE " ENDED
                        " AND (ended < ?1 OR id IN (SELECT id FROM job"
                        " WHERE " ENDED
                        " ORDER BY ended DESC, id DESC LIMIT -1 OFFSET ?2)) RETURNING id",
                        "ii", before, (gint64)keep);

    if (statement == NULL || !catalog_each(catalog, statement, add_id, ids, error))
        return FALSE;
    *ret_ids = g_steal_pointer(&ids);
    return TRUE;
}

gboolean catalog_jobs_last(Catalog *catalog, GPtrArray **ret_jobs, GError **error)
{
    /* max() of SQLite takes the other columns from the row that has it. */
    return collect(catalog,
                   catalog_prepare(catalog, error,
                                   "SELECT " COLUMNS " FROM (SELECT *, max(ended) FROM job"
                                   " WHERE " ENDED " GROUP BY operation, source)"
                                   " ORDER BY operation, source",
                                   ""),
                   ret_jobs, error);
}

static gboolean add_count(Statement *row, gpointer data, GError **error)
{
    CatalogJobCount count = {.count = (guint64)sqlite3_column_int64(row, 1)};

    g_strlcpy(count.state, (const char *)sqlite3_column_text(row, 0), sizeof count.state);
    g_array_append_val((GArray *)data, count);
    return TRUE;
}

gboolean catalog_jobs_count(Catalog *catalog, GArray **ret_counts, GError **error)
{
    g_autoptr(GArray) counts = g_array_new(FALSE, FALSE, sizeof(CatalogJobCount));
    g_autoptr(Statement) statement =
        catalog_prepare(catalog, error, "SELECT state, count(*) FROM job GROUP BY state", "");

    if (statement == NULL || !catalog_each(catalog, statement, add_count, counts, error))
        return FALSE;
    *ret_counts = g_steal_pointer(&counts);
    return TRUE;
}
