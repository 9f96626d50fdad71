/* SPDX-License-Identifier: Apache-2.0
 *
 * The bare fetch loop of bench/tdengine: reads the blocks of one statement over one connection and
 * looks at no value. Says rows, blocks, seconds and seconds of processor time as JSON.
 *
 *   td-fetch URL STATEMENT [LIBRARY]
 */
#include <sys/resource.h>

#include "base/error.h"
#include "base/time.h"
#include "tdengine/client.h"

static double processor_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static gboolean fetch(TdClient *client, const char *sql, guint64 *ret_rows, guint64 *ret_blocks,
                      GError **error)
{
    g_autoptr(TdResult) result = td_client_query(client, sql, NULL, error);
    g_autoptr(GError) problem = NULL;
    const TdBlock *block;

    if (result == NULL)
        return FALSE;
    *ret_rows = *ret_blocks = 0;
    while ((block = td_result_next(result, &problem)) != NULL) {
        *ret_rows += block->rows;
        (*ret_blocks)++;
    }
    if (problem == NULL)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(TdClient) client = NULL;
    TdOptions options = {.password = "taosdata"};
    guint64 rows, blocks;
    gint64 begun;

    if (argc < 3 || argc > 4) {
        g_printerr("usage: td-fetch URL STATEMENT [LIBRARY]\n");
        return 2;
    }
    options.url = argv[1];
    options.library = argc == 4 ? argv[3] : NULL;
    client = td_client_connect(&options, NULL, &error);
    begun = time_monotonic();
    if (client == NULL || !fetch(client, argv[2], &rows, &blocks, &error)) {
        g_printerr("td-fetch: %s\n", error->message);
        return 1;
    }
    g_print("{\"transport\": \"%s\", \"rows\": %" G_GUINT64_FORMAT
            ", \"blocks\": %" G_GUINT64_FORMAT ", \"seconds\": %.3f, \"processor\": %.3f}\n",
            td_client_transport(client), rows, blocks,
            (double)(time_monotonic() - begun) / TIME_SECOND, processor_seconds());
    return 0;
}
