/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeping answers in the catalog.
 */
#include "service/replay.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "service/rest.h"

#define KEY_HEADER "idempotency-key"

/* What was asked, so that one key is not used for two things. */
static char *fingerprint(const Request *request)
{
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree char *body =
        request->body != NULL ? json_dumps(request->body, JSON_SORT_KEYS | JSON_COMPACT) : NULL;

    g_checksum_update(checksum, (const guchar *)request->method, -1);
    g_checksum_update(checksum, (const guchar *)request->path, -1);
    if (body != NULL)
        g_checksum_update(checksum, (const guchar *)body, -1);
    return g_strdup(g_checksum_get_string(checksum));
}

static gboolean applies(const Request *request)
{
    return strcmp(request->method, "POST") == 0 && request_header(request, KEY_HEADER) != NULL;
}

static void refuse(Response *response, guint status, ErrorCode code, const char *text)
{
    g_autoptr(GError) problem = NULL;

    error_set(&problem, code, "%s", text);
    response_problem_status(response, status, problem);
}

/* The answer of before. */
static void repeat(Api *api, Request *request, Response *response, const CatalogAnswer *answer)
{
    g_autoptr(GError) problem = NULL;

    if (answer->location == NULL)
        response_text(response, answer->status, "application/json", answer->body);
    else if (!rest_answer_job(api, request, response, answer->location, &problem))
        response_problem(response, problem);
    response_set_header(response, "Idempotency-Replayed", "true");
}

gboolean replay_begin(Api *api, Request *request, Response *response)
{
    const char *key = request_header(request, KEY_HEADER);
    g_autofree char *print = NULL;
    g_auto(CatalogAnswer) answer = {0};
    g_autoptr(GError) problem = NULL;
    gboolean known, claimed;

    if (!applies(request))
        return TRUE;
    if (key[0] == '\0' || strlen(key) > REPLAY_KEY_LIMIT || !g_str_is_ascii(key)) {
        refuse(response, 400, ERROR_USAGE, "the Idempotency-Key must have 1 to 200 characters");
        return FALSE;
    }
    print = fingerprint(request);
    claimed = catalog_answer_claim(api_catalog(api), request->who, key, print, TIME_DAY, &known,
                                   &answer, &problem);
    api_catalog_done(api);
    if (!claimed)
        response_problem(response, problem);
    else if (known && strcmp(answer.request, print) != 0)
        refuse(response, 422, ERROR_REFUSED, "the Idempotency-Key was used for another request");
    else if (known && answer.status == 0)
        refuse(response, 409, ERROR_BUSY, "the request with this Idempotency-Key is worked on");
    else if (known)
        repeat(api, request, response, &answer);
    else
        return TRUE;
    return FALSE;
}

void replay_end(Api *api, const Request *request, const Response *response)
{
    const char *key = request_header(request, KEY_HEADER);
    g_autoptr(GError) problem = NULL;
    g_autofree char *body = NULL;
    gsize length = 0;
    Catalog *catalog;
    gboolean kept;

    if (!applies(request))
        return;
    if (response->body != NULL) {
        const char *bytes = g_bytes_get_data(response->body, &length);

        body = g_strndup(bytes, length);
    }
    catalog = api_catalog(api);
    kept = response->status < 300
               ? catalog_answer_keep(catalog, request->who, key, response->status, request->note,
                                     request->note == NULL && body != NULL ? body : "", &problem)
               : catalog_answer_forget(catalog, request->who, key, &problem);
    api_catalog_done(api);
    if (!kept)
        log_write(LOG_WARNING, "an Idempotency-Key is not noted: %s", problem->message);
}
