/* SPDX-License-Identifier: Apache-2.0
 *
 * The answers of taosAdapter's WebSocket interface, taken apart. Works on bytes alone and trusts
 * none of them.
 */
#ifndef HOLDFAST_TDENGINE_REPLY_H
#define HOLDFAST_TDENGINE_REPLY_H

#include "base/json.h"
#include "tdengine/frame.h"
#include "tdengine/transport.h"

/* An answer of either kind. */
typedef struct {
    guint64 request; /* the id of the request that it answers */
    guint32 code;    /* 0: done */
    char *message;   /* owned */
    json_t *json;    /* of a text answer, owned; NULL: a binary one */
    /* of a binary one: */
    guint64 result; /* id */
    gboolean finished;
    const guint8 *data; /* a block, or raw data of a topic: borrowed from the message */
    gsize length;
    guint64 action;
    guint16 raw_type; /* of raw data */
} TdReply;

void td_reply_clear(TdReply *reply);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TdReply, td_reply_clear)

/* ERROR_FORMAT. */
gboolean td_reply_read(const TdMessage *message, TdReply *ret_reply,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What the answer to a statement says of its result. */
gboolean td_reply_answer(const json_t *json, TdAnswer *ret_answer,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
