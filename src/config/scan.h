/* SPDX-License-Identifier: Apache-2.0
 *
 * The outline of a configuration file: which section and key stands on which line. GKeyFile reads
 * the values, but it merges sections and keys that are given twice and knows no lines; both matter
 * to whoever has to mend a file.
 */
#ifndef HOLDFAST_CONFIG_SCAN_H
#define HOLDFAST_CONFIG_SCAN_H

#include <glib.h>

typedef struct {
    char *group;   /* as in the file: "source market" */
    char *section; /* "source" */
    char *name;    /* "market", or NULL */
    char *key;     /* NULL: the section's own line */
    guint line;    /* from 1 */
} ConfigEntry;

/* All sections and keys, in the file's order; an array of ConfigEntry. ERROR_CONFIG with the line
 * for text that is neither section, key nor comment, for unknown sections and keys (with the
 * nearest known one), and for what is given twice. Lines are never quoted, since one may be a
 * password. `what` names the file. */
GPtrArray *config_scan(const char *bytes, gsize length, const char *what,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
