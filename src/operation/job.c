/* SPDX-License-Identifier: Apache-2.0
 *
 * Entering jobs.
 */
#include "operation/job.h"

#include "base/error.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/log.h"
#include "operation/clear.h"

struct Job {
    OperationContext *context;
    char *id;
    RunFile *run;
};

static void log_problem(const char *id, const GError *problem)
{
    g_autofree char *text = error_text(problem);

    log_write(LOG_WARNING, "job %s cannot be noted: %s", id, text);
}

Job *job_begin(OperationContext *context, const char *id, const char *operation, const char *source)
{
    Job *job = g_new0(Job, 1);
    g_autoptr(GError) problem = NULL;
    g_autofree char *directory =
        g_build_filename(config_runtime_directory(context->config), "jobs", NULL);
    g_autofree char *path = g_strdup_printf("%s/%s.run", directory, id);

    job->context = context;
    job->id = g_strdup(id);
    if (directory_make(directory, 0700, &problem))
        job->run = run_file_acquire(path, id, &problem);
    if (job->run == NULL ||
        !catalog_job_begin(context->catalog, id, operation, source, path, &problem))
        log_problem(id, problem);
    return job;
}

static const char *state_of(const GError *problem)
{
    if (problem == NULL)
        return "succeeded";
    return error_info_of(problem)->code == ERROR_CANCELLED ? "cancelled" : "failed";
}

void job_end(Job *job, const GError *problem, const json_t *result)
{
    g_autoptr(GError) trouble = NULL;
    g_autofree char *message = clear_text(job->context->repository, problem);
    g_autoptr(json_t) clear = clear_json(job->context->repository, result);
    g_autofree char *document = clear != NULL ? json_write(clear, FALSE) : NULL;

    if (!catalog_job_end(job->context->catalog, job->id, state_of(problem), document, message,
                         &trouble))
        log_problem(job->id, trouble);
    run_file_release(job->run);
    g_free(job->id);
    g_free(job);
}
