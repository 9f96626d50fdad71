/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes the reader of a backup's objects and dependencies: any bytes give a graph whose edges lead
 * to its objects, or an error.
 */
#include <stdint.h>

#include "postgres/graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PgGraphReader) reader = pg_graph_reader_new("input");
    g_autoptr(PgGraph) graph = NULL;

    if (pg_graph_reader_take(reader, data, size, &error))
        graph = pg_graph_reader_finish(reader, &error);
    if ((graph == NULL) == (error == NULL))
        g_error("a graph and an error, or neither");
    for (guint i = 0; graph != NULL && i < pg_graph_size(graph); i++) {
        guint count;
        const PgEdge *edges = pg_graph_needs(graph, i, &count);

        for (guint k = 0; k < count; k++)
            if (edges[k].object != i || edges[k].other >= pg_graph_size(graph))
                g_error("an edge leads nowhere");
    }
    return 0;
}
