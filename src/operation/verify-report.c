/* SPDX-License-Identifier: Apache-2.0
 *
 * What verify found: kept, told, filed.
 */
#include "operation/verify-private.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "operation/clear.h"
#include "repo/record.h"

#define SHARED_PREFIX "../../"

static void damage_free(VerifyDamage *damage)
{
    g_free(damage->object);
    g_free(damage->problem);
    g_free(damage->recorded);
    g_free(damage->owner);
    g_free(damage);
}

void verify_report_free(VerifyReport *report)
{
    if (report == NULL)
        return;
    g_free(report->backup);
    g_free(report->archive);
    g_free(report->source);
    g_free(report->engine);
    g_free(report->server_version);
    g_free(report->record);
    json_decref(report->counts);
    json_decref(report->tables);
    g_ptr_array_unref(report->damage);
    g_ptr_array_unref(report->warnings);
    g_ptr_array_unref(report->affected);
    g_ptr_array_unref(report->unaffected);
    g_free(report);
}

VerifyReport *verify_report_new(const char *backup)
{
    VerifyReport *report = g_new0(VerifyReport, 1);

    report->backup = g_strdup(backup);
    report->sample = 1;
    report->started = time_now();
    report->counts = json_object();
    report->tables = json_array();
    report->damage = g_ptr_array_new_with_free_func((GDestroyNotify)damage_free);
    report->warnings = g_ptr_array_new_with_free_func(g_free);
    report->affected = g_ptr_array_new_with_free_func(g_free);
    report->unaffected = g_ptr_array_new_with_free_func(g_free);
    return report;
}

void verify_report_damage(VerifyReport *report, const char *object, char *problem, char *recorded)
{
    VerifyDamage *damage;

    for (guint i = 0; i < report->damage->len; i++) {
        damage = g_ptr_array_index(report->damage, i);
        if (strcmp(damage->object, object) == 0) {
            damage->more++;
            g_free(problem);
            g_free(recorded);
            return;
        }
    }
    damage = g_new0(VerifyDamage, 1);
    damage->object = g_strdup(object);
    damage->problem = problem;
    damage->recorded = recorded;
    g_ptr_array_add(report->damage, damage);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static json_t *texts_json(const GPtrArray *texts)
{
    json_t *array = json_array();

    for (guint i = 0; i < texts->len; i++)
        json_array_append_new(array, json_text(texts->pdata[i]));
    return array;
}

static json_t *damage_json(const VerifyReport *report, const Repository *recorded)
{
    gboolean clear = recorded != NULL && repository_is_encrypted(recorded);
    json_t *array = json_array();

    for (guint i = 0; i < report->damage->len; i++) {
        const VerifyDamage *one = g_ptr_array_index(report->damage, i);
        json_t *entry = json_object();

        json_object_set_new(entry, "object", json_text(one->object));
        json_object_set_new(entry, "problem", json_text(clear ? one->recorded : one->problem));
        json_object_set_new(entry, "belongs_to", json_text(clear ? NULL : one->owner));
        json_object_set_new(entry, "further_findings", json_integer(one->more));
        json_array_append_new(array, entry);
    }
    return array;
}

/* What `list backups` shows, and what older versions read. */
static json_t *problems_json(const VerifyReport *report)
{
    json_t *array = json_array();

    for (guint i = 0; i < report->damage->len; i++) {
        const VerifyDamage *one = g_ptr_array_index(report->damage, i);
        g_autofree char *line = g_strdup_printf("%s: %s", one->object, one->recorded);

        json_array_append_new(array, json_text(line));
    }
    return array;
}

json_t *verify_report_json(const VerifyReport *report, const Repository *recorded)
{
    gboolean clear = recorded != NULL && repository_is_encrypted(recorded);
    g_autofree char *started = time_format(report->started);
    json_t *json = json_object();

    if (report->backup != NULL)
        json_object_set_new(json, "backup", json_text(report->backup));
    else
        json_object_set_new(json, "archive", json_text(report->archive));
    json_object_set_new(json, "source", json_text(report->source));
    json_object_set_new(json, "engine", json_text(report->engine));
    json_object_set_new(json, "server_version", json_text(report->server_version));
    json_object_set_new(json, "result", json_string(report->damage->len > 0 ? "damaged" : "good"));
    json_object_set_new(json, "level", json_string(proof_level_name(report->level)));
    json_object_set_new(json, "scope", json_string(report->written ? "written" : "all"));
    json_object_set_new(json, "sample", json_real(report->sample));
    json_object_set_new(json, "started", json_text(started));
    json_object_set_new(json, "seconds", json_real((double)report->elapsed / (double)TIME_SECOND));
    json_object_set_new(json, "objects", json_integer((json_int_t)report->objects));
    json_object_set_new(json, "present", json_integer((json_int_t)report->present));
    json_object_set_new(json, "inside", json_integer((json_int_t)report->inside));
    json_object_set_new(json, "bytes", json_integer((json_int_t)report->bytes));
    json_object_set(json, "counts", report->counts);
    if (clear)
        json_object_set_new(json, "tables", json_array());
    else
        json_object_set(json, "tables", report->tables);
    json_object_set_new(json, "damage", damage_json(report, recorded));
    json_object_set_new(json, "warnings", clear ? json_array() : texts_json(report->warnings));
    json_object_set_new(json, "affected", texts_json(report->affected));
    json_object_set_new(json, "unaffected", texts_json(report->unaffected));
    if (recorded != NULL)
        json_object_set_new(json, "problems", problems_json(report));
    return json;
}

/* --- what it means ---------------------------------------------------------------------------- */

static int compare_damage(gconstpointer a, gconstpointer b)
{
    const VerifyDamage *const *first = a;
    const VerifyDamage *const *second = b;

    return strcmp((*first)->object, (*second)->object);
}

static void find_owners(VerifyReport *report, Backup *backup)
{
    g_autoptr(GError) problem = NULL;
    const Engine *engine = engine_find(manifest_engine(backup_manifest(backup)), NULL);
    g_autoptr(GHashTable) objects = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

    if (engine == NULL || engine->owners == NULL || !repository_has_key(backup_repository(backup)))
        return;
    for (guint i = 0; i < report->damage->len; i++) {
        const VerifyDamage *one = g_ptr_array_index(report->damage, i);

        g_hash_table_insert(objects, g_strdup(one->object), NULL);
    }
    if (!engine->owners(backup, objects, &problem)) {
        g_autofree char *text = error_text(problem);

        log_write(LOG_WARNING, "what the damaged objects belong to could not be found out: %s",
                  text);
    }
    for (guint i = 0; i < report->damage->len; i++) {
        VerifyDamage *one = g_ptr_array_index(report->damage, i);

        one->owner = g_strdup(g_hash_table_lookup(objects, one->object));
    }
}

/* Objects of an archive are named from the repository's root. */
static gboolean needs_damaged(const VerifyReport *report, const Checksums *checksums)
{
    for (guint i = 0; i < report->damage->len; i++) {
        const VerifyDamage *one = g_ptr_array_index(report->damage, i);
        g_autofree char *path = g_str_has_prefix(one->object, "wal/")
                                    ? g_strconcat(SHARED_PREFIX, one->object, NULL)
                                    : g_strdup(one->object);

        if (g_str_has_prefix(path, SHARED_PREFIX) && checksums_find(checksums, path) != NULL)
            return TRUE;
    }
    return FALSE;
}

/* Which backups need a key or a record, nobody can tell from its name. */
static gboolean sort_backups(OperationContext *context, VerifyReport *report, GError **error)
{
    const CatalogFilter filter = {.source = report->source};
    g_autoptr(GPtrArray) backups = NULL;

    if (report->backup == NULL && report->source == NULL)
        return TRUE;
    if (!catalog_backups(context->catalog, report->source != NULL ? &filter : NULL, &backups,
                         error))
        return FALSE;
    for (guint i = 0; i < backups->len; i++) {
        const CatalogBackup *entry = g_ptr_array_index(backups, i);
        g_autoptr(Checksums) checksums = NULL;
        g_autoptr(GError) problem = NULL;

        if (g_strcmp0(entry->id, report->backup) == 0)
            continue;
        checksums = backup_read_checksums(context->repository, entry->id, &problem);
        if (checksums == NULL)
            continue;
        if (needs_damaged(report, checksums))
            g_ptr_array_add(report->affected, g_strdup(entry->id));
        else if (!entry->damaged)
            g_ptr_array_add(report->unaffected, g_strdup(entry->id));
    }
    return TRUE;
}

void verify_report_finish(OperationContext *context, VerifyReport *report, Backup *backup)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(json_t) body = NULL;
    g_autoptr(json_t) whole = NULL;

    g_ptr_array_sort(report->damage, compare_damage);
    if (report->damage->len > 0) {
        if (backup != NULL)
            find_owners(report, backup);
        if (!sort_backups(context, report, &problem)) {
            log_write(LOG_WARNING, "which other backups are affected could not be found out: %s",
                      problem->message);
            g_clear_error(&problem);
        }
    }
    body = verify_report_json(report, context->repository);
    whole = verify_report_json(report, NULL);
    if (!record_write_sealed(context->repository, "verify", body, whole, &report->record,
                             &problem) ||
        !catalog_refresh(context->catalog, &problem)) {
        g_autofree char *text = error_text(problem);

        log_write(LOG_WARNING, "the result of verify is not on record: %s", text);
    }
}

guint verify_jobs(guint wanted)
{
    return wanted > 0 ? wanted : g_get_num_processors();
}
