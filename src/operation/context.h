/* SPDX-License-Identifier: Apache-2.0
 *
 * What every operation works on: the configuration, the open repository and its catalog.
 */
#ifndef HOLDFAST_OPERATION_CONTEXT_H
#define HOLDFAST_OPERATION_CONTEXT_H

#include "catalog/catalog.h"
#include "config/config.h"
#include "operation/open.h"
#include "repo/repository.h"

typedef struct {
    Config *config;
    Repository *repository;
    Catalog *
        catalog; /* in memory for a bare machine, and where none can be kept (a warning in the log says so) */
    char *scratch_directory;
} OperationContext;

/* Takes config; opens the repository that it names, then the catalog, and brings the catalog up to
 * the repository. */
OperationContext *operation_context_open(Config *config, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same for who has the catalog open and keeps it up by itself: another connection to it, and
 * what is in it is taken as it stands. */
OperationContext *operation_context_open_known(Config *config, const Catalog *catalog,
                                               GError **error) G_GNUC_WARN_UNUSED_RESULT;
void operation_context_free(OperationContext *context);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OperationContext, operation_context_free)

/* [retention] grace, in microseconds. */
gint64 operation_grace(const OperationContext *context);

/* The full id of the backup that an id, or any prefix or suffix that fits only one, names. The
 * backup need not be readable. ERROR_NOT_FOUND with the nearest known id as hint; ERROR_USAGE when
 * several fit. Free with g_free(). */
char *operation_resolve_backup(OperationContext *context, const char *id,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The directory for unnamed temporary files: <state_directory>/scratch, made when it is missing;
 * the system's temporary directory when it cannot be made. */
const char *operation_scratch_directory(const OperationContext *context);
/* The same without a context. Free with g_free(). */
char *operation_make_scratch(const Config *config);

#endif
