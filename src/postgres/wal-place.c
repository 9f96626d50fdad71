/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding the archive that a `wal push` or `wal get` means.
 */
#include "postgres/wal-place.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "postgres/control.h"
#include "postgres/wal-list.h"
#include "postgres/wal-system.h"

void wal_place_clear(WalPlace *place)
{
    g_clear_pointer(&place->source, g_free);
    g_clear_pointer(&place->data_directory, g_free);
}

WalArchive wal_place_archive(const WalPlace *place, Repository *repository)
{
    return (WalArchive){.repository = repository,
                        .source = place->source,
                        .system_identifier = place->system_identifier,
                        .segment_size = place->segment_size};
}

/* --- the cluster ------------------------------------------------------------------------------ */

/* Fills in what pg_control of a directory says, where there is one. */
static gboolean look_in(const char *directory, WalPlace *place, GError **error)
{
    g_autofree char *path = g_build_filename(directory, "global", "pg_control", NULL);
    PgControl control;

    if (place->data_directory != NULL || access(path, F_OK) != 0)
        return TRUE;
    if (!pg_control_read(directory, &control, NULL, error))
        return FALSE;
    place->system_identifier = control.system_identifier;
    place->segment_size = control.segment_size;
    place->data_directory = g_strdup(directory);
    return TRUE;
}

static gboolean look_around(const char *path, WalPlace *place, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *above = g_build_filename(directory, "..", NULL);

    return look_in(".", place, error) && look_in(above, place, error);
}

/* What the pushed segment says of itself; 0 where it is none. */
static guint64 identifier_of(const char *path)
{
    FILE_AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    guint8 head[WAL_HEADER_SIZE];
    WalHeader header;

    if (fd < 0 || read(fd, head, sizeof head) != (ssize_t)sizeof head ||
        !wal_header_read(head, sizeof head, &header, NULL))
        return 0;
    return header.system_identifier;
}

/* --- the source ------------------------------------------------------------------------------- */

/* The names that come into question; an array of strings. */
static gboolean list_candidates(const WalPlaceRequest *request, GPtrArray **ret_names,
                                GError **error)
{
    g_autoptr(GPtrArray) names = NULL;

    if (config_path(request->config) == NULL)
        return wal_archive_sources(request->repository, ret_names, error);
    names = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < config_source_count(request->config); i++) {
        const ConfigSource *source = config_source(request->config, i);

        if (strcmp(source->engine, "postgresql") == 0 && g_strcmp0(source->method, "physical") == 0)
            g_ptr_array_add(names, g_strdup(source->name));
    }
    *ret_names = g_steal_pointer(&names);
    return TRUE;
}

static const ConfigSource *settings_of(const Config *config, const char *name)
{
    for (guint i = 0; i < config_source_count(config); i++) {
        if (strcmp(config_source(config, i)->name, name) == 0)
            return config_source(config, i);
    }
    return NULL;
}

static gboolean same_directory(const char *one, const char *other)
{
    g_autofree char *left = one != NULL ? realpath(one, NULL) : NULL;
    g_autofree char *right = other != NULL ? realpath(other, NULL) : NULL;

    return left != NULL && g_strcmp0(left, right) == 0;
}

/* Whether a candidate is the one: its archive holds the cluster, or (second look) its data
 * directory is the cluster's. */
static gboolean fits(const WalPlaceRequest *request, const WalPlace *place, const char *name,
                     gboolean by_directory, gboolean *ret_fits, GError **error)
{
    const ConfigSource *settings = settings_of(request->config, name);

    if (!by_directory)
        return wal_system_known(request->repository, name, place->system_identifier, ret_fits,
                                error);
    *ret_fits = settings != NULL && same_directory(settings->data_directory, place->data_directory);
    return TRUE;
}

static gboolean choose_one(const WalPlaceRequest *request, WalPlace *place, GPtrArray *names,
                           gboolean by_directory, GError **error)
{
    const char *found = NULL;
    guint count = 0;

    for (guint i = 0; i < names->len; i++) {
        gboolean fitting;

        if (!fits(request, place, names->pdata[i], by_directory, &fitting, error))
            return FALSE;
        if (fitting) {
            found = names->pdata[i];
            count++;
        }
    }
    if (count == 1)
        place->source = g_strdup(found);
    return TRUE;
}

static gboolean fail_to_choose(const Config *config, GPtrArray *names, GError **error)
{
    g_autofree char *all = NULL;

    if (names->len == 0) {
        error_set(error, ERROR_CONFIG,
                  config_path(config) != NULL
                      ? "the configuration has no physical postgresql source"
                      : "the repository holds no WAL archive");
        error_add_hint(error, "add a [source NAME] section, or name the right repository");
        return FALSE;
    }
    g_ptr_array_add(names, NULL);
    all = g_strjoinv(", ", (char **)names->pdata);
    error_set(error, ERROR_USAGE, "several sources fit: %s", all);
    error_add_hint(error, "choose one with --source NAME");
    return FALSE;
}

static gboolean choose_source(const WalPlaceRequest *request, WalPlace *place, GError **error)
{
    g_autoptr(GPtrArray) names = NULL;

    if (!list_candidates(request, &names, error))
        return FALSE;
    if (names->len == 1)
        place->source = g_strdup(names->pdata[0]);
    if (names->len > 1 && place->system_identifier != 0 &&
        !choose_one(request, place, names, FALSE, error))
        return FALSE;
    if (place->source == NULL && place->data_directory != NULL &&
        !choose_one(request, place, names, TRUE, error))
        return FALSE;
    return place->source != NULL || fail_to_choose(request->config, names, error);
}

/* --source: one of the configuration, or, without one, of the repository. */
static gboolean take_named(const WalPlaceRequest *request, WalPlace *place, GError **error)
{
    g_autoptr(GPtrArray) names = NULL;

    if (config_path(request->config) != NULL) {
        if (config_find_source(request->config, request->source, "postgresql", NULL, error) == NULL)
            return FALSE;
    } else if (!list_candidates(request, &names, error)) {
        return FALSE;
    } else if (!g_ptr_array_find_with_equal_func(names, request->source, g_str_equal, NULL)) {
        error_set(error, ERROR_USAGE, "the repository holds no WAL archive of source %s",
                  request->source);
        return FALSE;
    }
    place->source = g_strdup(request->source);
    return TRUE;
}

/* --- the whole -------------------------------------------------------------------------------- */

static gboolean find_place(const WalPlaceRequest *request, WalPlace *place, guint64 hint,
                           GError **error)
{
    if (!look_around(request->path, place, error))
        return FALSE;
    if (place->system_identifier == 0)
        place->system_identifier = hint;
    if (request->source != NULL ? !take_named(request, place, error)
                                : !choose_source(request, place, error))
        return FALSE;
    place->settings = settings_of(request->config, place->source);
    return place->settings == NULL || place->settings->data_directory == NULL ||
           look_in(place->settings->data_directory, place, error);
}

/* Without a pg_control only a cluster that was accepted before is believed. */
static gboolean push_unseen(const WalPlaceRequest *request, WalPlace *place, GError **error)
{
    guint64 newest;

    if (!wal_system_newest(request->repository, place->source, &newest, NULL, error))
        return FALSE;
    if (newest == 0) {
        error_set(error, ERROR_REFUSED, "it is not known which server source %s is", place->source);
        error_add_hint(error,
                       "run it in the server's data directory, set data_directory in the "
                       "configuration, or run: holdfast check %s",
                       place->source);
        return FALSE;
    }
    if (place->system_identifier == 0)
        place->system_identifier = newest;
    return TRUE;
}

gboolean wal_place_for_push(const WalPlaceRequest *request, WalPlace *ret_place, GError **error)
{
    g_auto(WalPlace) place = {0};

    if (!find_place(request, &place, identifier_of(request->path), error))
        return FALSE;
    if (place.data_directory == NULL && !push_unseen(request, &place, error))
        return FALSE;
    if (!wal_system_require(request->repository, place.source, place.system_identifier, "push",
                            error))
        return FALSE;
    *ret_place = place;
    place = (WalPlace){0};
    return TRUE;
}

gboolean wal_place_for_get(const WalPlaceRequest *request, WalPlace *ret_place, GError **error)
{
    g_auto(WalPlace) place = {0};
    guint64 newest;
    gboolean known = TRUE;

    if (!find_place(request, &place, 0, error) ||
        !wal_system_newest(request->repository, place.source, &newest, NULL, error))
        return FALSE;
    if (place.system_identifier == 0)
        place.system_identifier = newest;
    else if (!wal_system_known(request->repository, place.source, place.system_identifier, &known,
                               error))
        return FALSE;
    /* Where nothing at all is archived yet, a file's absence is proven; in a foreign archive it is
     * not. */
    if (!known && newest != 0) {
        error_set(error, ERROR_REFUSED,
                  "the archive of source %s holds WAL of the system identifier %" G_GUINT64_FORMAT
                  ", and %s has %" G_GUINT64_FORMAT,
                  place.source, newest, place.data_directory, place.system_identifier);
        error_add_hint(error, "name the right source with --source NAME");
        return FALSE;
    }
    *ret_place = place;
    place = (WalPlace){0};
    return TRUE;
}
