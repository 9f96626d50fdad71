/* SPDX-License-Identifier: Apache-2.0
 *
 * The log of what was changed over the network, and the answers to requests that may come twice.
 */
#include "catalog/catalog.h"

#include "base/time.h"
#include "catalog/private.h"

gboolean catalog_audit(Catalog *catalog, const CatalogAudit *entry, GError **error)
{
    return catalog_run(catalog, error,
                       "INSERT INTO audit (time, who, address, method, path, status, job)"
                       " VALUES (?, ?, ?, ?, ?, ?, ?)",
                       "issssis", time_now(), entry->who, entry->address, entry->method,
                       entry->path, (gint64)entry->status, entry->job) &&
           catalog_run(catalog, error,
                       "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?", "i",
                       (gint64)CATALOG_AUDIT_LIMIT);
}

void catalog_answer_clear(CatalogAnswer *answer)
{
    g_clear_pointer(&answer->request, g_free);
    g_clear_pointer(&answer->location, g_free);
    g_clear_pointer(&answer->body, g_free);
}

static gboolean find_answer(Catalog *catalog, const char *who, const char *key, gboolean *ret_known,
                            CatalogAnswer *ret_answer, GError **error)
{
    g_autoptr(Statement) statement =
        catalog_prepare(catalog, error,
                        "SELECT request, status, location, body FROM idempotency"
                        " WHERE who = ? AND key = ?",
                        "ss", who, key);

    if (statement == NULL || !catalog_step(catalog, statement, ret_known, error))
        return FALSE;
    if (*ret_known) {
        ret_answer->request = catalog_text(statement, 0);
        ret_answer->status = (guint)sqlite3_column_int64(statement, 1);
        ret_answer->location = catalog_text(statement, 2);
        ret_answer->body = catalog_text(statement, 3);
    }
    return TRUE;
}

static gboolean claim(Catalog *catalog, const char *who, const char *key, const char *request,
                      gint64 age, gboolean *ret_known, CatalogAnswer *ret_answer, GError **error)
{
    gint64 now = time_now();

    if (!catalog_run(catalog, error, "DELETE FROM idempotency WHERE time < ?", "i", now - age) ||
        !find_answer(catalog, who, key, ret_known, ret_answer, error))
        return FALSE;
    return *ret_known ||
           catalog_run(catalog, error, "INSERT INTO idempotency VALUES (?, ?, ?, ?, 0, NULL, '')",
                       "ssis", who, key, now, request);
}

gboolean catalog_answer_claim(Catalog *catalog, const char *who, const char *key,
                              const char *request, gint64 age, gboolean *ret_known,
                              CatalogAnswer *ret_answer, GError **error)
{
    gboolean result;

    if (!catalog_begin(catalog, error))
        return FALSE;
    result = claim(catalog, who, key, request, age, ret_known, ret_answer, error);
    return catalog_end(catalog, result, error);
}

gboolean catalog_answer_keep(Catalog *catalog, const char *who, const char *key, guint status,
                             const char *location, const char *body, GError **error)
{
    return catalog_run(catalog, error,
                       "UPDATE idempotency SET status = ?, location = ?, body = ?"
                       " WHERE who = ? AND key = ?",
                       "issss", (gint64)status, location, body, who, key);
}

gboolean catalog_answers_settle(Catalog *catalog, GError **error)
{
    return catalog_execute(catalog, "DELETE FROM idempotency WHERE status = 0", error);
}

gboolean catalog_answer_forget(Catalog *catalog, const char *who, const char *key, GError **error)
{
    return catalog_run(catalog, error, "DELETE FROM idempotency WHERE who = ? AND key = ?", "ss",
                       who, key);
}
