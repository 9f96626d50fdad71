/* SPDX-License-Identifier: Apache-2.0
 *
 * Parquet files, and objects of a repository.
 */
#include "cli/parquet-input.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "codec/seal.h"
#include "operation/open.h"
#include "repo/stored-parquet.h"

#define POOL "pool/"

struct ParquetInput {
    ParquetFile *file;     /* NULL: an object */
    StoredParquet *object; /* NULL: a file */
};

/* A sealed object is whole, and no Parquet file to whoever has not its key. */
static gboolean check_clear(const ParquetSource *source, GError **error)
{
    guint8 start[SEAL_MAGIC_SIZE];

    if (source->size < sizeof start)
        return TRUE;
    if (!source->read(source->data, 0, start, sizeof start, error))
        return FALSE;
    if (!seal_has_magic(start, sizeof start))
        return TRUE;
    error_set(error, ERROR_USAGE, "%s is sealed: it is an object of an encrypted repository",
              source->name);
    error_add_hint(error, "name that with --repository and its key with --key, or write the backup "
                          "as plain files with holdfast export");
    return FALSE;
}

static gboolean open_file(ParquetInput *input, const char *path, GError **error)
{
    input->file = parquet_file_open(path, error);
    return input->file != NULL && check_clear(parquet_file_source(input->file), error);
}

/* The name of an object in the store: of a path into the repository, of what SHA256SUMS says
 * ("../../pool/…"), or as it is. Free with g_free(). */
static char *object_name(const char *location, const char *argument)
{
    g_autofree char *root = realpath(location, NULL);
    g_autofree char *path = realpath(argument, NULL);

    if (root != NULL && path != NULL && g_str_has_prefix(path, root) && path[strlen(root)] == '/')
        return g_strdup(path + strlen(root) + 1);
    return g_strdup(g_str_has_prefix(argument, "../../") ? argument + strlen("../../") : argument);
}

static gboolean open_object(CommandRun *run, ParquetInput *input, const char *argument,
                            GError **error)
{
    g_autoptr(Config) config = command_config(run, error);
    g_autoptr(Repository) repository =
        config != NULL ? operation_open_repository(config, error) : NULL;
    g_autofree char *name = NULL;

    if (repository == NULL || !repository_unlock(repository, error))
        return FALSE;
    name = object_name(store_location(repository_store(repository)), argument);
    if (!g_str_has_prefix(name, POOL)) {
        error_set(error, ERROR_USAGE, "%s is no object of the pool of %s", argument,
                  store_location(repository_store(repository)));
        error_add_hint(error, "SHA256SUMS of a backup lists them; without --repository any Parquet "
                              "file can be looked at");
        return FALSE;
    }
    input->object = stored_parquet_open(repository, name, error);
    return input->object != NULL;
}

ParquetInput *parquet_input_open(CommandRun *run, GError **error)
{
    g_autoptr(ParquetInput) input = g_new0(ParquetInput, 1);
    const char *argument = run->arguments[0];
    gboolean opened = run->repository == NULL && run->key == NULL
                          ? open_file(input, argument, error)
                          : open_object(run, input, argument, error);

    return opened ? g_steal_pointer(&input) : NULL;
}

const ParquetSource *parquet_input_source(const ParquetInput *input)
{
    return input->file != NULL ? parquet_file_source(input->file)
                               : stored_parquet_source(input->object);
}

void parquet_input_close(ParquetInput *input)
{
    if (input == NULL)
        return;
    parquet_file_close(input->file);
    stored_parquet_close(input->object);
    g_free(input);
}
