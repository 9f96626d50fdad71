/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the cleanup operation share. Only operation/cleanup*.c include this.
 */
#ifndef HOLDFAST_OPERATION_CLEANUP_PRIVATE_H
#define HOLDFAST_OPERATION_CLEANUP_PRIVATE_H

#include "operation/cleanup.h"
#include "operation/retention.h"
#include "repo/lease.h"

/* Fills in items, sizes and notes of the plan. */
gboolean cleanup_plan(OperationContext *context, const CleanupRequest *request,
                      CleanupResult *result, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The rules of a source. */
RetentionRules cleanup_rules(const Config *config, const char *source);

/* Whether the request speaks of this source. */
gboolean cleanup_wants(const Config *config, const CleanupRequest *request, const char *source);

/* The lease that protects a backup, see lease_view_protects(); NULL: none. `views` is
 * what lease_list() gave. */
const LeaseView *cleanup_user(const GPtrArray *views, const char *id);

/* ERROR_REFUSED where a pin cannot be read, or a backup has lost its SHA256SUMS, and the request does
 * not name it as unreadable. The request may be NULL. */
gboolean cleanup_check_pins(Repository *repository, const CleanupRequest *request,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean cleanup_check_lost(Repository *repository, const CleanupRequest *request,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Removes archived logs that no kept backup needs; with dry_run only says which. Backups that the
 * plan deletes count as gone. */
gboolean cleanup_logs(OperationContext *context, const CleanupRequest *request, gboolean dry_run,
                      CleanupResult *result, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The audit: a record of what is going to be done, one of each deletion, one of the end. */
gboolean cleanup_record_plan(OperationContext *context, const CleanupResult *result, char **ret_id,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
void cleanup_record_deletion(OperationContext *context, const CleanupItem *item, const char *plan);
void cleanup_record_end(OperationContext *context, const CleanupResult *result, const char *plan,
                        const GError *problem);

#endif
