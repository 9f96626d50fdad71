/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages stay where they were received: a message of one frame is handed out in place, later
 * fragments are moved up behind the first.
 *
 * The bytes of an inbox:
 *
 *     start … start + length: the message that is being put together
 *     parsed … filled: not looked at yet
 */
#include "tdengine/frame.h"

#include <string.h>

#define FINAL       0x80u
#define RESERVED    0x70u
#define OPCODE      0x0fu
#define MASKED      0x80u
#define LENGTH_16   126u
#define LENGTH_64   127u
#define FIRST_SPACE (64u * 1024)

struct TdInbox {
    guint8 *bytes;
    gsize capacity;
    gsize filled;
    gsize parsed;
    gsize start;     /* of the message's payload, where a message is open */
    gsize length;    /* of its payload so far */
    TdOpcode opcode; /* of the open message; TD_FRAME_CONTINUATION: none is open */
    gsize max_message;
};

typedef struct {
    gboolean final;
    TdOpcode opcode;
    gsize header;
    guint64 length;
} Frame;

/* --- writing ---------------------------------------------------------------------------------- */

gsize td_frame_header(guint8 header[TD_FRAME_MAX_HEADER], TdOpcode opcode, guint64 length,
                      const guint8 mask[4])
{
    gsize at = 2;

    header[0] = (guint8)(FINAL | opcode);
    if (length < LENGTH_16) {
        header[1] = (guint8)(MASKED | length);
    } else if (length <= G_MAXUINT16) {
        const guint16 size = GUINT16_TO_BE((guint16)length);

        header[1] = MASKED | LENGTH_16;
        memcpy(header + at, &size, sizeof size);
        at += sizeof size;
    } else {
        const guint64 size = GUINT64_TO_BE(length);

        header[1] = MASKED | LENGTH_64;
        memcpy(header + at, &size, sizeof size);
        at += sizeof size;
    }
    memcpy(header + at, mask, 4);
    return at + 4;
}

void td_frame_mask(guint8 *to, const guint8 *from, gsize length, guint64 position,
                   const guint8 mask[4])
{
    guint8 turned[8];
    guint64 wide;
    gsize i = 0;

    for (guint b = 0; b < sizeof turned; b++)
        turned[b] = mask[(position + b) & 3];
    memcpy(&wide, turned, sizeof wide);
    for (; i + sizeof wide <= length; i += sizeof wide) {
        guint64 word;

        memcpy(&word, from + i, sizeof word);
        word ^= wide;
        memcpy(to + i, &word, sizeof word);
    }
    for (; i < length; i++)
        to[i] = from[i] ^ turned[i & 7];
}

/* --- reading ---------------------------------------------------------------------------------- */

TdInbox *td_inbox_new(gsize max_message)
{
    TdInbox *inbox = g_new0(TdInbox, 1);

    inbox->max_message = max_message;
    return inbox;
}

void td_inbox_free(TdInbox *inbox)
{
    if (inbox == NULL)
        return;
    g_free(inbox->bytes);
    g_free(inbox);
}

/* Drops what was handed out, headers and control frames: the open message moves to the front, what
 * was not looked at behind it. */
static void drop_given(TdInbox *inbox)
{
    const gsize rest = inbox->filled - inbox->parsed;
    gsize kept = 0;

    if (inbox->opcode != TD_FRAME_CONTINUATION) {
        kept = inbox->length;
        if (inbox->start != 0)
            memmove(inbox->bytes, inbox->bytes + inbox->start, kept);
    }
    if (rest != 0 && inbox->parsed != kept)
        memmove(inbox->bytes + kept, inbox->bytes + inbox->parsed, rest);
    inbox->start = 0;
    inbox->parsed = kept;
    inbox->filled = kept + rest;
}

guint8 *td_inbox_space(TdInbox *inbox, gsize *ret_size, GError **error)
{
    drop_given(inbox);
    if (inbox->capacity - inbox->filled < FIRST_SPACE / 2) {
        const gsize capacity = inbox->capacity == 0 ? FIRST_SPACE : inbox->capacity * 2;
        guint8 *bytes = g_try_realloc(inbox->bytes, capacity);

        if (bytes == NULL) {
            error_set(error, ERROR_LIMIT, "no memory for a message of over %zu bytes",
                      inbox->filled);
            return NULL;
        }
        inbox->bytes = bytes;
        inbox->capacity = capacity;
    }
    *ret_size = inbox->capacity - inbox->filled;
    return inbox->bytes + inbox->filled;
}

void td_inbox_filled(TdInbox *inbox, gsize length)
{
    g_assert(length <= inbox->capacity - inbox->filled);
    inbox->filled += length;
}

/* The bytes of a header, known from its second byte. */
static gsize header_size(guint8 second)
{
    const guint8 length = second & ~MASKED;

    return length == LENGTH_64 ? 10 : length == LENGTH_16 ? 4 : 2;
}

static guint64 payload_length(const guint8 *header, gsize size)
{
    guint64 length = 0;

    if (size == 2)
        return header[1];
    for (gsize i = 2; i < size; i++)
        length = length << 8 | header[i];
    return length;
}

static gboolean break_protocol(GError **error, const char *what)
{
    error_set(error, ERROR_FORMAT, "the server breaks the WebSocket protocol: %s", what);
    return FALSE;
}

static gboolean check_frame(const TdInbox *inbox, const Frame *frame, GError **error)
{
    const gboolean open = inbox->opcode != TD_FRAME_CONTINUATION;

    switch (frame->opcode) {
    case TD_FRAME_TEXT:
    case TD_FRAME_BINARY:
        if (open)
            return break_protocol(error, "a message inside another");
        break;
    case TD_FRAME_CONTINUATION:
        if (!open)
            return break_protocol(error, "a fragment of no message");
        break;
    case TD_FRAME_CLOSE:
    case TD_FRAME_PING:
    case TD_FRAME_PONG:
        if (!frame->final || frame->length > TD_FRAME_MAX_CONTROL)
            return break_protocol(error, "a control frame in parts or too long");
        return TRUE;
    default:
        return break_protocol(error, "an unknown kind of frame");
    }
    if (frame->length > inbox->max_message - (open ? inbox->length : 0)) {
        error_set(error, ERROR_LIMIT, "the server sends a message of more than %zu bytes",
                  inbox->max_message);
        return FALSE;
    }
    return TRUE;
}

/* Reads the header at `parsed`; *ret_whole tells whether the whole frame has come. */
static gboolean read_frame(const TdInbox *inbox, Frame *ret_frame, gboolean *ret_whole,
                           GError **error)
{
    const guint8 *header = inbox->bytes + inbox->parsed;
    const gsize available = inbox->filled - inbox->parsed;

    *ret_whole = FALSE;
    if (available < 2)
        return TRUE;
    if (header[0] & RESERVED)
        return break_protocol(error, "reserved bits are set");
    if (header[1] & MASKED)
        return break_protocol(error, "a masked frame");
    ret_frame->header = header_size(header[1]);
    if (available < ret_frame->header)
        return TRUE;
    ret_frame->final = (header[0] & FINAL) != 0;
    ret_frame->opcode = (TdOpcode)(header[0] & OPCODE);
    ret_frame->length = payload_length(header, ret_frame->header);
    if (!check_frame(inbox, ret_frame, error))
        return FALSE;
    *ret_whole = available - ret_frame->header >= ret_frame->length;
    return TRUE;
}

/* Adds the payload of a frame to the open message, or opens one. */
static void add_fragment(TdInbox *inbox, const Frame *frame)
{
    const gsize payload = inbox->parsed + frame->header;

    if (frame->opcode != TD_FRAME_CONTINUATION) {
        inbox->opcode = frame->opcode;
        inbox->start = payload;
        inbox->length = 0;
    } else {
        memmove(inbox->bytes + inbox->start + inbox->length, inbox->bytes + payload, frame->length);
    }
    inbox->length += frame->length;
}

gboolean td_inbox_next(TdInbox *inbox, TdMessage *ret_message, gboolean *ret_found, GError **error)
{
    Frame frame;
    gboolean whole;

    *ret_found = FALSE;
    for (;;) {
        if (!read_frame(inbox, &frame, &whole, error))
            return FALSE;
        if (!whole)
            return TRUE;
        if (frame.opcode >= TD_FRAME_CLOSE) {
            ret_message->opcode = frame.opcode;
            ret_message->data = inbox->bytes + inbox->parsed + frame.header;
            ret_message->length = frame.length;
            inbox->parsed += frame.header + frame.length;
            *ret_found = TRUE;
            return TRUE;
        }
        add_fragment(inbox, &frame);
        inbox->parsed += frame.header + frame.length;
        if (frame.final)
            break;
    }
    ret_message->opcode = inbox->opcode;
    ret_message->data = inbox->bytes + inbox->start;
    ret_message->length = inbox->length;
    inbox->opcode = TD_FRAME_CONTINUATION;
    *ret_found = TRUE;
    return TRUE;
}
