/* SPDX-License-Identifier: Apache-2.0
 *
 * What systemd wants from a service: states (sd_notify(3)), one datagram each to the socket that
 * $NOTIFY_SOCKET names; and messages for the journal, one datagram each in its native protocol
 * (https://systemd.io/JOURNAL_NATIVE_PROTOCOL).
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

typedef struct SystemdJournal SystemdJournal;

/* `path` is the journal's socket; NULL: the system's. It need not be there yet. */
SystemdJournal *systemd_journal_new(const char *path);
void systemd_journal_free(SystemdJournal *journal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SystemdJournal, systemd_journal_free)

/* A LogFunc, with a SystemdJournal as data: PRIORITY, SYSLOG_IDENTIFIER, MESSAGE, and each field as
 * HOLDFAST_<NAME>. Where the socket does not take it, "<4>text" (sd-daemon(3)) goes to standard
 * error, which leads to the journal as well. */
void systemd_log(LogLevel level, const char *text, const LogField *fields, gpointer data);

#endif
