/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of all commands, and what most of them begin with. Apart from command.c, so that the
 * program's fast front can do with few of them and without the libraries of the others.
 */
#include "cli/commands.h"

const Command *const command_table[] = {
    &command_init,
    &command_check,
    &command_backup_postgresql_full,
    &command_backup_postgresql_incremental,
    &command_backup_tdengine_full,
    &command_backup_tdengine_incremental,
    &command_list_backups,
    &command_show,
    &command_verify,
    &command_restore_postgresql_full,
    &command_restore_postgresql_pitr,
    &command_restore_tdengine_full,
    &command_restore_tdengine_pitr,
    &command_list_recoveries,
    &command_delete,
    &command_pin,
    &command_unpin,
    &command_cleanup,
    &command_objectives,
    &command_drill,
    &command_report,
    &command_wal_push,
    &command_wal_get,
    &command_wal_receive,
    &command_wal_list,
    &command_copy,
    &command_export,
    &command_key_list,
    &command_key_add,
    &command_key_remove,
    &command_key_rotate,
    &command_key_export,
    &command_token_add,
    &command_token_list,
    &command_token_revoke,
    &command_serve,
    &command_scheduler_start,
    &command_scheduler_stop,
    &command_scheduler_status,
    &command_scheduler_jobs,
    &command_job_list,
    &command_job_show,
    &command_job_cancel,
    &command_job_log,
    &command_notify_test,
    &command_catalog_rebuild,
    &command_parquet_show,
    &command_parquet_cat,
    NULL,
};

OperationContext *command_open(CommandRun *run, GError **error)
{
    Config *config = command_config(run, error);

    return config != NULL ? operation_context_open(config, error) : NULL;
}
