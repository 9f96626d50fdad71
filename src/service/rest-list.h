/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists in pages: {"items": […], "next": …}, where `next` is what `cursor` must be for the page
 * behind, or null.
 */
#ifndef HOLDFAST_SERVICE_REST_LIST_H
#define HOLDFAST_SERVICE_REST_LIST_H

#include "service/request.h"
#include "service/response.h"

/* `limit` of the query: 1 to 1000, 100 by default. */
gboolean rest_list_limit(const Request *request, guint *ret_limit,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Answers with the first `limit` of items; where there are more, `next` is the "id" of the last one
 * that is answered. Takes items. */
void rest_list_answer(Response *response, json_t *items, guint limit);

/* Refuses a cursor that is not (or no longer) among what is listed: ERROR_USAGE. */
gboolean rest_list_cursor(const char *cursor, gboolean known,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A parameter of the query that must be one of the words, or nothing. ERROR_USAGE. */
gboolean rest_list_word(const Request *request, const char *name, const char *const *known,
                        const char **ret_word, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
