/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the objects of a backup into two sorted arrays of edges with an index a direction:
 * compact, since a database may have millions of dependencies.
 */
#include "postgres/graph.h"

#include "base/error.h"
#include "base/json.h"
#include "postgres/inventory.h"

#include <string.h>

#define LINE_LIMIT  (1u << 20)
#define COUNT_LIMIT 50000000u

struct PgGraph {
    GArray *objects;     /* PgObject */
    GHashTable *by_oids; /* catalog and oid -> index */
    GArray *needs;       /* PgEdge, sorted by object */
    GArray *dependents;  /* PgEdge, sorted by other */
    guint *needs_start;  /* index of an object's first edge; one more at the end */
    guint *dependents_start;
};

static void clear_object(gpointer data)
{
    PgObject *object = data;

    g_free(object->type);
    g_free(object->identity);
}

static PgGraph *graph_new(void)
{
    PgGraph *graph = g_new0(PgGraph, 1);

    graph->objects = g_array_new(FALSE, FALSE, sizeof(PgObject));
    g_array_set_clear_func(graph->objects, clear_object);
    graph->by_oids = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    graph->needs = g_array_new(FALSE, FALSE, sizeof(PgEdge));
    return graph;
}

void pg_graph_free(PgGraph *graph)
{
    if (graph == NULL)
        return;
    g_array_unref(graph->objects);
    g_hash_table_unref(graph->by_oids);
    g_array_unref(graph->needs);
    if (graph->dependents != NULL)
        g_array_unref(graph->dependents);
    g_free(graph->needs_start);
    g_free(graph->dependents_start);
    g_free(graph);
}

guint pg_graph_size(const PgGraph *graph)
{
    return graph->objects->len;
}

const PgObject *pg_graph_object(const PgGraph *graph, guint index)
{
    return &g_array_index(graph->objects, PgObject, index);
}

static gint64 oids_key(guint32 catalog, guint32 oid)
{
    return (gint64)(((guint64)catalog << 32) | oid);
}

guint pg_graph_find(const PgGraph *graph, guint32 catalog, guint32 oid)
{
    gint64 key = oids_key(catalog, oid);
    gpointer value;

    if (!g_hash_table_lookup_extended(graph->by_oids, &key, NULL, &value))
        return PG_GRAPH_NONE;
    return GPOINTER_TO_UINT(value);
}

const PgEdge *pg_graph_needs(const PgGraph *graph, guint index, guint *ret_count)
{
    *ret_count = graph->needs_start[index + 1] - graph->needs_start[index];
    return (const PgEdge *)(void *)graph->needs->data + graph->needs_start[index];
}

const PgEdge *pg_graph_dependents(const PgGraph *graph, guint index, guint *ret_count)
{
    *ret_count = graph->dependents_start[index + 1] - graph->dependents_start[index];
    return (const PgEdge *)(void *)graph->dependents->data + graph->dependents_start[index];
}

/* --- reading ---------------------------------------------------------------------------------- */

struct PgGraphReader {
    PgGraph *graph;
    GString *line;
    char *what;
};

PgGraphReader *pg_graph_reader_new(const char *what)
{
    PgGraphReader *reader = g_new0(PgGraphReader, 1);

    reader->graph = graph_new();
    reader->line = g_string_new(NULL);
    reader->what = g_strdup(what);
    return reader;
}

void pg_graph_reader_free(PgGraphReader *reader)
{
    if (reader == NULL)
        return;
    pg_graph_free(reader->graph);
    g_string_free(reader->line, TRUE);
    g_free(reader->what);
    g_free(reader);
}

static gboolean read_oid(const json_t *line, size_t index, guint32 *ret_oid)
{
    const json_t *value = json_array_get(line, index);
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < 0 || number > G_MAXUINT32)
        return FALSE;
    *ret_oid = (guint32)number;
    return TRUE;
}

static gboolean take_object(PgGraph *graph, const json_t *line)
{
    const char *type = json_string_value(json_array_get(line, 3));
    const char *identity = json_string_value(json_array_get(line, 4));
    PgObject object = {0};
    gint64 *key;

    if (!read_oid(line, 1, &object.catalog) || !read_oid(line, 2, &object.oid) || type == NULL ||
        identity == NULL || graph->objects->len >= COUNT_LIMIT)
        return FALSE;
    if (pg_graph_find(graph, object.catalog, object.oid) != PG_GRAPH_NONE)
        return FALSE;
    object.type = g_strdup(type);
    object.identity = g_strdup(identity);
    key = g_new(gint64, 1);
    *key = oids_key(object.catalog, object.oid);
    g_hash_table_insert(graph->by_oids, key, GUINT_TO_POINTER(graph->objects->len));
    g_array_append_val(graph->objects, object);
    return TRUE;
}

/* Edges follow the objects. An edge to something that is no object of its own (a toast table) says
 * nothing. */
static gboolean take_edge(PgGraph *graph, const json_t *line)
{
    const char *type = json_string_value(json_array_get(line, 5));
    guint32 oids[4];
    PgEdge edge;

    for (size_t i = 0; i < G_N_ELEMENTS(oids); i++)
        if (!read_oid(line, i + 1, &oids[i]))
            return FALSE;
    if (type == NULL || strlen(type) != 1 || graph->needs->len >= COUNT_LIMIT)
        return FALSE;
    edge.object = pg_graph_find(graph, oids[0], oids[1]);
    edge.other = pg_graph_find(graph, oids[2], oids[3]);
    edge.type = type[0];
    if (edge.object != PG_GRAPH_NONE && edge.other != PG_GRAPH_NONE)
        g_array_append_val(graph->needs, edge);
    return TRUE;
}

static gboolean take_line(PgGraphReader *reader, GError **error)
{
    g_autoptr(json_t) line = json_loadb(reader->line->str, reader->line->len, JSON_ALLOW_NUL, NULL);
    const char *kind = json_string_value(json_array_get(line, 0));
    gboolean known = FALSE;

    if (kind != NULL && strcmp(kind, "o") == 0)
        known = take_object(reader->graph, line);
    else if (kind != NULL && strcmp(kind, "d") == 0)
        known = take_edge(reader->graph, line);
    g_string_truncate(reader->line, 0);
    if (!known)
        error_set(error, ERROR_FORMAT, "%s has a line that is neither an object nor a dependency",
                  reader->what);
    return known;
}

gboolean pg_graph_reader_take(PgGraphReader *reader, const void *bytes, gsize length,
                              GError **error)
{
    const char *at = bytes, *end = at + length;

    while (at < end) {
        const char *feed = memchr(at, '\n', (gsize)(end - at));
        const char *stop = feed != NULL ? feed : end;

        g_string_append_len(reader->line, at, stop - at);
        if (reader->line->len > LINE_LIMIT) {
            error_set(error, ERROR_LIMIT, "%s has a line longer than 1 MiB", reader->what);
            return FALSE;
        }
        if (feed == NULL)
            return TRUE;
        if (!take_line(reader, error))
            return FALSE;
        at = feed + 1;
    }
    return TRUE;
}

static int compare_by_object(gconstpointer a, gconstpointer b)
{
    const PgEdge *one = a, *other = b;

    return one->object < other->object ? -1 : one->object > other->object;
}

static int compare_by_other(gconstpointer a, gconstpointer b)
{
    const PgEdge *one = a, *other = b;

    return one->other < other->other ? -1 : one->other > other->other;
}

/* Where each object's edges begin in the sorted array. */
static guint *index_edges(const GArray *edges, guint objects, gboolean by_other)
{
    guint *start = g_new0(guint, (gsize)objects + 1);
    guint at = 0;

    for (guint i = 0; i < objects; i++) {
        start[i] = at;
        while (at < edges->len) {
            const PgEdge *edge = &g_array_index(edges, PgEdge, at);

            if ((by_other ? edge->other : edge->object) != i)
                break;
            at++;
        }
    }
    start[objects] = at;
    return start;
}

PgGraph *pg_graph_reader_finish(PgGraphReader *reader, GError **error)
{
    PgGraph *graph = reader->graph;

    if (reader->line->len > 0) {
        error_set(error, ERROR_DAMAGED, "%s ends in the middle of a line", reader->what);
        return NULL;
    }
    graph->dependents = g_array_copy(graph->needs);
    g_array_sort(graph->needs, compare_by_object);
    g_array_sort(graph->dependents, compare_by_other);
    graph->needs_start = index_edges(graph->needs, graph->objects->len, FALSE);
    graph->dependents_start = index_edges(graph->dependents, graph->objects->len, TRUE);
    return g_steal_pointer(&reader->graph);
}

static gboolean take_bytes(const void *bytes, gsize length, gpointer data, GError **error)
{
    return pg_graph_reader_take(data, bytes, length, error);
}

PgGraph *pg_graph_read(Backup *backup, const char *path, GCancellable *cancellable, GError **error)
{
    g_autoptr(PgGraphReader) reader = pg_graph_reader_new(path);

    if (!backup_read_object(backup, path, take_bytes, reader, cancellable, error))
        return NULL;
    return pg_graph_reader_finish(reader, error);
}

/* --- what is there ---------------------------------------------------------------------------- */

/* All relations share one name space: a view stands in the way of a table. */
static char *object_key(guint32 catalog, const char *type, const char *identity)
{
    return g_strdup_printf("%u %s %s", catalog, catalog == PG_CLASS_RELATION ? "relation" : type,
                           identity);
}

static gboolean take_present(const PGresult *row, gpointer data, GError **error)
{
    g_hash_table_insert(data,
                        object_key((guint32)pg_uint(row, 0, 0), pg_text(row, 0, 2),
                                   pg_text(row, 0, 3)),
                        GUINT_TO_POINTER((guint32)pg_uint(row, 0, 1)));
    return TRUE;
}

gboolean pg_present_read(PgConnection *connection, PgPresent **ret_present, GError **error)
{
    g_autoptr(GHashTable) present = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    if (!pg_query_each(connection, pg_objects_sql, take_present, present, error))
        return FALSE;
    *ret_present = g_steal_pointer(&present);
    return TRUE;
}

guint32 pg_present_find(PgPresent *present, const PgObject *object)
{
    g_autofree char *key = object_key(object->catalog, object->type, object->identity);

    return GPOINTER_TO_UINT(g_hash_table_lookup(present, key));
}
