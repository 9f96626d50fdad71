/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks of configuration values, one function a type.
 */
#include "config/values.h"

#include <string.h>

#include "base/cron.h"
#include "base/error.h"
#include "base/size.h"
#include "base/suggest.h"

/* Errors of the parsers in base/ are about usage; inside a configuration they are about the
 * configuration. */
static gboolean as_config_error(gboolean result, GError *problem, GError **error)
{
    g_autofree char *text = NULL;

    if (result)
        return TRUE;
    text = error_text(problem);
    error_set(error, ERROR_CONFIG, "%s", text);
    if (error_hint(problem) != NULL)
        error_add_hint(error, "%s", error_hint(problem));
    g_error_free(problem);
    return FALSE;
}

char **config_list_split(const char *value)
{
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    g_autoptr(GString) item = g_string_new(NULL);
    gboolean more = strspn(value, " \t") != strlen(value);

    while (more) {
        /* Blanks at the end are taken off, but never one that was written as "\ ". */
        gsize keep = 0;

        g_string_truncate(item, 0);
        value += strspn(value, " \t");
        while (*value != '\0' && *value != ',') {
            if (*value == '\\' && value[1] != '\0') {
                value++;
                keep = item->len + 1;
            } else if (*value != ' ' && *value != '\t') {
                keep = item->len + 1;
            }
            g_string_append_c(item, *value++);
        }
        g_ptr_array_add(items, g_strndup(item->str, keep));
        more = *value++ == ',';
    }
    g_ptr_array_add(items, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&items), FALSE);
}

gboolean config_boolean_parse(const char *value, gboolean *ret_value, GError **error)
{
    static const char *const yes[] = {"on", "yes", "true", NULL};
    static const char *const no[] = {"off", "no", "false", NULL};

    if (g_strv_contains(yes, value)) {
        *ret_value = TRUE;
        return TRUE;
    }
    if (g_strv_contains(no, value)) {
        *ret_value = FALSE;
        return TRUE;
    }
    error_set(error, ERROR_CONFIG, "\"%s\" is neither on nor off", value);
    return FALSE;
}

static gboolean check_word(const char *words, const char *value, GError **error)
{
    g_auto(GStrv) known = g_strsplit(words, " ", -1);
    g_autofree char *all = NULL;
    const char *nearest;

    if (g_strv_contains((const char *const *)known, value))
        return TRUE;
    all = g_strjoinv(", ", known);
    error_set(error, ERROR_CONFIG, "\"%s\" is none of %s", value, all);
    nearest = suggest_nearest(value, (const char *const *)known);
    if (nearest != NULL)
        error_add_hint(error, "did you mean %s?", nearest);
    return FALSE;
}

static gboolean check_path(const char *value, GError **error)
{
    if (g_path_is_absolute(value))
        return TRUE;
    error_set(error, ERROR_CONFIG, "\"%s\" is no absolute path", value);
    error_add_hint(error, "write the path from the root on: /…");
    return FALSE;
}

static gboolean check_number(const ConfigKey *key, const char *value, GError **error)
{
    gint64 number;

    if (g_ascii_string_to_signed(value, 10, key->minimum, key->maximum, &number, NULL))
        return TRUE;
    error_set(error, ERROR_CONFIG,
              "\"%s\" is no whole number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, value,
              key->minimum, key->maximum);
    return FALSE;
}

static gboolean check_list(const ConfigKey *key, const char *value, GError **error)
{
    g_auto(GStrv) items = config_list_split(value);

    for (guint i = 0; items[i] != NULL; i++) {
        if (items[i][0] == '\0') {
            error_set(error, ERROR_CONFIG, "the list has an empty entry");
            error_add_hint(error, "separate entries with one comma each");
            return FALSE;
        }
        if (key->type == CONFIG_PATHS && !check_path(items[i], error))
            return FALSE;
        if (key->words != NULL && !check_word(key->words, items[i], error))
            return FALSE;
    }
    return TRUE;
}

static gboolean check_zone(const char *value, GError **error)
{
    g_autoptr(GTimeZone) zone = g_time_zone_new_identifier(value);

    if (zone != NULL)
        return TRUE;
    error_set(error, ERROR_CONFIG, "there is no time zone \"%s\"", value);
    error_add_hint(error, "use a name such as Europe/Berlin or UTC");
    return FALSE;
}

/* Only the form: levels are the codec's business, which stands in a layer above. */
static gboolean check_codec(const ConfigKey *key, const char *value, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(value, ":", 2);
    gint64 level;

    if (!check_word(key->words, parts[0] != NULL ? parts[0] : "", error))
        return FALSE;
    if (parts[1] == NULL || g_ascii_string_to_signed(parts[1], 10, -100, 100, &level, NULL))
        return TRUE;
    error_set(error, ERROR_CONFIG, "the level \"%s\" is no whole number", parts[1]);
    error_add_hint(error, "for example: zstd:3");
    return FALSE;
}

static gboolean check_key_form(const char *value, GError **error)
{
    static const char *const forms[] = {"passphrase-file=", "key-file=", "command=", NULL};

    for (guint i = 0; forms[i] != NULL; i++) {
        const char *rest = value + strlen(forms[i]);

        if (!g_str_has_prefix(value, forms[i]))
            continue;
        if (*rest != '\0' && (i == 2 || g_path_is_absolute(rest)))
            return TRUE;
        error_set(error, ERROR_CONFIG, "%s wants %s", forms[i],
                  i == 2 ? "a command" : "an absolute path");
        return FALSE;
    }
    /* The value is not shown: it might be the passphrase itself. */
    error_set(error, ERROR_CONFIG, "it is none of passphrase-file=F, key-file=F, command=CMD");
    return FALSE;
}

static gboolean check_address(const char *value, GError **error)
{
    const char *colon = strrchr(value, ':');
    guint64 port;

    if (g_str_has_prefix(value, "unix:"))
        return check_path(value + strlen("unix:"), error);
    if (colon != NULL && colon != value &&
        g_ascii_string_to_unsigned(colon + 1, 10, 0, 65535, &port, NULL))
        return TRUE;
    error_set(error, ERROR_CONFIG, "\"%s\" is neither ADDRESS:PORT nor unix:PATH", value);
    return FALSE;
}

static gboolean check_listen(const char *value, GError **error)
{
    g_auto(GStrv) items = config_list_split(value);

    for (guint i = 0; items[i] != NULL; i++) {
        if (!check_address(items[i], error))
            return FALSE;
    }
    return TRUE;
}

/* --- cron ------------------------------------------------------------------------------------- */

static gboolean check_cron(const char *value, GError **error)
{
    g_autoptr(Cron) cron = cron_parse(value, error);

    return cron != NULL;
}

/* --- commands --------------------------------------------------------------------------------- */

/* What the service may run by itself; options and further words may follow. */
static const char *const schedulable[] = {
    "backup postgresql full",
    "backup postgresql incremental",
    "backup tdengine full",
    "backup tdengine incremental",
    "cleanup",
    "verify",
    "drill",
    "copy",
    "objectives",
    NULL,
};

static gboolean check_command(const char *value, GError **error)
{
    g_autofree char *plain = NULL;
    g_auto(GStrv) words = NULL;
    const char *nearest;

    if (!g_shell_parse_argv(value, NULL, &words, NULL)) {
        error_set(error, ERROR_CONFIG, "\"%s\" has an open quote or no word at all", value);
        return FALSE;
    }
    plain = g_strjoinv(" ", words);
    for (guint i = 0; schedulable[i] != NULL; i++) {
        gsize length = strlen(schedulable[i]);

        if (strncmp(plain, schedulable[i], length) == 0 &&
            (plain[length] == '\0' || plain[length] == ' '))
            return TRUE;
    }
    error_set(error, ERROR_CONFIG, "\"%s\" is no command that can be scheduled", value);
    nearest = suggest_nearest(plain, schedulable);
    if (strcmp(words[0], "holdfast") == 0)
        error_add_hint(error, "write only the words behind holdfast");
    else if (nearest != NULL)
        error_add_hint(error, "did you mean \"%s\"?", nearest);
    else
        error_add_hint(error, "for example: backup postgresql full, cleanup, verify --all");
    return FALSE;
}

/* --- all types -------------------------------------------------------------------------------- */

static gboolean check_measure(ConfigType type, const char *value, GError **error)
{
    GError *problem = NULL;
    guint64 bytes;
    gint64 duration;
    double fraction;
    gboolean result;

    if (type == CONFIG_SIZE)
        result = size_parse(value, &bytes, &problem);
    else if (type == CONFIG_DURATION)
        result = duration_parse(value, &duration, &problem);
    else
        result = percent_parse(value, &fraction, &problem);
    return as_config_error(result, problem, error);
}

gboolean config_value_check(const ConfigKey *key, const char *value, GError **error)
{
    gboolean truth;

    switch (key->type) {
    case CONFIG_TEXT:
        return TRUE;
    case CONFIG_PATH:
        return check_path(value, error);
    case CONFIG_WORD:
        return check_word(key->words, value, error);
    case CONFIG_NUMBER:
        return check_number(key, value, error);
    case CONFIG_BOOLEAN:
        return config_boolean_parse(value, &truth, error);
    case CONFIG_SIZE:
    case CONFIG_DURATION:
    case CONFIG_PERCENT:
        return check_measure(key->type, value, error);
    case CONFIG_LIST:
    case CONFIG_PATHS:
        return check_list(key, value, error);
    case CONFIG_NAME:
        if (config_name_valid(value))
            return TRUE;
        error_set(error, ERROR_CONFIG, "\"%s\" is no name of a source", value);
        return FALSE;
    case CONFIG_ZONE:
        return check_zone(value, error);
    case CONFIG_CODEC:
        return check_codec(key, value, error);
    case CONFIG_CRON:
        return check_cron(value, error);
    case CONFIG_KEY:
        return check_key_form(value, error);
    case CONFIG_LISTEN:
        return check_listen(value, error);
    case CONFIG_COMMAND:
        return check_command(value, error);
    }
    g_assert_not_reached();
}
