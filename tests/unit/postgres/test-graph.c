/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects and dependencies, read from lines that arrive in pieces.
 */
#include "postgres/graph.h"

#include <string.h>

#include "base/error.h"

static const char sample[] = "[\"o\", 1259, 1, \"table\", \"app.t\"]\n"
                             "[\"o\", 1259, 2, \"index\", \"app.i\"]\n"
                             "[\"o\", 2615, 3, \"schema\", \"app\"]\n"
                             "[\"d\", 1259, 1, 2615, 3, \"n\"]\n"
                             "[\"d\", 1259, 2, 1259, 1, \"a\"]\n"
                             "[\"d\", 1259, 2, 1259, 99, \"a\"]\n";

static PgGraph *read_pieces(const char *text, gsize piece, GError **error)
{
    g_autoptr(PgGraphReader) reader = pg_graph_reader_new("sample");
    gsize length = strlen(text);

    for (gsize at = 0; at < length; at += piece)
        if (!pg_graph_reader_take(reader, text + at, MIN(piece, length - at), error))
            return NULL;
    return pg_graph_reader_finish(reader, error);
}

static void test_edges(void)
{
    for (gsize piece = 1; piece < sizeof sample; piece++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(PgGraph) graph = read_pieces(sample, piece, &error);
        guint table, count;
        const PgEdge *edges;

        g_assert_no_error(error);
        g_assert_cmpuint(pg_graph_size(graph), ==, 3);
        table = pg_graph_find(graph, 1259, 1);
        g_assert_cmpstr(pg_graph_object(graph, table)->identity, ==, "app.t");
        edges = pg_graph_needs(graph, table, &count);
        g_assert_cmpuint(count, ==, 1);
        g_assert_cmpstr(pg_graph_object(graph, edges[0].other)->type, ==, "schema");
        g_assert_cmpint(edges[0].type, ==, 'n');
        edges = pg_graph_dependents(graph, table, &count);
        g_assert_cmpuint(count, ==, 1);
        g_assert_cmpstr(pg_graph_object(graph, edges[0].object)->identity, ==, "app.i");
        (void)pg_graph_needs(graph, pg_graph_find(graph, 2615, 3), &count);
        g_assert_cmpuint(count, ==, 0);
        g_assert_cmpuint(pg_graph_find(graph, 1259, 99), ==, PG_GRAPH_NONE);
    }
}

static void test_refused(void)
{
    static const char *const bad[] = {
        "\n",
        "{}\n",
        "[]\n",
        "[\"x\"]\n",
        "[\"o\", 1, 2, \"t\"]\n",
        "[\"o\", -1, 2, \"t\", \"i\"]\n",
        "[\"o\", 1, 4294967296, \"t\", \"i\"]\n",
        "[\"o\", 1, 2, \"t\", \"i\"]\n[\"o\", 1, 2, \"t\", \"i\"]\n",
        "[\"d\", 1, 2, 3, 4]\n",
        "[\"d\", 1, 2, 3, 4, \"\"]\n",
        "[\"o\", 1, 2, \"t\", \"i\"]",
    };

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("%s", bad[i]);
        g_assert_null(read_pieces(bad[i], 4, &error));
        g_assert_true(error_is(error, ERROR_FORMAT) || error_is(error, ERROR_DAMAGED));
    }
}

static void test_empty(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PgGraph) graph = read_pieces("", 1, &error);

    g_assert_no_error(error);
    g_assert_cmpuint(pg_graph_size(graph), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/graph/edges", test_edges);
    g_test_add_func("/graph/refused", test_refused);
    g_test_add_func("/graph/empty", test_empty);
    return g_test_run();
}
