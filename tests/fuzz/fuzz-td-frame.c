/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes what comes from a TDengine gateway: frames that arrive in pieces, answers inside them, the
 * answer to the handshake. The first byte chooses: 'h' the handshake, 't' and 'b' an answer as text
 * or binary, everything else frames in pieces of that size.
 */
#include <stdint.h>
#include <string.h>

#include "tdengine/handshake.h"
#include "tdengine/reply.h"

#define LIMIT (1024u * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_one(gboolean done, const GError *error)
{
    if (done == (error != NULL))
        g_error("a result and an error, or neither");
}

static void fuzz_handshake(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autoptr(GError) error = NULL;
    gsize length = 0;

    expect_one(td_handshake_check(text, strlen(text), "AAAAAAAAAAAAAAAAAAAAAA==", "peer", &length,
                                  &error),
               error);
    if (length > size)
        g_error("an answer that is longer than what came");
}

static void read_reply(const TdMessage *message)
{
    g_auto(TdReply) reply = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) failure = NULL;
    TdAnswer answer = {0};

    expect_one(td_reply_read(message, &reply, &error), error);
    if (error != NULL || reply.json == NULL)
        return;
    expect_one(td_reply_answer(reply.json, &answer, &failure), failure);
    g_free(answer.columns);
}

static void fuzz_frames(const uint8_t *data, size_t size, size_t step)
{
    g_autoptr(TdInbox) inbox = td_inbox_new(LIMIT);

    for (size_t at = 0; at < size; at += step) {
        g_autoptr(GError) error = NULL;
        TdMessage message;
        gboolean found = TRUE;
        gsize room;
        guint8 *space = td_inbox_space(inbox, &room, NULL);
        const gsize part = MIN(MIN(step, size - at), room);

        if (space == NULL)
            return;
        memcpy(space, data + at, part);
        td_inbox_filled(inbox, part);
        while (found) {
            if (!td_inbox_next(inbox, &message, &found, &error))
                return;
            if (found && message.opcode < TD_FRAME_CLOSE)
                read_reply(&message);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const TdMessage message = {size > 0 && data[0] == 't' ? TD_FRAME_TEXT : TD_FRAME_BINARY,
                               data + 1, size - 1};

    if (size == 0)
        return 0;
    if (data[0] == 'h')
        fuzz_handshake(data + 1, size - 1);
    else if (data[0] == 't' || data[0] == 'b')
        read_reply(&message);
    else
        fuzz_frames(data + 1, size - 1, MAX(data[0], 1u));
    return 0;
}
