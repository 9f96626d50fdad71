/* SPDX-License-Identifier: Apache-2.0
 *
 * A request's fields are the options of the command that it stands for: which there are, and of what
 * type, is read out of the command's own table.
 *
 * Names have underscores for dashes. A text is a string, a number an integer, a switch a boolean, a
 * list an array of strings or a string with commas, as on the command line. null is the same as
 * nothing.
 */
#ifndef HOLDFAST_SERVICE_FIELDS_H
#define HOLDFAST_SERVICE_FIELDS_H

#include <glib.h>

#include "base/json.h"

/* Adds "--name=value" for each field of the body (which may be NULL) to words. ERROR_USAGE for a
 * field that there is not, with the nearest as hint, or of another type. */
gboolean fields_to_words(const GOptionEntry *entries, const json_t *body, GStrvBuilder *words,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
