/* SPDX-License-Identifier: Apache-2.0
 *
 * What every operation works on: the configuration, the open repository and its catalog.
 */
#ifndef HOLDFAST_OPERATION_CONTEXT_H
#define HOLDFAST_OPERATION_CONTEXT_H

#include "catalog/catalog.h"
#include "config/config.h"
#include "repo/repository.h"

typedef struct {
    Config *config;
    Repository *repository;
    Catalog *
        catalog; /* NULL where none can be kept (read-only machine): operations go on, with a warning in the log */
} OperationContext;

/* Takes config; opens the repository that it names, then the catalog. */
OperationContext *operation_context_open(Config *config, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void operation_context_free(OperationContext *context);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OperationContext, operation_context_free)

/* The directory for unnamed temporary files: <state_directory>/scratch, made when it is missing; the system's temporary
 * directory when it cannot be made. */
const char *operation_scratch_directory(const OperationContext *context);

#endif
