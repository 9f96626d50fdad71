/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening the repository alone: for commands that must start fast and need no catalog.
 */
#ifndef HOLDFAST_OPERATION_OPEN_H
#define HOLDFAST_OPERATION_OPEN_H

#include "config/config.h"
#include "repo/repository.h"

/* Whether the configuration says all that an operation needs of a repository, and nothing that this
 * version cannot do. ERROR_CONFIG. */
gboolean operation_check_config(const Config *config, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The repository that the configuration names. */
Repository *operation_open_repository(const Config *config,
                                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
