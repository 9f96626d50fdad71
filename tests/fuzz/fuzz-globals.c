/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes the reader of roles and tablespaces, and that of table patterns, with any text.
 */
#include <stdint.h>

#include "postgres/globals.h"
#include "postgres/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    const char *const texts[] = {text, NULL};
    g_autoptr(GPtrArray) globals = NULL;
    g_autoptr(GPtrArray) patterns = NULL;

    if (pg_globals_parse(text, &globals, NULL) == (globals == NULL))
        g_error("statements and an error, or neither");
    if (pg_patterns_parse(texts, &patterns, NULL) == (patterns == NULL))
        g_error("patterns and an error, or neither");
    for (guint i = 0; patterns != NULL && i < patterns->len; i++)
        (void)pg_pattern_match(g_ptr_array_index(patterns, i), "d", "aab", "abcabc");
    return 0;
}
