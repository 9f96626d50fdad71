/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading libtaos. It reads a configuration directory and writes logs: it gets one of its own, which
 * is removed as soon as it has started, so that nothing of the host's taos.cfg and no log directory
 * of root's matters.
 */
#include "tdengine/native.h"

#include "base/file.h"

#include <dlfcn.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPTION_CONFIG_DIRECTORY 3 /* taos.h: TSDB_OPTION_CONFIGDIR */
#define COMPARED_NUMBERS        3

static GMutex lock;
static TdNative loaded;
static char *loaded_from; /* NULL: none is */

typedef struct {
    const char *name;
    gpointer *place;
} Symbol;

static gboolean find_symbols(void *handle, const char *path, GError **error)
{
    const Symbol symbols[] = {
        {"taos_options", (gpointer *)&loaded.options},
        {"taos_init", (gpointer *)&loaded.init},
        {"taos_get_client_info", (gpointer *)&loaded.client_info},
        {"taos_connect", (gpointer *)&loaded.connect},
        {"taos_close", (gpointer *)&loaded.close},
        {"taos_errno", (gpointer *)&loaded.error_code},
        {"taos_errstr", (gpointer *)&loaded.error_text},
        {"taos_check_server_status", (gpointer *)&loaded.server_status},
        {"taos_kill_query", (gpointer *)&loaded.kill_query},
        {"taos_query_a", (gpointer *)&loaded.query},
        {"taos_num_fields", (gpointer *)&loaded.num_fields},
        {"taos_fetch_fields_e", (gpointer *)&loaded.fields},
        {"taos_result_precision", (gpointer *)&loaded.precision},
        {"taos_affected_rows64", (gpointer *)&loaded.affected},
        {"taos_fetch_raw_block_a", (gpointer *)&loaded.fetch_block},
        {"taos_get_raw_block", (gpointer *)&loaded.block},
        {"taos_free_result", (gpointer *)&loaded.free_result},
        {"taos_write_raw_block", (gpointer *)&loaded.write_block},
        {"taos_stmt2_init", (gpointer *)&loaded.statement_init},
        {"taos_stmt2_prepare", (gpointer *)&loaded.statement_prepare},
        {"taos_stmt2_bind_param", (gpointer *)&loaded.statement_bind},
        {"taos_stmt2_exec", (gpointer *)&loaded.statement_execute},
        {"taos_stmt2_error", (gpointer *)&loaded.statement_error},
        {"taos_stmt2_close", (gpointer *)&loaded.statement_close},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(symbols); i++) {
        *symbols[i].place = dlsym(handle, symbols[i].name);
        if (*symbols[i].place == NULL) {
            error_set(error, ERROR_UNSUPPORTED, "library %s has no %s: it is too old", path,
                      symbols[i].name);
            return FALSE;
        }
    }
    return TRUE;
}

/* RTLD_LOCAL: it exports compression libraries of its own, which must not take the place of ours. */
static void *open_library(const char *library, const char **ret_path, GError **error)
{
    static const char *const places[] = {"libtaos.so", "libtaos.so.1",
                                         "/usr/local/taos/driver/libtaos.so", NULL};
    const char *const one[] = {library, NULL};
    const char *const *paths = g_str_equal(library, "auto") ? places : one;

    if (paths == one && !g_path_is_absolute(library)) {
        error_set(error, ERROR_UNSUPPORTED, "library \"%s\" is neither a path nor auto", library);
        return NULL;
    }
    for (guint i = 0; paths[i] != NULL; i++) {
        void *handle = dlopen(paths[i], RTLD_NOW | RTLD_LOCAL);

        if (handle != NULL) {
            *ret_path = paths[i];
            return handle;
        }
    }
    if (paths == places)
        error_set(error, ERROR_UNSUPPORTED, "no libtaos.so was found on this host");
    else
        error_set(error, ERROR_UNSUPPORTED, "library %s cannot be loaded: %s", library, dlerror());
    return NULL;
}

/* Its configuration: as little noise as can be had. */
static gboolean write_settings(const char *directory, GError **error)
{
    g_autofree char *path = g_build_filename(directory, "taos.cfg", NULL);
    g_autofree char *text = g_strdup_printf("logDir %s\n"
                                            "tempDir %s\n"
                                            "minimalLogDirGB 0.001\n"
                                            "minimalTmpDirGB 0.001\n"
                                            "debugFlag 131\n"
                                            "charset UTF-8\n"
                                            "enableCoreFile 0\n"
                                            "crashReporting 0\n"
                                            "telemetryReporting 0\n",
                                            directory, directory);
    g_autoptr(GError) failure = NULL;

    if (g_file_set_contents(path, text, -1, &failure))
        return TRUE;
    error_take(error, ERROR_IO, g_steal_pointer(&failure));
    return FALSE;
}

static gboolean start(const char *path, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autofree char *directory = g_dir_make_tmp("holdfast-taos-XXXXXX", &failure);
    int code;

    if (directory == NULL) {
        error_take(error, ERROR_IO, g_steal_pointer(&failure));
        return FALSE;
    }
    if (!write_settings(directory, error)) {
        (void)!directory_remove(directory, NULL);
        return FALSE;
    }
    code = loaded.options(OPTION_CONFIG_DIRECTORY, directory);
    if (code == 0)
        code = loaded.init();
    (void)!directory_remove(directory, NULL);
    if (code == 0)
        return TRUE;
    error_set(error, ERROR_UNSUPPORTED, "library %s does not start (0x%04X)", path,
              (guint)code & 0xffff);
    return FALSE;
}

/* Before the library's own exit handlers, which wait a second and more for its threads: every connection
 * is closed by now, and a command that has nothing to do takes less than that. */
static void leave(int status, void *data)
{
    (void)fflush(NULL);
    _exit(status);
}

const TdNative *td_native_load(const char *library, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
    const char *path;
    void *handle;

    if (loaded_from != NULL && g_str_equal(loaded_from, library))
        return &loaded;
    if (loaded_from != NULL) {
        error_set(error, ERROR_UNSUPPORTED, "library %s is in use already: %s cannot be beside it",
                  loaded_from, library);
        return NULL;
    }
    handle = open_library(library, &path, error);
    if (handle == NULL)
        return NULL;
    /* Not closed on failure: what its start left behind must keep its code. */
    if (!find_symbols(handle, path, error) || !start(path, error))
        return NULL;
    (void)on_exit(leave, NULL);
    loaded_from = g_strdup(library);
    return &loaded;
}

gboolean td_native_fits(const TdNative *native, const char *server_version)
{
    g_auto(GStrv) client = g_strsplit(native->client_info(), ".", -1);
    g_auto(GStrv) server = g_strsplit(server_version, ".", -1);

    for (guint i = 0; i < COMPARED_NUMBERS; i++)
        if (client[i] == NULL || server[i] == NULL || !g_str_equal(client[i], server[i]))
            return FALSE;
    return TRUE;
}
