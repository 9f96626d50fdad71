/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests that may come twice: a POST with an Idempotency-Key is done once, and who sends it again
 * within a day, over a restart of the service too, gets the same answer.
 *
 * Threads: any; takes the API's catalog for itself.
 */
#ifndef HOLDFAST_SERVICE_REPLAY_H
#define HOLDFAST_SERVICE_REPLAY_H

#include "service/api.h"

#define REPLAY_KEY_LIMIT 200

/* Whether the request is to be done. FALSE where the response is filled: with the answer that was
 * given before (a job as it is now), or a refusal: the key was used for something else (422), or its
 * request is being worked on (409). A request without a key is always to be done. */
gboolean replay_begin(Api *api, Request *request, Response *response);

/* Keeps the answer: only that of a request that did something. */
void replay_end(Api *api, const Request *request, const Response *response);

#endif
