/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing recovery settings.
 */
#include "postgres/recovery-settings.h"

#include <string.h>

#include "base/time.h"

/* What an earlier recovery left: with ours it would be two targets, or another server's archive. */
static const char *const stale_settings[] = {
    "archive_cleanup_command",
    "recovery_end_command",
    "recovery_min_apply_delay",
    "recovery_target",
    "recovery_target_action",
    "recovery_target_inclusive",
    "recovery_target_lsn",
    "recovery_target_name",
    "recovery_target_time",
    "recovery_target_timeline",
    "recovery_target_xid",
    "restore_command",
    NULL,
};

/* Only a standby has use for these. */
static const char *const standby_settings[] = {
    "primary_conninfo",
    "primary_slot_name",
    "promote_trigger_file",
    NULL,
};

/* The name that a line of a configuration file sets, in lower case, or NULL. Free with g_free(). */
static char *setting_of_line(const char *line)
{
    gsize length;

    line += strspn(line, " \t\r");
    length = strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
    return length > 0 ? g_ascii_strdown(line, (gssize)length) : NULL;
}

static gboolean is_stale(const char *line, gboolean standby)
{
    g_autofree char *name = setting_of_line(line);

    return name != NULL && (g_strv_contains(stale_settings, name) ||
                            (!standby && g_strv_contains(standby_settings, name)));
}

GPtrArray *pg_recovery_find(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    GPtrArray *found = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; lines[i] != NULL; i++) {
        g_autofree char *name = setting_of_line(lines[i]);

        if (name != NULL && g_strv_contains(stale_settings, name) &&
            !g_ptr_array_find_with_equal_func(found, name, g_str_equal, NULL))
            g_ptr_array_add(found, g_steal_pointer(&name));
    }
    return found;
}

/* In a configuration file's string a quote is doubled, and so is a backslash, since it begins an
 * escape. */
static void append_setting(GString *text, const char *name, const char *value)
{
    g_string_append_printf(text, "%s = '", name);
    for (; *value != '\0'; value++) {
        if (*value == '\'' || *value == '\\')
            g_string_append_c(text, *value);
        if (*value == '\n')
            g_string_append(text, "\\n");
        else
            g_string_append_c(text, *value);
    }
    g_string_append(text, "'\n");
}

char *pg_recovery_time(gint64 when)
{
    g_autoptr(GDateTime) moment = g_date_time_new_from_unix_utc(when / TIME_SECOND);
    g_autofree char *seconds = g_date_time_format(moment, "%Y-%m-%d %H:%M:%S");

    return g_strdup_printf("%s.%06d+00", seconds, (int)(when % TIME_SECOND));
}

const char *pg_recovery_action(const EngineTarget *target)
{
    if (target->action != NULL)
        return target->action;
    return target->to == RECOVER_STATE || target->to == RECOVER_LATEST ? "promote" : "pause";
}

char *pg_recovery_describe(const EngineTarget *target)
{
    const char *before = target->exclusive ? "just before " : "";
    g_autofree char *when = NULL;

    switch (target->to) {
    case RECOVER_STATE:
        return g_strdup("the backup's own state");
    case RECOVER_TIME:
        when = time_format(target->time);
        return g_strconcat(before, when, NULL);
    case RECOVER_LSN:
        return g_strconcat(before, "LSN ", target->value, NULL);
    case RECOVER_XID:
        return g_strconcat(before, "transaction ", target->value, NULL);
    case RECOVER_NAME:
        return g_strconcat("restore point ", target->value, NULL);
    case RECOVER_IMMEDIATE:
        return g_strdup("the first consistent state");
    case RECOVER_LATEST:
        break;
    }
    return g_strdup("the latest state");
}

static void append_target(GString *text, const PgRecovery *recovery)
{
    const EngineTarget *target = recovery->target;
    g_autofree char *when = NULL;

    /* At the end of its WAL a server promotes by itself. */
    if (target->to == RECOVER_STATE && recovery->ends_with_backup)
        return;
    switch (target->to) {
    case RECOVER_STATE:
    case RECOVER_IMMEDIATE:
        append_setting(text, "recovery_target", "immediate");
        break;
    case RECOVER_TIME:
        when = pg_recovery_time(target->time);
        append_setting(text, "recovery_target_time", when);
        break;
    case RECOVER_LSN:
        append_setting(text, "recovery_target_lsn", target->value);
        break;
    case RECOVER_XID:
        append_setting(text, "recovery_target_xid", target->value);
        break;
    case RECOVER_NAME:
        append_setting(text, "recovery_target_name", target->value);
        break;
    case RECOVER_LATEST:
        return;
    }
    if (target->exclusive)
        append_setting(text, "recovery_target_inclusive", "false");
    append_setting(text, "recovery_target_action", pg_recovery_action(target));
}

char *pg_recovery_merge(const char *old, const PgRecovery *recovery)
{
    g_auto(GStrv) lines = g_strsplit(old != NULL ? old : "", "\n", -1);
    g_autofree char *timeline = recovery->timeline > 0
                                    ? g_strdup_printf("%" G_GUINT32_FORMAT, recovery->timeline)
                                    : g_strdup("current");
    GString *text = g_string_new(NULL);

    for (guint i = 0; lines[i] != NULL; i++) {
        gboolean last = lines[i + 1] == NULL;

        if (!is_stale(lines[i], recovery->standby) && !(last && lines[i][0] == '\0'))
            g_string_append_printf(text, "%s\n", lines[i]);
    }
    append_setting(text, "restore_command", recovery->restore_command);
    /* A standby without a target follows its primary from timeline to timeline. */
    if (recovery->standby && recovery->target->to == RECOVER_LATEST &&
        recovery->target->timeline == NULL)
        append_setting(text, "recovery_target_timeline", "latest");
    else
        append_setting(text, "recovery_target_timeline", timeline);
    append_target(text, recovery);
    return g_string_free(text, FALSE);
}

static void append_word(GString *command, const char *word)
{
    g_autofree char *quoted = NULL;

    if (word[0] != '\0' && strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "0123456789_./=-") == strlen(word))
        quoted = g_strdup(word);
    else
        quoted = g_shell_quote(word);
    if (command->len > 0)
        g_string_append_c(command, ' ');
    for (const char *at = quoted; *at != '\0'; at++) {
        if (*at == '%')
            g_string_append_c(command, '%');
        g_string_append_c(command, *at);
    }
}

char *pg_recovery_command(const char *const *wal_get, const char *source, gboolean standby)
{
    GString *command = g_string_new(NULL);

    for (guint i = 0; wal_get[i] != NULL; i++)
        append_word(command, wal_get[i]);
    append_word(command, "--source");
    append_word(command, source);
    if (standby)
        append_word(command, "--standby");
    g_string_append(command, " %f %p");
    return g_string_free(command, FALSE);
}
