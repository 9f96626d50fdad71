/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit of a cleanup. The plan is on record before anything is deleted: where the run is killed
 * between a deletion and its record, the plan still tells what became of the backup, and why.
 */
#include "base/error.h"
#include "base/log.h"
#include "operation/cleanup-private.h"
#include "operation/clear.h"
#include "repo/record.h"

static json_t *logs_json(const CleanupResult *result)
{
    json_t *list = json_array();

    for (guint i = 0; i < result->logs->len; i++) {
        const CleanupLogs *logs = g_ptr_array_index(result->logs, i);
        json_t *ranges = json_array();

        for (guint j = 0; j < logs->ranges->len; j++)
            json_array_append_new(ranges, json_text(logs->ranges->pdata[j]));
        if (logs->files == 0)
            json_decref(ranges);
        else
            json_array_append_new(list, json_pack("{s:o, s:I, s:I, s:o}", "source",
                                                  json_text(logs->source), "files",
                                                  (json_int_t)logs->files, "bytes",
                                                  (json_int_t)logs->bytes, "ranges", ranges));
    }
    return list;
}

gboolean cleanup_record_plan(OperationContext *context, const CleanupResult *result, char **ret_id,
                             GError **error)
{
    g_autoptr(json_t) body = json_object();
    json_t *backups = json_array();

    for (guint i = 0; i < result->items->len; i++) {
        const CleanupItem *item = g_ptr_array_index(result->items, i);

        if (!item->keep)
            json_array_append_new(backups,
                                  json_pack("{s:o, s:o, s:I}", "backup", json_text(item->id),
                                            "reason", json_text(item->reason), "bytes",
                                            (json_int_t)item->bytes));
    }
    json_object_set_new(body, "state", json_string("planned"));
    json_object_set_new(body, "delete", backups);
    json_object_set_new(body, "wal", logs_json(result));
    return record_write(context->repository, "cleanup", body, ret_id, error);
}

/* What is done is done: a record that cannot be written is told, and is no reason to stop. */
static void write_record(OperationContext *context, const char *kind, const json_t *body,
                         const char *what)
{
    g_autoptr(GError) problem = NULL;

    if (!record_write(context->repository, kind, body, NULL, &problem)) {
        g_autofree char *text = error_text(problem);

        log_write(LOG_WARNING, "%s is not on record: %s", what, text);
    }
}

void cleanup_record_deletion(OperationContext *context, const CleanupItem *item, const char *plan)
{
    g_autoptr(json_t) body = json_object();

    json_object_set_new(body, "backup", json_text(item->id));
    json_object_set_new(body, "source", json_text(item->source));
    json_object_set_new(body, "reason", json_text(item->reason));
    json_object_set_new(body, "cleanup", json_text(plan));
    write_record(context, "delete", body, "a deletion");
}

void cleanup_record_end(OperationContext *context, const CleanupResult *result, const char *plan,
                        const GError *problem)
{
    g_autoptr(json_t) body = json_object();
    g_autofree char *message = clear_text(context->repository, problem);
    const SweepResult *remains = &result->remains;

    json_object_set_new(body, "state", json_string(problem == NULL ? "done" : "failed"));
    json_object_set_new(body, "message", json_text(message));
    json_object_set_new(body, "plan", json_text(plan));
    json_object_set_new(body, "deleted", json_integer(result->deleted));
    json_object_set_new(body, "wal", logs_json(result));
    json_object_set_new(body, "interrupted_backups", json_integer((json_int_t)remains->backups));
    json_object_set_new(body, "objects", json_integer((json_int_t)remains->objects));
    json_object_set_new(body, "pool_objects", json_integer((json_int_t)result->pool.deleted));
    json_object_set_new(body, "pool_bytes", json_integer((json_int_t)result->pool.deleted_bytes));
    write_record(context, "cleanup", body, "the end of the cleanup");
}
