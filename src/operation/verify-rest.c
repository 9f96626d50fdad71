/* SPDX-License-Identifier: Apache-2.0
 *
 * Verify of what is neither in a backup nor in an archive: repository.json, records, keys, leases,
 * tombstones, and backups that have lost their SHA256SUMS, which no list shows any more.
 */
#include "operation/verify-private.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "repo/checksums.h"
#include "repo/document.h"
#include "repo/lease.h"
#include "repo/lost.h"
#include "repo/record.h"
#include "repo/tombstone.h"

#define DOCUMENT_LIMIT (64 * 1024)

/* Names of objects of these kinds tell of no table: they may stand in a record as they are. Takes
 * `owner`. */
static void add_damage(VerifyReport *report, const char *object, const char *problem, char *owner)
{
    VerifyDamage *damage;

    verify_report_damage(report, object, g_strdup(problem), g_strdup(problem));
    damage = report->damage->pdata[report->damage->len - 1];
    if (damage->owner == NULL && strcmp(damage->object, object) == 0)
        damage->owner = owner;
    else
        g_free(owner);
}

static void note_record(const char *name, const GError *problem, gpointer data)
{
    g_autofree char *kind = record_kind_of_name(name), *text = error_text(problem);

    add_damage(data, name, text,
               kind != NULL ? g_strdup_printf("a record of kind %s", kind) : NULL);
}

static gboolean add_object(const char *name, const StoreInfo *info, gpointer data, GError **error)
{
    VerifyReport *report = data;

    report->objects++;
    report->bytes += info->size;
    return TRUE;
}

static gboolean count_objects(Store *store, VerifyReport *report, GError **error)
{
    static const char *const folders[] = {"records/", "leases/", "tombstones/"};

    for (guint i = 0; i < G_N_ELEMENTS(folders); i++) {
        if (!store_list(store, folders[i], add_object, report, error))
            return FALSE;
    }
    return TRUE;
}

/* Damage is a finding; other failures end the look. Takes the error. */
static gboolean settle(VerifyReport *report, const char *object, const char *owner, GError *problem,
                       GError **error)
{
    g_autofree char *text = NULL;

    if (!engine_is_damage(problem)) {
        g_propagate_error(error, problem);
        return FALSE;
    }
    text = error_text(problem);
    add_damage(report, object, text, g_strdup(owner));
    g_error_free(problem);
    return TRUE;
}

static gboolean check_document(Store *store, const char *name, const char *owner,
                               VerifyReport *report, GError **error)
{
    GError *problem = NULL;
    g_autoptr(json_t) document = document_get_checked(store, name, DOCUMENT_LIMIT, &problem);

    /* A key slot may have been removed since it was listed. */
    if (document != NULL || error_is(problem, ERROR_NOT_FOUND)) {
        g_clear_error(&problem);
        return TRUE;
    }
    return settle(report, name, owner, problem, error);
}

/* The repository's own, and its keys. */
static gboolean check_documents(Store *store, VerifyReport *report, GError **error)
{
    g_autoptr(GPtrArray) keys = NULL;

    report->objects++;
    if (!check_document(store, "repository.json", "the repository", report, error) ||
        !store_list_parts(store, "keys/", &keys, error))
        return FALSE;
    for (guint i = 0; i < keys->len; i++) {
        g_autofree char *name = g_strconcat("keys/", (const char *)keys->pdata[i], NULL);

        if (!check_document(store, name, "the keys of the repository", report, error))
            return FALSE;
    }
    return TRUE;
}

/* They were opened when the repository was, if a key was named. */
static void check_data_keys(Repository *repository, guint32 generations, VerifyReport *report)
{
    report->objects += generations;
    json_object_set_new(report->counts, "data_keys", json_integer(generations));
    for (guint32 i = 1; i <= generations; i++) {
        g_autofree char *object = g_strdup_printf("keys/data-%06u.json", i);
        g_autoptr(GError) problem = NULL;
        g_autofree char *text = NULL;

        if (repository_data_key(repository, i, &problem) != NULL)
            continue;
        text = error_text(problem);
        add_damage(report, object, text, g_strdup("the keys of the repository"));
    }
}

static gboolean check_keys(Repository *repository, VerifyReport *report, GError **error)
{
    g_autoptr(GPtrArray) slots = NULL;
    GError *problem = NULL;
    guint32 generations;

    if (!repository_is_encrypted(repository))
        return TRUE;
    if (!keys_list(repository_store(repository), repository_id(repository), &slots, &generations,
                   &problem))
        return settle(report, "keys", "the keys of the repository", problem, error);
    for (guint i = 0; i < slots->len; i++) {
        const KeySlot *slot = slots->pdata[i];
        g_autofree char *object = g_strdup_printf("keys/%s.json", slot->id);

        if (slot->problem != NULL)
            add_damage(report, object, slot->problem, g_strdup("the keys of the repository"));
    }
    report->objects += slots->len;
    json_object_set_new(report->counts, "key_slots", json_integer(slots->len));
    if (repository_is_unlocked(repository)) {
        check_data_keys(repository, generations, report);
    }
    return TRUE;
}

static gboolean check_leases(Repository *repository, VerifyReport *report, GError **error)
{
    g_autoptr(GPtrArray) views = NULL;

    if (!lease_list(repository, &views, error))
        return FALSE;
    for (guint i = 0; i < views->len; i++) {
        const LeaseView *view = views->pdata[i];
        g_autofree char *object = g_strdup_printf("leases/%s", view->id);

        if (!view->readable)
            add_damage(report, object,
                       "it cannot be read: until it expires it counts as using every backup", NULL);
    }
    return TRUE;
}

static gboolean check_tombstones(Repository *repository, VerifyReport *report, GError **error)
{
    g_autoptr(GPtrArray) tombstones = NULL;
    GError *problem = NULL;

    return tombstone_list(repository, &tombstones, &problem) ||
           settle(report, "tombstones", "what the sweep of the pool has noted", problem, error);
}

static gboolean check_lost(Repository *repository, VerifyReport *report, GError **error)
{
    g_autoptr(GPtrArray) lost = NULL;

    if (!lost_find(repository, &lost, error))
        return FALSE;
    for (guint i = 0; i < lost->len; i++) {
        const char *id = lost->pdata[i];
        g_autofree char *object = g_strdup_printf("backups/%s/" CHECKSUMS_NAME, id);

        add_damage(report, object,
                   "it is missing, so that the backup is in no list; it was committed once, and "
                   "no deletion is on record",
                   g_strdup_printf("backup %s", id));
    }
    return TRUE;
}

gboolean operation_verify_rest(OperationContext *context, const VerifyFollow *follow,
                               GError **error)
{
    Repository *repository = context->repository;
    g_autoptr(VerifyReport) report = verify_report_new(NULL);
    gint64 began = time_monotonic();

    report->level = follow->level;
    report->archive = g_strdup("repository");
    if (!count_objects(repository_store(repository), report, error) ||
        !record_check(repository, NULL, note_record, report, error) ||
        !check_documents(repository_store(repository), report, error) ||
        !check_keys(repository, report, error) || !check_leases(repository, report, error) ||
        !check_tombstones(repository, report, error) || !check_lost(repository, report, error))
        return FALSE;
    report->inside = report->objects;
    report->elapsed = time_monotonic() - began;
    verify_report_finish(context, report, NULL);
    follow->func(report, follow->data);
    return TRUE;
}
