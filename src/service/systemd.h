/* SPDX-License-Identifier: Apache-2.0
 *
 * What systemd wants from a service: states (sd_notify(3)), one datagram each to the socket that
 * $NOTIFY_SOCKET names; and log lines with their level in front (sd-daemon(3)).
 */
#ifndef HOLDFAST_SERVICE_SYSTEMD_H
#define HOLDFAST_SERVICE_SYSTEMD_H

#include "base/log.h"

/* `state` as in sd_notify(3): "READY=1\nSTATUS=…". Nothing happens without a socket; a message that
 * cannot be sent is lost: who asked for it notices. */
void systemd_notify(const char *state);

/* Tells the watchdog that the service lives, where there is one ($WATCHDOG_USEC); once a second. */
void systemd_beat(void);

/* Whether standard error goes to the journal, which notes the time by itself. */
gboolean systemd_has_journal(void);
/* A LogFunc: "<4>text" on standard error. */
void systemd_log(LogLevel level, const char *text, gpointer data);

#endif
