/* SPDX-License-Identifier: Apache-2.0
 *
 * What `holdfast parquet` looks at: any Parquet file, or with --repository an object of that
 * repository, which may be sealed.
 */
#ifndef HOLDFAST_CLI_PARQUET_INPUT_H
#define HOLDFAST_CLI_PARQUET_INPUT_H

#include "cli/command.h"
#include "parquet/source.h"

typedef struct ParquetInput ParquetInput;

/* The command's first argument. ERROR_USAGE for a sealed file without its repository. */
ParquetInput *parquet_input_open(CommandRun *run, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Belongs to the input. */
const ParquetSource *parquet_input_source(const ParquetInput *input);
void parquet_input_close(ParquetInput *input);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ParquetInput, parquet_input_close)

/* The same in words, for --help. */
#define PARQUET_INPUT_HELP                                                                         \
    "FILE is a Parquet file. With --repository (and --key) it may be an object of a\n"             \
    "repository's pool, sealed or not, by its path or as SHA256SUMS names it."

#endif
