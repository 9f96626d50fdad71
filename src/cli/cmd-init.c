/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast init: a commented configuration and an empty repository.
 */
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "cli/commands.h"

static struct {
    char *repository;
    char *compression;
} options;

/* What init found and made. */
typedef struct {
    char *config_path;
    char *repository_path;
    CompressSpec compression;
    gboolean config_made, repository_made;
} Setup;

static void setup_clear(Setup *setup)
{
    g_free(setup->config_path);
    g_free(setup->repository_path);
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

/* A configuration that is there decides; options may only agree with it. */
static gboolean use_config(Setup *setup, GError **error)
{
    g_autoptr(Config) config = config_load(setup->config_path, error);
    const char *path;

    if (config == NULL)
        return FALSE;
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
    return set_compression(setup,
                           options.compression != NULL
                               ? options.compression
                               : config_get(config, "repository", "compression"),
                           error);
}

static gboolean write_config(Setup *setup, GError **error)
{
    g_autofree char *compression = compress_spec_format(setup->compression);
    g_autofree char *text = config_template(setup->repository_path, compression);
    g_autofree char *directory = g_path_get_dirname(setup->config_path);

    if (!directory_make(directory, 0755, error) ||
        !file_replace(setup->config_path, text, strlen(text), 0600, error))
        return FALSE;
    setup->config_made = TRUE;
    return TRUE;
}

static gboolean make_repository(Setup *setup, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(Store) store = NULL;
    g_autoptr(Repository) repository = NULL;

    if (!directory_make(setup->repository_path, 0700, error))
        return FALSE;
    store = store_open_posix(setup->repository_path, error);
    if (store == NULL)
        return FALSE;
    repository = repository_open(store, &problem);
    if (repository != NULL)
        return TRUE;
    if (!error_is(problem, ERROR_UNREACHABLE)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    repository = repository_create(store, setup->compression, error);
    setup->repository_made = repository != NULL;
    return repository != NULL;
}

static void print_setup(Output *output, const Setup *setup)
{
    output_json(output,
                json_pack("{s:o, s:b, s:o, s:b}", "configuration", json_text(setup->config_path),
                          "configuration_created", setup->config_made, "repository",
                          json_text(setup->repository_path), "repository_created",
                          setup->repository_made));
    output_line(output, "%s the configuration %s", setup->config_made ? "wrote" : "kept",
                setup->config_path);
    output_line(output, "%s the repository %s", setup->repository_made ? "made" : "kept",
                setup->repository_path);
    if (!setup->config_made && !setup->repository_made)
        output_line(output, "everything was there already; nothing was changed");
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
        if (!use_config(&setup, error) || !make_repository(&setup, error))
            return FALSE;
    } else {
        if (setup.repository_path == NULL) {
            error_set(error, ERROR_USAGE,
                      "holdfast init needs to know where backups shall be kept");
            error_add_hint(error, "for example: holdfast init --repository /srv/holdfast");
            return FALSE;
        }
        /* The repository first: no configuration shall name one that could not be made. */
        if (!set_compression(&setup, options.compression, error) ||
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
        "/etc/holdfast/holdfast.conf.",
    .example = "holdfast init --repository /srv/holdfast",
    .options = entries,
    .run = run_init,
};
