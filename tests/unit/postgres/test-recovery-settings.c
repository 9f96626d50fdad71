/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests of the settings that lead a recovery.
 */
#include "postgres/recovery-settings.h"

#include <string.h>

static void check_merge(const char *old, const PgRecovery *recovery, const char *expected)
{
    g_autofree char *text = pg_recovery_merge(old, recovery);

    g_assert_cmpstr(text, ==, expected);
}

static void test_targets(void)
{
    static const struct {
        EngineTarget target;
        const char *lines;
    } cases[] = {
        {{.to = RECOVER_TIME, .time = G_GINT64_CONSTANT(1795312800123456)},
         "recovery_target_time = '2026-11-22 02:00:00.123456+00'\n"
         "recovery_target_action = 'pause'\n"},
        {{.to = RECOVER_LSN, .value = "0/3000060", .exclusive = TRUE, .action = "promote"},
         "recovery_target_lsn = '0/3000060'\nrecovery_target_inclusive = 'false'\n"
         "recovery_target_action = 'promote'\n"},
        {{.to = RECOVER_XID, .value = "777", .action = "shutdown"},
         "recovery_target_xid = '777'\nrecovery_target_action = 'shutdown'\n"},
        {{.to = RECOVER_NAME, .value = "it's \\ here"},
         "recovery_target_name = 'it''s \\\\ here'\nrecovery_target_action = 'pause'\n"},
        {{.to = RECOVER_IMMEDIATE},
         "recovery_target = 'immediate'\nrecovery_target_action = 'pause'\n"},
        {{.to = RECOVER_STATE},
         "recovery_target = 'immediate'\nrecovery_target_action = 'promote'\n"},
        {{.to = RECOVER_LATEST}, ""},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const PgRecovery recovery = {.target = &cases[i].target,
                                     .timeline = 3,
                                     .restore_command = "false"};
        g_autofree char *expected =
            g_strconcat("restore_command = 'false'\nrecovery_target_timeline = '3'\n",
                        cases[i].lines, NULL);

        check_merge(NULL, &recovery, expected);
    }
}

static void test_stale_settings(void)
{
    const EngineTarget latest = {.to = RECOVER_LATEST};
    const char *old = "# kept\nwork_mem = '7MB'\n  Recovery_Target_XID = '7'\n"
                      "restore_command='x'\nprimary_conninfo = 'host=a'\n"
                      "recovery_target_time '2020-01-01'\nrecovery_prefetch = on\n";
    PgRecovery recovery = {.target = &latest, .restore_command = "false"};

    check_merge(old, &recovery,
                "# kept\nwork_mem = '7MB'\nrecovery_prefetch = on\n"
                "restore_command = 'false'\nrecovery_target_timeline = 'current'\n");
    recovery.standby = TRUE;
    check_merge(old, &recovery,
                "# kept\nwork_mem = '7MB'\nprimary_conninfo = 'host=a'\nrecovery_prefetch = on\n"
                "restore_command = 'false'\nrecovery_target_timeline = 'latest'\n");
    /* The last line may lack its end. */
    recovery.standby = FALSE;
    check_merge("work_mem = 1", &recovery,
                "work_mem = 1\nrestore_command = 'false'\n"
                "recovery_target_timeline = 'current'\n");
}

static void test_find(void)
{
    g_autoptr(GPtrArray) found =
        pg_recovery_find("#recovery_target_name = 'a'\nrecovery_target_lsn = '0/1'\n"
                         "\trecovery_target_lsn = '0/2'\nport = 1\n");

    g_assert_cmpuint(found->len, ==, 1);
    g_assert_cmpstr(g_ptr_array_index(found, 0), ==, "recovery_target_lsn");
}

static void test_command(void)
{
    static const char *const words[] = {"/opt/a b/holdfast", "wal",           "get",
                                        "--config",          "/etc/50%.conf", NULL};
    g_autofree char *command = pg_recovery_command(words, "main", FALSE);
    g_autofree char *standby = pg_recovery_command(words + 1, "main", TRUE);

    g_assert_cmpstr(command, ==,
                    "'/opt/a b/holdfast' wal get --config '/etc/50%%.conf' --source main %f %p");
    g_assert_cmpstr(standby, ==, "wal get --config '/etc/50%%.conf' --source main --standby %f %p");
}

/* Nothing to stop at: the end of the WAL is the target. */
static void test_backup_that_ends_with_its_wal(void)
{
    const EngineTarget state = {.to = RECOVER_STATE};
    const PgRecovery recovery = {.target = &state,
                                 .restore_command = "false",
                                 .ends_with_backup = TRUE};

    check_merge(NULL, &recovery,
                "restore_command = 'false'\nrecovery_target_timeline = 'current'\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/postgres/recovery-settings/targets", test_targets);
    g_test_add_func("/postgres/recovery-settings/stale", test_stale_settings);
    g_test_add_func("/postgres/recovery-settings/find", test_find);
    g_test_add_func("/postgres/recovery-settings/command", test_command);
    g_test_add_func("/postgres/recovery-settings/ends-with-backup",
                    test_backup_that_ends_with_its_wal);
    return g_test_run();
}
