/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast init: a commented configuration and an empty repository.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "cli/commands.h"

#define CONFIG_LIMIT ((gsize)1024 * 1024)

static struct {
    char *repository;
    char *compression;
    char *encryption;
} options;

/* What init found and made. */
typedef struct {
    char *config_path;
    char *repository_path;
    CompressSpec compression;
    KeyForm *key; /* NULL: not encrypted */
    gboolean config_made, repository_made, key_added;
    gboolean has_source; /* the configuration describes a server already */
} Setup;

static void setup_clear(Setup *setup)
{
    g_free(setup->config_path);
    g_free(setup->repository_path);
    key_form_free(setup->key);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Setup, setup_clear)

static gboolean set_compression(Setup *setup, const char *text, GError **error)
{
    setup->compression = COMPRESS_DEFAULT;
    if (text == NULL || compress_spec_parse(text, &setup->compression, error))
        return TRUE;
    /* The same words in the configuration would be its fault; here they were typed. */
    if (options.compression != NULL)
        g_prefix_error(error, "--compression: ");
    return FALSE;
}

/* The key of the configuration, or that of the option, or both where they agree. */
static gboolean set_key(Setup *setup, const char *configured, GError **error)
{
    g_autofree char *given = NULL;

    if (options.encryption != NULL) {
        setup->key = key_form_parse(options.encryption, error);
        if (setup->key == NULL) {
            g_prefix_error(error, "--encryption: ");
            return FALSE;
        }
        given = key_form_format(setup->key);
    }
    if (configured == NULL)
        return TRUE;
    if (given != NULL && strcmp(given, configured) != 0) {
        error_set(error, ERROR_USAGE, "the configuration %s names another key", setup->config_path);
        error_add_hint(error, "leave --encryption out; holdfast key add adds a key");
        return FALSE;
    }
    if (setup->key == NULL)
        setup->key = key_form_parse(configured, error);
    return setup->key != NULL;
}

/* A configuration that is there decides; options may only agree with it. */
static gboolean use_config(Setup *setup, GError **error)
{
    g_autoptr(Config) config = config_load(setup->config_path, error);
    const char *path;

    if (config == NULL)
        return FALSE;
    setup->has_source = config_source_count(config) > 0;
    path = config_repository_path(config);
    if (path != NULL && setup->repository_path != NULL &&
        strcmp(path, setup->repository_path) != 0) {
        error_set(error, ERROR_USAGE, "the configuration %s names the repository %s, not %s",
                  setup->config_path, path, setup->repository_path);
        error_add_hint(error, "leave --repository out, edit the file, or name another one with "
                              "--config");
        return FALSE;
    }
    if (!operation_check_config(config, error))
        return FALSE;
    g_free(setup->repository_path);
    setup->repository_path = g_strdup(path);
    setup->key_added =
        options.encryption != NULL && config_get(config, "repository", "key") == NULL;
    return set_key(setup, config_get(config, "repository", "key"), error) &&
           set_compression(setup,
                           options.compression != NULL
                               ? options.compression
                               : config_get(config, "repository", "compression"),
                           error);
}

/* A directory with the set-group-id bit is shared with its group, which the file then has too. */
static mode_t config_mode(const char *directory)
{
    struct stat info;

    return stat(directory, &info) == 0 && (info.st_mode & S_ISGID) != 0 ? 0640 : 0600;
}

/* What the configuration could not give back as it is. */
static gboolean check_value(const char *option, const char *value, GError **error)
{
    gsize length = strlen(value);

    if (length > 0 && !g_ascii_isspace(value[0]) && !g_ascii_isspace(value[length - 1])) {
        gsize at = 0;

        while (at < length && !g_ascii_iscntrl(value[at]))
            at++;
        if (at == length)
            return TRUE;
    }
    error_set(error, ERROR_USAGE,
              "%s: a line break, or a blank at the beginning or end, cannot stand in the "
              "configuration",
              option);
    return FALSE;
}

/* Before anything is made. */
static gboolean check_values(const Setup *setup, GError **error)
{
    g_autofree char *key = setup->key != NULL ? key_form_format(setup->key) : NULL;

    return check_value("--repository", setup->repository_path, error) &&
           (key == NULL || check_value("--encryption", key, error));
}

static gboolean write_config(Setup *setup, GError **error)
{
    g_autofree char *compression = compress_spec_format(setup->compression);
    g_autofree char *key = setup->key != NULL ? key_form_format(setup->key) : NULL;
    g_autofree char *text = config_template(setup->repository_path, compression, key);
    g_autofree char *directory = g_path_get_dirname(setup->config_path);

    if (!directory_make(directory, 0755, error) ||
        !file_replace(setup->config_path, text, strlen(text), config_mode(directory), error))
        return FALSE;
    setup->config_made = TRUE;
    return TRUE;
}

/* The configuration that is there gets the line that it lacks. */
static gboolean add_key_line(const Setup *setup, GError **error)
{
    g_autofree char *key = key_form_format(setup->key);
    g_autofree char *old = NULL;
    g_autofree char *text = NULL;
    struct stat info;
    gsize length;

    if (!file_read(setup->config_path, CONFIG_LIMIT, &old, &length, error))
        return FALSE;
    if (stat(setup->config_path, &info) != 0) {
        error_set_errno(error, errno, "cannot look at %s", setup->config_path);
        return FALSE;
    }
    text = config_insert_key(old, key);
    return file_replace(setup->config_path, text, strlen(text), info.st_mode & 07777, error);
}

/* What is there must be what was asked for, and its key the right one. */
static gboolean check_repository(const Setup *setup, Repository *repository, GError **error)
{
    g_autoptr(Keyring) keyring = NULL;

    if (!repository_is_encrypted(repository) && setup->key == NULL)
        return TRUE;
    if (!repository_is_encrypted(repository)) {
        error_set(error, ERROR_REFUSED,
                  "the repository %s is not encrypted, and cannot be "
                  "encrypted in place",
                  setup->repository_path);
        error_add_hint(error, "make an encrypted one in another directory, and fill it with: "
                              "holdfast copy");
        return FALSE;
    }
    if (setup->key == NULL) {
        error_set(error, ERROR_CONFIG, "the repository %s is encrypted, and no key was named",
                  setup->repository_path);
        error_add_hint(error, "name its key: holdfast init --encryption passphrase-file=FILE");
        return FALSE;
    }
    keyring = keys_unlock(repository_store(repository), repository_id(repository), setup->key, NULL,
                          error);
    return keyring != NULL;
}

/* A key that cannot be read is known before a directory is made for it. A command is run only when
 * it is needed: it may ask somebody. */
static gboolean check_key(const Setup *setup, GError **error)
{
    g_autoptr(Secret) secret = NULL;

    if (setup->key == NULL || setup->key->kind == KEY_COMMAND)
        return TRUE;
    secret = key_form_read(setup->key, error);
    return secret != NULL;
}

/* The system's repository belongs to the account that the system's state belongs to: the service
 * and the server's archive_command are not root. */
static gboolean give_repository(const Setup *setup, GError **error)
{
    g_autoptr(Config) system = config_new_bare(setup->repository_path);
    struct stat state, own;

    if (geteuid() != 0 || strcmp(setup->config_path, CONFIG_SYSTEM_PATH) != 0 ||
        stat(config_state_directory(system), &state) != 0 || state.st_uid == 0 ||
        stat(setup->repository_path, &own) != 0 || own.st_uid != 0)
        return TRUE;
    if (chown(setup->repository_path, state.st_uid, state.st_gid) == 0)
        return TRUE;
    error_set_errno(error, errno, "cannot give %s to uid %u", setup->repository_path,
                    (guint)state.st_uid);
    return FALSE;
}

static gboolean make_directory(const Setup *setup, GError **error)
{
    g_autofree char *parent = g_path_get_dirname(setup->repository_path);

    return directory_make(parent, 0755, error) &&
           directory_make(setup->repository_path, 0700, error) &&
           (!directory_is_empty(setup->repository_path) || give_repository(setup, error));
}

static gboolean make_repository(Setup *setup, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(Store) store = NULL;
    g_autoptr(Repository) repository = NULL;
    gboolean there = g_file_test(setup->repository_path, G_FILE_TEST_EXISTS);

    if (!check_key(setup, error) || !make_directory(setup, error))
        return FALSE;
    store = operation_open_store(setup->repository_path, error);
    if (store == NULL)
        return FALSE;
    repository = repository_open(store, &problem);
    if (repository != NULL)
        return check_repository(setup, repository, error);
    if (!error_is(problem, ERROR_UNREACHABLE)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    repository = setup->key != NULL
                     ? repository_create_encrypted(store, setup->compression, setup->key, error)
                     : repository_create(store, setup->compression, error);
    setup->repository_made = repository != NULL;
    if (repository == NULL && !there)
        (void)rmdir(setup->repository_path); /* if it is still empty */
    return repository != NULL;
}

static void print_setup(Output *output, const Setup *setup)
{
    output_json(output,
                json_pack("{s:o, s:b, s:o, s:b, s:b, s:b}", "configuration",
                          json_text(setup->config_path), "configuration_created",
                          setup->config_made, "repository", json_text(setup->repository_path),
                          "repository_created", setup->repository_made, "encrypted",
                          setup->key != NULL, "key_added", setup->key_added));
    output_line(output, "%s the configuration %s", setup->config_made ? "wrote" : "kept",
                setup->config_path);
    output_line(output, "%s the %srepository %s", setup->repository_made ? "made" : "kept",
                setup->key != NULL ? "encrypted " : "", setup->repository_path);
    if (setup->key_added)
        output_line(output, "added the key to the configuration");
    if (setup->key != NULL && setup->repository_made)
        output_line(output, "without its key nothing can be restored: keep the key elsewhere too, "
                            "and print a recovery code with: holdfast key export");
    if (!setup->config_made && !setup->repository_made && !setup->key_added)
        output_line(output, "everything was there already; nothing was changed");
    else if (setup->has_source)
        output_line(output, "next: holdfast check");
    else
        output_line(output,
                    "next: describe your server in a [source NAME] section of %s, then "
                    "run: holdfast check",
                    setup->config_path);
}

static gboolean run_init(CommandRun *run, GError **error)
{
    g_auto(Setup) setup = {0};

    setup.config_path = run->config_path != NULL ? g_canonicalize_filename(run->config_path, NULL)
                                                 : config_default_path();
    if (options.repository != NULL)
        setup.repository_path = g_canonicalize_filename(options.repository, NULL);
    if (g_file_test(setup.config_path, G_FILE_TEST_EXISTS)) {
        if (!use_config(&setup, error) || !check_values(&setup, error) ||
            !make_repository(&setup, error) || (setup.key_added && !add_key_line(&setup, error)))
            return FALSE;
    } else {
        if (setup.repository_path == NULL) {
            error_set(error, ERROR_USAGE,
                      "holdfast init needs to know where backups shall be kept");
            error_add_hint(error, "for example: holdfast init --repository /srv/holdfast");
            return FALSE;
        }
        /* The repository first: no configuration shall name one that could not be made. */
        if (!set_key(&setup, NULL, error) || !check_values(&setup, error) ||
            !set_compression(&setup, options.compression, error) ||
            !make_repository(&setup, error) || !write_config(&setup, error))
            return FALSE;
    }
    print_setup(run->output, &setup);
    return TRUE;
}

static const GOptionEntry entries[] = {
    {"repository", 0, 0, G_OPTION_ARG_FILENAME, &options.repository,
     "directory where backups shall be kept", "PATH"},
    {"compression", 0, 0, G_OPTION_ARG_FILENAME, &options.compression,
     "codec and level: zstd:1 (default), gzip:1, lz4, none", "SPEC"},
    {"encryption", 0, 0, G_OPTION_ARG_FILENAME, &options.encryption,
     "encrypt: passphrase-file=F, key-file=F or command=CMD", "FORM"},
    {NULL},
};

const Command command_init = {
    .words = "init",
    .arguments = "",
    .summary = "write a commented configuration and create the repository",
    .description =
        "A configuration that is there is kept, and so is a repository: only what is missing is\n"
        "made. Run again, it says what exists and changes nothing. The configuration is written\n"
        "to --config, $HOLDFAST_CONFIG, ~/.config/holdfast/holdfast.conf or, for root,\n"
        "/etc/holdfast/holdfast.conf.\n"
        "\n"
        "With --encryption everything that is backed up is sealed before it is stored. The key\n"
        "comes from a file that only its owner (and group) may read: a passphrase on its first\n"
        "line, or at least 32 random bytes; or from a command that prints a passphrase, for a\n"
        "vault. A repository cannot be encrypted later: make another one, to which holdfast copy\n"
        "takes the backups and the WAL.",
    .example = "holdfast init --repository /srv/holdfast\n"
               "  holdfast init --repository /srv/holdfast --encryption "
               "passphrase-file=/etc/holdfast/passphrase",
    .options = entries,
    .run = run_init,
};
