/* SPDX-License-Identifier: Apache-2.0
 *
 * The values of a command's options, looked up by name in the rows of its table: of the command that
 * runs in this process, or of a command line that is only checked.
 */
#ifndef HOLDFAST_CLI_VALUES_H
#define HOLDFAST_CLI_VALUES_H

#include <glib.h>

/* What was given, in rows with values behind their arg_data; NULL, FALSE or 0 where nothing was, and
 * where the table has no such option. Texts belong to the rows. */
const char *values_text(const GOptionEntry *options, const char *name);
char **values_list(const GOptionEntry *options, const char *name);
gboolean values_switch(const GOptionEntry *options, const char *name);
int values_number(const GOptionEntry *options, const char *name);

/* Rows of a table with places of their own for the values: several threads can parse at a time. */
typedef struct {
    GOptionEntry *entries; /* ends with a row without a name */
    union OptionValue *places;
} OptionValues;

/* options may be NULL: no rows. */
void values_init(OptionValues *values, const GOptionEntry *options);
void values_clear(OptionValues *values);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(OptionValues, values_clear)

#endif
