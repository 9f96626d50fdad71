/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes the reader of configuration files: any bytes give a configuration or an error.
 */
#include <stdint.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Config) config = config_parse((const char *)data, size, "input", &error);

    /* Exactly one of the two. */
    if ((config == NULL) == (error == NULL))
        g_error("a configuration and an error, or neither");
    return 0;
}
