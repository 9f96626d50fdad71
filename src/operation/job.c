/* SPDX-License-Identifier: Apache-2.0
 *
 * Entering jobs. Where a service's runner started this process, the job is there already: its id
 * comes in the environment, its end is the runner's to enter, and only what the operation has to say
 * is noted.
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
    gboolean adopted;
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
    const char *adopted = g_getenv(JOB_ENVIRONMENT);
    g_autoptr(GError) problem = NULL;
    g_autofree char *directory =
        g_build_filename(config_runtime_directory(context->config), "jobs", NULL);
    g_autofree char *path = g_strdup_printf("%s/%s.run", directory, id);

    job->context = context;
    job->adopted = adopted != NULL;
    job->id = g_strdup(job->adopted ? adopted : id);
    if (job->adopted)
        return job;
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

    const char *code = problem != NULL ? error_info_of(problem)->name : NULL;
    gboolean noted =
        catalog_job_note(job->context->catalog, job->id, document, message, code, &trouble) &&
        (job->adopted ||
         catalog_job_end(job->context->catalog, job->id, state_of(problem), NULL, NULL, &trouble));

    if (!noted)
        log_problem(job->id, trouble);
    run_file_release(job->run);
    g_free(job->id);
    g_free(job);
}
