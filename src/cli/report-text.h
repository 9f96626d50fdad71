/* SPDX-License-Identifier: Apache-2.0
 *
 * A report on a backup for eyes: as lines of text, or as one HTML page that needs nothing else.
 */
#ifndef HOLDFAST_CLI_REPORT_TEXT_H
#define HOLDFAST_CLI_REPORT_TEXT_H

#include "base/json.h"

/* Free with g_free(). */
char *report_to_text(const json_t *report);
char *report_to_html(const json_t *report);

#endif
