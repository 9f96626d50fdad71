/* SPDX-License-Identifier: Apache-2.0
 *
 * A WebSocket server in a thread, for the tests of the client: it shakes hands, then gives every
 * message to the test's function. One connection at a time, any number after each other.
 */
#ifndef HOLDFAST_TESTS_TDENGINE_FAKE_H
#define HOLDFAST_TESTS_TDENGINE_FAKE_H

#include "tdengine/frame.h"

typedef struct Fake Fake;

/* A message of the client, unmasked, control frames too. `number` counts those of a connection from
 * 0, `connection` the connections from 0. */
typedef struct {
    Fake *fake;
    guint connection, number;
    TdOpcode opcode;
    const guint8 *data;
    gsize length;
    gpointer user_data;
} FakeMessage;

typedef void (*FakeHandler)(const FakeMessage *message);

/* The handler runs in the server's thread. */
Fake *fake_start(FakeHandler handler, gpointer user_data);
/* The answer to the handshake, instead of the right one. These two before fake_url(). */
void fake_set_answer(Fake *fake, const char *answer);
/* Sent together with the answer to the handshake. */
void fake_set_greeting(Fake *fake, const guint8 *bytes, gsize length);
void fake_stop(Fake *fake);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Fake, fake_stop)

/* Where to connect; starts the server. */
const char *fake_url(Fake *fake);
/* The first line of the last request to shake hands; free with g_free(). */
char *fake_request(Fake *fake);
guint fake_connections(Fake *fake);

/* Numbers that the handler counts with or goes by, from the test's thread. */
guint fake_look(Fake *fake, const guint *number);
void fake_change(Fake *fake, guint *number, guint value);

/* For handlers. */
void fake_send_bytes(Fake *fake, const void *bytes, gsize length);
/* One frame, unmasked as a server's is. */
void fake_send(Fake *fake, gboolean final, guint opcode, const void *data, gsize length);
void fake_send_text(Fake *fake, const char *text);
/* Ends the connection without a word. */
void fake_cut(Fake *fake);
/* Ends the connection; further ones are refused. */
void fake_go_away(Fake *fake);

#endif
