/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading a configuration: outline, values, checks, and what the whole must satisfy.
 */
#include "config/config.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/suggest.h"
#include "config/keys.h"
#include "config/scan.h"
#include "config/source.h"
#include "config/values.h"

#define FILE_LIMIT (1024 * 1024)

struct Config {
    gint references;
    char *path;
    GHashTable *values; /* "section name\nkey" to value */
    char *state_directory;
    char *runtime_directory;
    gboolean repository_replaced, key_replaced;
    GTimeZone *zone;
    GPtrArray *sources;   /* ConfigSource */
    GPtrArray *schedules; /* their names and a NULL */
    GPtrArray *notifies;  /* the same */
};

char *config_default_path(void)
{
    const char *named = g_getenv("HOLDFAST_CONFIG");
    g_autofree char *own = NULL;

    if (named != NULL && named[0] != '\0')
        return g_strdup(named);
    own = g_build_filename(g_get_user_config_dir(), "holdfast", "holdfast.conf", NULL);
    if (!g_file_test(own, G_FILE_TEST_EXISTS) &&
        (geteuid() == 0 || access(CONFIG_SYSTEM_PATH, R_OK) == 0))
        return g_strdup(CONFIG_SYSTEM_PATH);
    return g_steal_pointer(&own);
}

static Config *config_new(const char *path)
{
    Config *config = g_new0(Config, 1);

    config->references = 1;
    config->path = g_strdup(path);
    config->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    config->sources = g_ptr_array_new_with_free_func((GDestroyNotify)config_source_free);
    config->schedules = g_ptr_array_new_with_free_func(g_free);
    config->notifies = g_ptr_array_new_with_free_func(g_free);
    return config;
}

Config *config_ref(const Config *config)
{
    Config *shared = (Config *)config; /* nothing but the count changes */

    g_atomic_int_inc(&shared->references);
    return shared;
}

void config_free(Config *config)
{
    if (config == NULL || !g_atomic_int_dec_and_test(&config->references))
        return;
    g_free(config->path);
    g_hash_table_unref(config->values);
    g_free(config->state_directory);
    g_free(config->runtime_directory);
    g_clear_pointer(&config->zone, g_time_zone_unref);
    g_ptr_array_unref(config->sources);
    g_ptr_array_unref(config->schedules);
    g_ptr_array_unref(config->notifies);
    g_free(config);
}

/* The name under which a section's values are kept, whatever blanks the file has in it. */
static char *group_name(const ConfigEntry *entry)
{
    return entry->name != NULL ? g_strconcat(entry->section, " ", entry->name, NULL)
                               : g_strdup(entry->section);
}

static void set_value(Config *config, const char *group, const char *key, const char *value)
{
    g_hash_table_insert(config->values, g_strconcat(group, "\n", key, NULL), g_strdup(value));
}

static const char *given_value(const Config *config, const char *group, const char *key)
{
    g_autofree char *mark = g_strconcat(group, "\n", key, NULL);

    return g_hash_table_lookup(config->values, mark);
}

const char *config_get(const Config *config, const char *section, const char *key)
{
    g_auto(GStrv) words = g_strsplit(section, " ", 2);
    const ConfigKey *row = config_key_find(words[0], key);
    const char *value = given_value(config, section, key);

    g_return_val_if_fail(row != NULL, NULL);
    return value != NULL ? value : row->fallback;
}

const char *config_get_named(const Config *config, const char *section, const char *name,
                             const char *key)
{
    g_autofree char *group = g_strconcat(section, " ", name, NULL);
    const char *value = given_value(config, group, key);

    return value != NULL ? value : config_get(config, section, key);
}

/* Reads one key's value from the key file and checks it. Values are taken as written: GKeyFile's
 * escapes would only get in the way of libpq's. */
static gboolean load_value(Config *config, GKeyFile *file, const ConfigEntry *entry,
                           const char *what, GError **error)
{
    const ConfigKey *row = config_key_find(entry->section, entry->key);
    g_autofree char *value = g_key_file_get_value(file, entry->group, entry->key, NULL);
    g_autofree char *group = group_name(entry);

    if (value == NULL) {
        error_set(error, ERROR_CONFIG, "%s:%u: the line of key \"%s\" cannot be read", what,
                  entry->line, entry->key);
        return FALSE;
    }
    g_strstrip(value);
    if (!config_value_check(row, value, error)) {
        g_prefix_error(error, "%s:%u: key \"%s\": ", what, entry->line, entry->key);
        return FALSE;
    }
    set_value(config, group, entry->key, value);
    return TRUE;
}

static gboolean load_values(Config *config, GPtrArray *entries, const char *bytes, gsize length,
                            const char *what, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();

    if (entries->len == 0)
        return TRUE;
    /* The parser's own message quotes the line, and lines may hold passwords. */
    if (!g_key_file_load_from_data(file, bytes, length, G_KEY_FILE_NONE, NULL)) {
        error_set(error, ERROR_CONFIG, "%s is no key file of sections and keys", what);
        return FALSE;
    }
    for (guint i = 0; i < entries->len; i++) {
        const ConfigEntry *entry = g_ptr_array_index(entries, i);

        if (entry->key != NULL && !load_value(config, file, entry, what, error))
            return FALSE;
    }
    return TRUE;
}

static const ConfigSource *source_by_name(const Config *config, const char *name)
{
    for (guint i = 0; i < config->sources->len; i++) {
        const ConfigSource *source = g_ptr_array_index(config->sources, i);

        if (strcmp(source->name, name) == 0)
            return source;
    }
    return NULL;
}

static const char *nearest_source(const Config *config, const char *name)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (guint i = 0; i < config->sources->len; i++)
        g_ptr_array_add(names, ((ConfigSource *)g_ptr_array_index(config->sources, i))->name);
    g_ptr_array_add(names, NULL);
    return suggest_nearest(name, (const char *const *)names->pdata);
}

/* A source that another section speaks of must be there. */
static gboolean check_mention(const Config *config, const char *name, guint line, const char *what,
                              GError **error)
{
    const char *nearest;

    if (source_by_name(config, name) != NULL)
        return TRUE;
    nearest = nearest_source(config, name);
    error_set(error, ERROR_CONFIG, "%s:%u: there is no [source %s]", what, line, name);
    if (nearest != NULL)
        error_add_hint(error, "did you mean %s?", nearest);
    return FALSE;
}

/* Keys without which a section means nothing. */
static gboolean check_needed(const Config *config, const ConfigEntry *section, const char *key,
                             const char *example, const char *what, GError **error)
{
    g_autofree char *group = group_name(section);

    if (given_value(config, group, key) != NULL)
        return TRUE;
    error_set(error, ERROR_CONFIG, "%s:%u: [%s] has no key \"%s\"", what, section->line, group,
              key);
    error_add_hint(error, "for example: %s = %s", key, example);
    return FALSE;
}

static gboolean load_source(Config *config, GPtrArray *entries, const ConfigEntry *section,
                            const char *what, GError **error)
{
    g_autofree char *group = group_name(section);
    const char *engine;

    if (!check_needed(config, section, "engine", "postgresql", what, error))
        return FALSE;
    engine = given_value(config, group, "engine");
    for (guint i = 0; i < entries->len; i++) {
        const ConfigEntry *entry = g_ptr_array_index(entries, i);
        const ConfigKey *row;

        if (entry->key == NULL || strcmp(entry->group, section->group) != 0)
            continue;
        row = config_key_find(entry->section, entry->key);
        if (row->engine == NULL || strcmp(row->engine, engine) == 0)
            continue;
        error_set(error, ERROR_CONFIG,
                  "%s:%u: key \"%s\" is for sources with engine = %s; [%s] is %s", what,
                  entry->line, entry->key, row->engine, group, engine);
        error_add_hint(error, "remove the line, or correct the engine");
        return FALSE;
    }
    g_ptr_array_add(config->sources, config_source_build(config, section->name));
    return TRUE;
}

/* What no single value shows: needed keys, and sources that are spoken of. */
static gboolean check_whole(Config *config, GPtrArray *entries, const char *what, GError **error)
{
    for (guint i = 0; i < entries->len; i++) {
        const ConfigEntry *entry = g_ptr_array_index(entries, i);

        if (entry->key == NULL && strcmp(entry->section, "source") == 0 &&
            !load_source(config, entries, entry, what, error))
            return FALSE;
    }
    for (guint i = 0; i < entries->len; i++) {
        const ConfigEntry *entry = g_ptr_array_index(entries, i);
        g_autofree char *group = group_name(entry);

        if (entry->key != NULL) {
            const ConfigKey *row = config_key_find(entry->section, entry->key);

            if (row->type == CONFIG_NAME &&
                !check_mention(config, given_value(config, group, entry->key), entry->line, what,
                               error))
                return FALSE;
            continue;
        }
        if (strcmp(entry->section, "retention") == 0 && entry->name != NULL &&
            !check_mention(config, entry->name, entry->line, what, error))
            return FALSE;
        if (strcmp(entry->section, "schedule") == 0)
            g_ptr_array_add(config->schedules, g_strdup(entry->name));
        if (strcmp(entry->section, "schedule") == 0 &&
            (!check_needed(config, entry, "command", "backup postgresql full", what, error) ||
             !check_needed(config, entry, "cron", "0 3 * * *", what, error)))
            return FALSE;
        if (strcmp(entry->section, "notify") == 0 &&
            !check_needed(config, entry, "type", "webhook", what, error))
            return FALSE;
        if (strcmp(entry->section, "notify") == 0)
            g_ptr_array_add(config->notifies, g_strdup(entry->name));
    }
    return TRUE;
}

/* Directories and zone, with their defaults for this user; the lists of names get their ends. */
static void settle(Config *config)
{
    const char *state = config_get(config, "general", "state_directory");
    const char *runtime = config_get(config, "general", "runtime_directory");
    const char *zone = config_get(config, "general", "time_zone");
    gboolean shared = geteuid() == 0 || g_strcmp0(config->path, CONFIG_SYSTEM_PATH) == 0;

    if (state != NULL)
        config->state_directory = g_strdup(state);
    else if (shared)
        config->state_directory = g_strdup("/var/lib/holdfast");
    else
        config->state_directory = g_build_filename(g_get_user_state_dir(), "holdfast", NULL);
    if (runtime != NULL)
        config->runtime_directory = g_strdup(runtime);
    else if (shared)
        config->runtime_directory = g_strdup("/run/holdfast");
    else
        config->runtime_directory = g_build_filename(g_get_user_runtime_dir(), "holdfast", NULL);
    if (zone != NULL)
        config->zone = g_time_zone_new_identifier(zone);
    if (config->zone == NULL)
        config->zone = g_time_zone_new_local();
    g_ptr_array_add(config->schedules, NULL);
    g_ptr_array_add(config->notifies, NULL);
}

Config *config_parse(const char *bytes, gsize length, const char *what, GError **error)
{
    g_autoptr(GPtrArray) entries = NULL;
    g_autoptr(Config) config = config_new(what);

    entries = config_scan(bytes, length, what, error);
    if (entries == NULL)
        return NULL;
    if (!load_values(config, entries, bytes, length, what, error) ||
        !check_whole(config, entries, what, error))
        return NULL;
    settle(config);
    return g_steal_pointer(&config);
}

/* Files that hold secrets are looked at now, not at three in the morning. One that is not there is
 * for whoever needs it. */
static gboolean check_secret_files(const Config *config, GError **error)
{
    static const char *const keys[] = {"password_file", "token_file", "secret_file", "tls_key",
                                       NULL};
    GHashTableIter iterator;
    gpointer name, value;

    g_hash_table_iter_init(&iterator, config->values);
    while (g_hash_table_iter_next(&iterator, &name, &value)) {
        const char *key = strchr(name, '\n');
        g_autoptr(GError) problem = NULL;

        if (key == NULL || !g_strv_contains(keys, key + 1) ||
            file_check_private(value, FALSE, &problem) || error_is(problem, ERROR_NOT_FOUND))
            continue;
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    return TRUE;
}

/* Who may not read the system's configuration is told of it: it was most likely meant. PostgreSQL's
 * account may not where its packages came behind Holdfast's. */
static void hint_at_missing(GError **error)
{
    gboolean closed = access(CONFIG_SYSTEM_PATH, R_OK) != 0 && errno == EACCES;

    if (closed && g_str_equal(g_get_user_name(), "postgres"))
        error_add_hint(error,
                       "%s is closed to this user: let it in with: sudo adduser postgres holdfast, "
                       "then log in again, and restart the server for its archive_command",
                       CONFIG_SYSTEM_PATH);
    else if (closed)
        error_add_hint(error,
                       "%s is closed to this user: run holdfast as the account of the backups "
                       "(sudo -u postgres holdfast), or make a configuration of your own: "
                       "holdfast init --repository DIRECTORY",
                       CONFIG_SYSTEM_PATH);
    else
        error_add_hint(error, "run holdfast init --repository DIRECTORY, or name another file "
                              "with --config");
}

Config *config_load(const char *path, GError **error)
{
    g_autoptr(Config) config = NULL;
    g_autofree char *bytes = NULL;
    g_autoptr(GError) problem = NULL;
    gsize length;

    if (!file_check_private(path, FALSE, &problem)) {
        if (error_is(problem, ERROR_NOT_FOUND)) {
            error_set(error, ERROR_CONFIG, "there is no configuration %s", path);
            hint_at_missing(error);
            return NULL;
        }
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
    if (!file_read(path, FILE_LIMIT, &bytes, &length, error))
        return NULL;
    config = config_parse(bytes, length, path, error);
    if (config == NULL || !check_secret_files(config, error))
        return NULL;
    return g_steal_pointer(&config);
}

void config_use_repository(Config *config, const char *repository_path)
{
    g_autofree char *path = g_canonicalize_filename(repository_path, NULL);

    set_value(config, "repository", "path", path);
    config->repository_replaced = TRUE;
}

void config_use_key(Config *config, const char *form)
{
    set_value(config, "repository", "key", form);
    config->key_replaced = TRUE;
}

gboolean config_repository_replaced(const Config *config)
{
    return config->repository_replaced;
}

gboolean config_key_replaced(const Config *config)
{
    return config->key_replaced;
}

Config *config_new_bare(const char *repository_path)
{
    Config *config = config_new(NULL);

    config_use_repository(config, repository_path);
    settle(config);
    return config;
}

const char *config_path(const Config *config)
{
    return config->path;
}

const char *config_repository_path(const Config *config)
{
    return config_get(config, "repository", "path");
}

const char *config_state_directory(const Config *config)
{
    return config->state_directory;
}

const char *config_runtime_directory(const Config *config)
{
    return config->runtime_directory;
}

GTimeZone *config_time_zone(const Config *config)
{
    return config->zone;
}

const char *const *config_schedules(const Config *config)
{
    return (const char *const *)config->schedules->pdata;
}

const char *const *config_notifies(const Config *config)
{
    return (const char *const *)config->notifies->pdata;
}

guint config_source_count(const Config *config)
{
    return config->sources->len;
}

const ConfigSource *config_source(const Config *config, guint index)
{
    g_return_val_if_fail(index < config->sources->len, NULL);

    return g_ptr_array_index(config->sources, index);
}

static const ConfigSource *find_named(const Config *config, const char *name, const char *engine,
                                      GError **error)
{
    const ConfigSource *source = source_by_name(config, name);
    const char *nearest;

    if (source == NULL) {
        nearest = nearest_source(config, name);
        error_set(error, ERROR_NOT_FOUND, "there is no source \"%s\" in the configuration", name);
        if (nearest != NULL)
            error_add_hint(error, "did you mean %s?", nearest);
        else if (config->path == NULL)
            error_add_hint(error, "beside --repository a configuration is read only where --config "
                                  "names it");
        return NULL;
    }
    if (engine != NULL && strcmp(source->engine, engine) != 0) {
        error_set(error, ERROR_USAGE, "source %s is %s, not %s", name, source->engine, engine);
        return NULL;
    }
    return source;
}

const ConfigSource *config_find_source(const Config *config, const char *name, const char *engine,
                                       const char *method, GError **error)
{
    const ConfigSource *found = NULL;
    g_autoptr(GString) names = g_string_new(NULL);
    guint count = 0;

    if (name != NULL)
        return find_named(config, name, engine, error);
    for (guint i = 0; i < config->sources->len; i++) {
        const ConfigSource *source = g_ptr_array_index(config->sources, i);

        if ((engine != NULL && strcmp(source->engine, engine) != 0) ||
            (method != NULL && g_strcmp0(source->method, method) != 0))
            continue;
        g_string_append_printf(names, "%s%s", count > 0 ? ", " : "", source->name);
        found = source;
        count++;
    }
    if (count > 1) {
        error_set(error, ERROR_USAGE, "several sources fit: %s", names->str);
        error_add_hint(error, "choose one with --source NAME");
        return NULL;
    }
    if (count == 0) {
        g_autofree char *kind = g_strjoin(" ", method != NULL ? method : engine, "source", NULL);

        error_set(error, ERROR_CONFIG, "the configuration has no %s",
                  method != NULL || engine != NULL ? kind : "source");
        error_add_hint(error, "add a [source NAME] section");
    }
    return found;
}
