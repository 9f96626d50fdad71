/* SPDX-License-Identifier: Apache-2.0
 *
 * A server's error codes as errors of ours. td_error_code() of client.h reads them back.
 */
#ifndef HOLDFAST_TDENGINE_FAULT_H
#define HOLDFAST_TDENGINE_FAULT_H

#include "base/error.h"

/* Codes of the server that its clients act upon: taoserror.h, low 16 bits. */
#define TD_FAULT_CONFLICT 0x03d3u /* another change of the cluster is under way: it passes */

/* What was asked of the server: decides what a refusal means. */
typedef enum { TD_ASKED_LOGIN, TD_ASKED_STATEMENT } TdAsked;

/* Sets an error from a code (its low 16 bits count) and the server's text, which may be NULL:
 * ERROR_SERVER; ERROR_UNREACHABLE where the code says that the database server is away;
 * ERROR_PERMISSION where a login was refused. Gives FALSE. */
gboolean td_fault_set(GError **error, TdAsked asked, const char *peer, guint32 code,
                      const char *text);

#endif
