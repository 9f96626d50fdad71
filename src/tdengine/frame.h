/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames of the WebSocket protocol (RFC 6455, section 5) as a client writes and reads them: headers,
 * masking, messages put together from fragments. Works on bytes alone and trusts none of them.
 */
#ifndef HOLDFAST_TDENGINE_FRAME_H
#define HOLDFAST_TDENGINE_FRAME_H

#include "base/error.h"

typedef enum {
    TD_FRAME_CONTINUATION = 0,
    TD_FRAME_TEXT = 1,
    TD_FRAME_BINARY = 2,
    TD_FRAME_CLOSE = 8,
    TD_FRAME_PING = 9,
    TD_FRAME_PONG = 10,
} TdOpcode;

#define TD_FRAME_MAX_HEADER  14u
#define TD_FRAME_MAX_CONTROL 125u /* bytes of a ping, pong or close */

/* Writes the header of a whole message in one masked frame; gives its length. */
gsize td_frame_header(guint8 header[TD_FRAME_MAX_HEADER], TdOpcode opcode, guint64 length,
                      const guint8 mask[4]);

/* Copies length bytes, masked. position is that of the first byte inside the frame's payload. */
void td_frame_mask(guint8 *to, const guint8 *from, gsize length, guint64 position,
                   const guint8 mask[4]);

/* What came from the server and was not handed out yet. One message at a time, borrowed from it. */
typedef struct TdInbox TdInbox;

typedef struct {
    TdOpcode opcode; /* never a continuation */
    const guint8 *data;
    gsize length;
} TdMessage;

/* Messages and frames of more than max_message bytes are refused. */
TdInbox *td_inbox_new(gsize max_message);
void td_inbox_free(TdInbox *inbox);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdInbox, td_inbox_free)

/* Where the next bytes go: at least one, at most *ret_size. It grows with what has come, not with
 * what a header announces. Ends what was borrowed. NULL: no memory (ERROR_LIMIT). */
guint8 *td_inbox_space(TdInbox *inbox, gsize *ret_size, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* That many bytes were put there. */
void td_inbox_filled(TdInbox *inbox, gsize length);

/* The next message; *ret_found is FALSE where more bytes are needed. Control messages come out
 * between the fragments of others. Text is not checked for UTF-8. The message is borrowed until
 * the next call. ERROR_FORMAT where the bytes break the protocol, ERROR_LIMIT. */
gboolean td_inbox_next(TdInbox *inbox, TdMessage *ret_message, gboolean *ret_found,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
