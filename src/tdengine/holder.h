/* SPDX-License-Identifier: Apache-2.0
 *
 * Who makes something on a server, written so that a later process of the same host can tell
 * whether that one is still alive: "host pid start", the last in the kernel's ticks. What another
 * host holds cannot be told.
 *
 * Threads: any.
 */
#ifndef HOLDFAST_TDENGINE_HOLDER_H
#define HOLDFAST_TDENGINE_HOLDER_H

#include <glib.h>

/* This process. Free with g_free(). */
char *td_holder_self(void);
gboolean td_holder_is_here(const char *holder);    /* of this host */
gboolean td_holder_is_running(const char *holder); /* and alive */

#endif
