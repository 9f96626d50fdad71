/* SPDX-License-Identifier: Apache-2.0
 *
 * A repository with its configuration in a scratch directory, for tests of operations.
 */
#ifndef HOLDFAST_TESTS_OPERATION_SCRATCH_H
#define HOLDFAST_TESTS_OPERATION_SCRATCH_H

#include <glib/gstdio.h>
#include <string.h>

#include "base/file.h"
#include "operation/context.h"

/* Makes <directory>/r a repository. `general` goes on with [general], `sections` are all but
 * [repository]. */
static inline OperationContext *scratch_open(const char *directory, const char *general,
                                             const char *sections)
{
    g_autofree char *path = g_build_filename(directory, "r", NULL);
    g_autofree char *text = g_strdup_printf(
        "[general]\nstate_directory = %s/s\nruntime_directory = %s/run\n%s[repository]\npath = %s\n"
        "%s",
        directory, directory, general, path, sections);
    g_autoptr(GError) error = NULL;
    g_autoptr(Store) store = NULL;
    g_autoptr(Repository) repository = NULL;
    OperationContext *context;
    Config *config;

    g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
    store = store_open_posix(path, &error);
    repository = repository_create(store, COMPRESS_DEFAULT, &error);
    g_assert_no_error(error);
    config = config_parse(text, strlen(text), "test", &error);
    g_assert_no_error(error);
    context = operation_context_open(config, &error);
    g_assert_no_error(error);
    return context;
}

/* Closes it and takes the directory away. */
static inline void scratch_close(OperationContext *context, const char *directory)
{
    operation_context_free(context);
    g_assert_true(directory_remove(directory, NULL));
}

#endif
