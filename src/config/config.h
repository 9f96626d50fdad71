/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration: one INI file (GKeyFile), read, checked and explained. The table of sections
 * and keys in keys.h is the only place that knows them: reading, checking, the commented file that
 * `init` writes and the manual all follow it. An unknown section or key is an error that names it
 * and the nearest known one. A file that others may read is refused.
 *
 * Threads: a Config does not change once it is loaded.
 */
#ifndef HOLDFAST_CONFIG_CONFIG_H
#define HOLDFAST_CONFIG_CONFIG_H

#include <glib.h>

typedef struct Config Config;

/* [source NAME]. Strings that were not given are NULL unless a default is named; lists are
 * NULL-terminated or NULL. */
typedef struct {
    char *name;
    char *engine;     /* "postgresql" or "tdengine" */
    guint jobs;       /* parallel workers, default 2 */
    guint64 rate;     /* bytes a second, 0: no limit */
    char **databases; /* NULL: all */
    char *
        conninfo; /* libpq's; "" by default: libpq's environment. May hold a password: never shown */
    char *method; /* "physical" (default) or "logical" */
    char *access; /* "auto", "local", "stream" */
    char *data_directory;
    char *verify;     /* "off", "objects", "structure" (default), "deep" */
    double tolerance; /* fraction of rows that a restore may differ, default 0 */
    gint64 rto, rpo;  /* microseconds, 0: the engine's default */

    /* postgresql only */
    gboolean archive_async;
    guint64 archive_queue_max; /* bytes, 0: no limit */

    /* tdengine only */
    char *url;  /* "ws://127.0.0.1:6041" by default */
    char *user; /* "root" by default */
    char *password_file, *token_file, *ca_file, *library;
    gint64 timeout; /* microseconds */
    char *mode;     /* "auto", "quick", "scan" */
    gboolean topic;
    gint64 recent, scan_below; /* microseconds */
} ConfigSource;

/* The system's configuration: whoever works with it shares its state and run files. */
#define CONFIG_SYSTEM_PATH "/etc/holdfast/holdfast.conf"

/* The file that is used when none is named: $HOLDFAST_CONFIG, else the user's own
 * ($XDG_CONFIG_HOME/holdfast/holdfast.conf) when it is there, else the system's where we may read it
 * or are root, else the user's own, which is not there. Free with g_free(). */
char *config_default_path(void);

/* Loads and checks a file. ERROR_CONFIG (with the hint to run init where there is no such file),
 * ERROR_INSECURE_FILE. */
Config *config_load(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same from a file's bytes, which `what` names in errors: "what:12: unknown key …". */
Config *config_parse(const char *bytes, gsize length, const char *what,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A configuration with nothing but defaults and one repository path, for a bare machine
 * (--repository). */
Config *config_new_bare(const char *repository_path);

/* Puts another repository in the place of the configured one (--repository together with --config).
 * Before anything else is asked of the config. */
void config_use_repository(Config *config, const char *repository_path);
/* The same for its key (--key), in its form: "key-file=/…", with an absolute path. */
void config_use_key(Config *config, const char *form);
/* Whether config_use_repository() or config_use_key() has put something in the place of what the
 * file says. */
gboolean config_repository_replaced(const Config *config);
gboolean config_key_replaced(const Config *config);

/* One more owner of the same configuration, for who outlives a reload: each calls config_free(). */
Config *config_ref(const Config *config);
void config_free(Config *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Config, config_free)

/* The file it came from, or NULL for a bare one. */
const char *config_path(const Config *config);

/* A key's value as written, or its default, or NULL. `section` is as in the file: "general",
 * "source market". The section and key must be known (a mistake here is a bug). */
const char *config_get(const Config *config, const char *section, const char *key);

/* The same where [section NAME] may refine [section]: the value given there, else the one given in
 * [section], else its default. */
const char *config_get_named(const Config *config, const char *section, const char *name,
                             const char *key);

/* [repository] path, absolute; NULL when it is missing. */
const char *config_repository_path(const Config *config);
/* [general] state_directory and runtime_directory with their defaults for this user. */
const char *config_state_directory(const Config *config);
const char *config_runtime_directory(const Config *config);
/* [general] time_zone, else the system's. Belongs to the config. */
GTimeZone *config_time_zone(const Config *config);

guint config_source_count(const Config *config);
const ConfigSource *config_source(const Config *config, guint index);

/* The source with this name (ERROR_NOT_FOUND naming the nearest), or without a name the only one
 * that has this engine and method (either may be NULL: any); several that fit are ERROR_USAGE,
 * naming them; none is ERROR_CONFIG. */
const ConfigSource *config_find_source(const Config *config, const char *name, const char *engine,
                                       const char *method,
                                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The names of the [schedule NAME] sections, in the order of the file; NULL-terminated. Belongs to
 * the config. */
const char *const *config_schedules(const Config *config);

/* The same for the [notify NAME] sections. */
const char *const *config_notifies(const Config *config);

/* The commented file that `init` writes: every section and key with its explanation and default,
 * the repository's path, compression and key (NULL: none) in force, the default schedules too, an
 * example source as a comment.
 * Free with g_free(). */
char *config_template(const char *repository_path, const char *compression, const char *key);

/* The text of a configuration with "key = VALUE" at the beginning of its [repository] section,
 * which it must have; everything else stays as it is. Free with g_free(). */
char *config_insert_key(const char *text, const char *value);

#endif
