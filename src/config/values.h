/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of the configuration: whether one fits its key, and what it means.
 */
#ifndef HOLDFAST_CONFIG_VALUES_H
#define HOLDFAST_CONFIG_VALUES_H

#include "config/keys.h"

/* Checks a value, as written, against its key's type and range. ERROR_CONFIG says what is wrong and
 * what would be right, without naming file, section or key: the caller knows them. */
gboolean config_value_check(const ConfigKey *key, const char *value,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A list's items: separated by ",", blanks around them taken off, "\" before "," or "\" takes it
 * literally. Never NULL; an empty item stays in the list (checks refuse it). Free with
 * g_strfreev(). */
char **config_list_split(const char *value);

/* on, off, yes, no, true, false. */
gboolean config_boolean_parse(const char *value, gboolean *ret_value,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
