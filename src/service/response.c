/* SPDX-License-Identifier: Apache-2.0
 *
 * Making answers.
 */
#include "service/response.h"

#include <string.h>

#include "base/error.h"

Response *response_new(void)
{
    Response *response = g_new0(Response, 1);

    response->header = g_ptr_array_new_with_free_func(g_free);
    return response;
}

void response_clear(Response *response)
{
    g_ptr_array_set_size(response->header, 0);
    g_clear_pointer(&response->body, g_bytes_unref);
    if (response->free_data != NULL)
        response->free_data(response->data);
    g_clear_pointer(&response->waker, waker_unref);
    response->status = 0;
    response->read = NULL;
    response->data = NULL;
    response->free_data = NULL;
}

void response_free(Response *response)
{
    if (response == NULL)
        return;
    response_clear(response);
    g_ptr_array_unref(response->header);
    g_free(response);
}

void response_set_header(Response *response, const char *name, const char *value)
{
    for (guint i = 0; i < response->header->len; i += 2) {
        if (g_ascii_strcasecmp(response->header->pdata[i], name) == 0) {
            g_free(response->header->pdata[i + 1]);
            response->header->pdata[i + 1] = g_strdup(value);
            return;
        }
    }
    g_ptr_array_add(response->header, g_strdup(name));
    g_ptr_array_add(response->header, g_strdup(value));
}

const char *response_header(const Response *response, const char *name)
{
    for (guint i = 0; i < response->header->len; i += 2) {
        if (g_ascii_strcasecmp(response->header->pdata[i], name) == 0)
            return response->header->pdata[i + 1];
    }
    return NULL;
}

void response_bytes(Response *response, guint status, const char *content_type, GBytes *bytes)
{
    response->status = status;
    g_clear_pointer(&response->body, g_bytes_unref);
    response->body = g_bytes_ref(bytes);
    response_set_header(response, "Content-Type", content_type);
}

void response_text(Response *response, guint status, const char *content_type, const char *text)
{
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));

    response_bytes(response, status, content_type, bytes);
}

void response_json(Response *response, guint status, json_t *json)
{
    g_autofree char *text = json_write(json, FALSE);

    response_text(response, status, "application/json", text);
    json_decref(json);
}

Waker *response_stream(Response *response, const char *content_type, ResponseReadFunc read,
                       gpointer data, GDestroyNotify free_data)
{
    response->status = 200;
    response->read = read;
    response->data = data;
    response->free_data = free_data;
    response->waker = waker_new();
    response_set_header(response, "Content-Type", content_type);
    return response->waker;
}

/* --- problems --------------------------------------------------------------------------------- */

json_t *problem_json(guint status, const GError *error)
{
    const ErrorInfo *info = error_info_of(error);
    g_autofree char *detail = error_text(error);
    json_t *json = json_object();

    json_object_set_new(json, "title", json_text(info->summary));
    json_object_set_new(json, "status", json_integer(status));
    json_object_set_new(json, "detail", json_text(detail));
    json_object_set_new(json, "code", json_text(info->name));
    json_object_set_new(json, "hint", json_text(error_hint(error)));
    return json;
}

void response_problem_status(Response *response, guint status, const GError *error)
{
    response_json(response, status, problem_json(status, error));
    response_set_header(response, "Content-Type", "application/problem+json");
}

void response_problem(Response *response, const GError *error)
{
    response_problem_status(response, (guint)error_info_of(error)->http_status, error);
}
