/* SPDX-License-Identifier: Apache-2.0
 *
 * A limit on bytes a second that several threads share.
 *
 * Threads: any.
 */
#ifndef HOLDFAST_BASE_THROTTLE_H
#define HOLDFAST_BASE_THROTTLE_H

#include <gio/gio.h>

typedef struct Throttle Throttle;

/* `rate` in bytes a second; NULL for 0, no limit. */
Throttle *throttle_new(guint64 rate);
void throttle_free(Throttle *throttle);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Throttle, throttle_free)

/* Before `bytes` are read or sent: waits until they may be. NULL: at once. FALSE (ERROR_CANCELLED)
 * when the cancellable, which may be NULL, fires meanwhile. */
gboolean throttle_take(Throttle *throttle, guint64 bytes, GCancellable *cancellable,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A wait that a cancel ends early: FALSE (ERROR_CANCELLED) then. `cancellable` may be NULL. */
gboolean throttle_pause(gint64 microseconds, GCancellable *cancellable,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
