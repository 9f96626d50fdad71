/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands themselves, one file each; command.c has them in its table.
 */
#ifndef HOLDFAST_CLI_COMMANDS_H
#define HOLDFAST_CLI_COMMANDS_H

#include "cli/command.h"
#include "service/commands.h"

extern const Command command_init;
extern const Command command_check;
extern const Command command_backup_postgresql_full;
extern const Command command_backup_postgresql_incremental;
extern const Command command_backup_tdengine_full;
extern const Command command_backup_tdengine_incremental;
extern const Command command_list_backups;
extern const Command command_list_recoveries;
extern const Command command_show;
extern const Command command_verify;
extern const Command command_delete;
extern const Command command_report;
extern const Command command_restore_postgresql_full;
extern const Command command_restore_postgresql_pitr;
extern const Command command_restore_tdengine_full;
extern const Command command_restore_tdengine_pitr;
extern const Command command_cleanup;
extern const Command command_objectives;
extern const Command command_pin;
extern const Command command_unpin;
extern const Command command_catalog_rebuild;
extern const Command command_wal_push;
extern const Command command_wal_get;
extern const Command command_wal_receive;
extern const Command command_wal_list;
extern const Command command_drill;
extern const Command command_copy;
extern const Command command_export;
extern const Command command_key_list;
extern const Command command_key_add;
extern const Command command_key_remove;
extern const Command command_key_rotate;
extern const Command command_key_export;
extern const Command command_parquet_show;
extern const Command command_parquet_cat;
extern const Command command_token_add;
extern const Command command_token_list;
extern const Command command_token_revoke;
extern const Command command_serve;
extern const Command command_scheduler_start;
extern const Command command_scheduler_stop;
extern const Command command_scheduler_status;
extern const Command command_scheduler_jobs;
extern const Command command_job_list;
extern const Command command_job_show;
extern const Command command_job_cancel;
extern const Command command_job_log;
extern const Command command_notify_test;

/* What the service knows of all of them. In cmd-serve.c. */
extern const ServiceCommands command_services;

#endif
