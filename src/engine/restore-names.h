/* SPDX-License-Identifier: Apache-2.0
 *
 * Which databases of a backup are restored, and under which names: --databases and --to-database
 * ("X" or "A=X,B=Y"; a backslash takes a comma, an equals sign or itself literally).
 *
 * Pure functions; threads: any.
 */
#ifndef HOLDFAST_ENGINE_RESTORE_NAMES_H
#define HOLDFAST_ENGINE_RESTORE_NAMES_H

#include <glib.h>

typedef struct {
    char *source, *target;
} EngineRestoreName;

/* `known` are the databases of the backup; `wanted` (or NULL) and `to` (or NULL) the two options.
 * `several`: with "X" several databases may still be chosen, since table patterns will say which.
 * ERROR_NOT_FOUND with the nearest name, ERROR_USAGE. */
gboolean engine_restore_names(const char *const *known, const char *const *wanted, const char *to,
                              gboolean several, GPtrArray **ret_pairs,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
