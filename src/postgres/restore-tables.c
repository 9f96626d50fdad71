/* SPDX-License-Identifier: Apache-2.0
 *
 * The closure of chosen tables over their dependencies, and the archives' entries that belong to
 * it.
 */
#include "postgres/restore-tables.h"

#include "base/error.h"
#include "postgres/restore-drop.h"

#include <string.h>

void pg_selection_free(PgSelection *selection)
{
    if (selection == NULL)
        return;
    g_ptr_array_unref(selection->tables);
    g_free(selection->schema_list);
    g_free(selection->attach_list);
    g_free(selection->rest_list);
    g_ptr_array_unref(selection->extensions);
    g_ptr_array_unref(selection->drops);
    g_free(selection);
}

/* --- the closure ------------------------------------------------------------------------------ */

typedef enum {
    STATE_OUT,   /* not reached */
    STATE_IN,    /* comes along */
    STATE_THERE, /* needed, and the target has it */
} State;

typedef struct {
    const PgSelectionRequest *request;
    PgGraph *graph;
    PgToc *toc;         /* of the schema archive */
    PgPresent *present; /* NULL: the target is new */
    GHashTable *gone;   /* oids in the target that --replace drops; NULL: none */
    GHashTable *chosen; /* oids of chosen tables, in the backup */
    guint8 *states;     /* State, an object each */
    guint8 *
        foreign; /* 1: a foreign key that comes along, 2: one that was looked at and stays behind */
    GQueue queue;       /* of object index */
    GHashTable *wanted; /* dump ids of the schema archive's entries that come along */
    PgSelection *selection;
} Closure;

static void closure_clear(Closure *closure)
{
    g_clear_pointer(&closure->graph, pg_graph_free);
    g_clear_pointer(&closure->toc, pg_toc_free);
    g_clear_pointer(&closure->present, g_hash_table_unref);
    g_clear_pointer(&closure->gone, g_hash_table_unref);
    g_clear_pointer(&closure->chosen, g_hash_table_unref);
    g_clear_pointer(&closure->wanted, g_hash_table_unref);
    g_clear_pointer(&closure->states, g_free);
    g_clear_pointer(&closure->foreign, g_free);
    g_queue_clear(&closure->queue);
    g_clear_pointer(&closure->selection, pg_selection_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Closure, closure_clear)

/* The target has it, and keeps it. */
static gboolean stays_there(const Closure *closure, const PgObject *object)
{
    guint32 oid;

    if (closure->present == NULL)
        return FALSE;
    oid = pg_present_find(closure->present, object);
    return oid != 0 && !pg_dropped_contains(closure->gone, object->catalog, oid);
}

static gboolean is_table(const PgObject *object)
{
    return object->catalog == PG_CLASS_RELATION &&
           (strcmp(object->type, "table") == 0 || strcmp(object->type, "foreign table") == 0);
}

static gboolean is_sequence(const PgObject *object)
{
    return object->catalog == PG_CLASS_RELATION && strcmp(object->type, "sequence") == 0;
}

static gboolean is_foreign_key(const Closure *closure, const PgObject *object)
{
    const PgTocEntry *entry = pg_toc_find_object(closure->toc, object->catalog, object->oid);

    return entry != NULL && entry->kind == PG_TOC_FOREIGN_KEY;
}

static gboolean is_publication(const Closure *closure, const PgObject *object)
{
    const PgTocEntry *entry = pg_toc_find_object(closure->toc, object->catalog, object->oid);

    return entry != NULL && entry->kind == PG_TOC_PUBLICATION;
}

/* `own`: it belongs to a table that comes along, so that something else of its name in the target
 * stands in the way. */
static void add_object(Closure *closure, guint index, gboolean own)
{
    const PgObject *object = pg_graph_object(closure->graph, index);
    EnginePlan *plan = closure->request->plan;
    g_autoptr(GError) problem = NULL;

    if (closure->states[index] != STATE_OUT)
        return;
    if (!stays_there(closure, object)) {
        closure->states[index] = STATE_IN;
        g_queue_push_tail(&closure->queue, GUINT_TO_POINTER(index));
        return;
    }
    closure->states[index] = STATE_THERE;
    if (own && is_sequence(object)) {
        engine_plan_warn(plan, "sequence %s is there already and keeps its value",
                         object->identity);
    } else if (own && pg_toc_find_object(closure->toc, object->catalog, object->oid) != NULL) {
        error_set(&problem, ERROR_EXISTS,
                  "%s %s is there already, and does not belong to a table "
                  "that is replaced",
                  object->type, object->identity);
        error_add_hint(&problem, "rename or drop it, or restore into another database "
                                 "(--to-database)");
        engine_plan_problem(plan, g_steal_pointer(&problem));
    }
}

/* What is an object's own: dropped with it. Partitions are chosen with their table, not found here;
 * foreign keys and publications have rules of their own. */
static void add_own(Closure *closure, guint index)
{
    guint count;
    const PgEdge *edges = pg_graph_dependents(closure->graph, index, &count);

    for (guint i = 0; i < count; i++) {
        const PgObject *object = pg_graph_object(closure->graph, edges[i].object);

        if (strchr("aiS", edges[i].type) == NULL || is_table(object) ||
            is_foreign_key(closure, object) || is_publication(closure, object))
            continue;
        add_object(closure, edges[i].object, TRUE);
    }
}

/* A partition can stand alone, and a sequence without the table that owns it. */
static gboolean can_do_without(const PgObject *object, const PgObject *other, char type)
{
    if (type == 'P')
        return TRUE;
    return (is_table(object) && is_table(other) && type == 'a') ||
           (is_sequence(object) && is_table(other));
}

static void add_needs(Closure *closure, guint index)
{
    const PgObject *object = pg_graph_object(closure->graph, index);
    guint count;
    const PgEdge *edges = pg_graph_needs(closure->graph, index, &count);

    for (guint i = 0; i < count; i++)
        if (!can_do_without(object, pg_graph_object(closure->graph, edges[i].other), edges[i].type))
            add_object(closure, edges[i].other, FALSE);
}

static gboolean belongs_to_extension(const Closure *closure, guint index)
{
    guint count;
    const PgEdge *edges = pg_graph_needs(closure->graph, index, &count);

    for (guint i = 0; i < count; i++)
        if (edges[i].type == 'e')
            return TRUE;
    return FALSE;
}

static void run_queue(Closure *closure)
{
    while (!g_queue_is_empty(&closure->queue)) {
        guint index = GPOINTER_TO_UINT(g_queue_pop_head(&closure->queue));

        add_needs(closure, index);
        /* The extension makes its members with all that is theirs. */
        if (!belongs_to_extension(closure, index))
            add_own(closure, index);
    }
}

/* --- foreign keys ----------------------------------------------------------------------------- */

/* The table that a foreign key refers to: its rows come along, or it is there. */
static gboolean may_refer_to(const Closure *closure, guint index)
{
    const PgObject *object = pg_graph_object(closure->graph, index);

    return g_hash_table_contains(closure->chosen, GUINT_TO_POINTER(object->oid)) ||
           stays_there(closure, object);
}

/* 'a' leads to the table that has the key, 'n' to the one that it refers to. */
static void look_at_foreign_key(Closure *closure, guint index)
{
    const PgObject *key = pg_graph_object(closure->graph, index);
    gboolean owned = FALSE;
    guint count;
    const PgEdge *edges = pg_graph_needs(closure->graph, index, &count);

    for (guint i = 0; i < count; i++)
        owned = owned || (edges[i].type == 'a' && closure->states[edges[i].other] == STATE_IN);
    if (!owned)
        return;
    closure->foreign[index] = 1;
    for (guint i = 0; i < count; i++) {
        const PgObject *other = pg_graph_object(closure->graph, edges[i].other);

        if (edges[i].type != 'n' || !is_table(other) || may_refer_to(closure, edges[i].other))
            continue;
        closure->foreign[index] = 2;
        engine_plan_warn(closure->request->plan,
                         "foreign key %s is left out: table %s, to which it refers, is neither "
                         "chosen nor there",
                         key->identity, other->identity);
        return;
    }
}

static void look_at_foreign_keys(Closure *closure)
{
    for (guint i = 0; i < closure->toc->entries->len; i++) {
        const PgTocEntry *entry = g_ptr_array_index(closure->toc->entries, i);
        guint index = entry->kind == PG_TOC_FOREIGN_KEY
                          ? pg_graph_find(closure->graph, entry->catalog, entry->oid)
                          : PG_GRAPH_NONE;

        if (index != PG_GRAPH_NONE)
            look_at_foreign_key(closure, index);
    }
}

/* --- entries of the schema archive ------------------------------------------------------------ */

static gboolean is_wanted(const Closure *closure, guint32 dump_id)
{
    return g_hash_table_contains(closure->wanted, GUINT_TO_POINTER(dump_id));
}

static State state_of(const Closure *closure, guint32 catalog, guint32 oid)
{
    guint index = pg_graph_find(closure->graph, catalog, oid);

    return index != PG_GRAPH_NONE ? (State)closure->states[index] : STATE_OUT;
}

/* The object of an entry that another depends on; PG_GRAPH_NONE where it is none. */
static guint depends_on(const Closure *closure, const PgTocEntry *entry, guint place)
{
    guint32 id = g_array_index(entry->depends, guint32, place);
    const PgTocEntry *other = pg_toc_find(closure->toc, id);

    return other != NULL ? pg_graph_find(closure->graph, other->catalog, other->oid)
                         : PG_GRAPH_NONE;
}

/* An appendix belongs to what it depends on: all of that must come. */
static gboolean has_depends(const Closure *closure, const PgTocEntry *entry)
{
    guint wanted = 0;

    for (guint i = 0; entry->depends != NULL && i < entry->depends->len; i++) {
        guint32 id = g_array_index(entry->depends, guint32, i);

        if (pg_toc_find(closure->toc, id) == NULL)
            continue;
        if (!is_wanted(closure, id))
            return FALSE;
        wanted++;
    }
    return wanted > 0;
}

static gboolean is_partition_of(const Closure *closure, guint table, guint parent)
{
    guint count;
    const PgEdge *edges = pg_graph_needs(closure->graph, table, &count);

    for (guint i = 0; i < count; i++)
        if (edges[i].other == parent && edges[i].type == 'a')
            return TRUE;
    return FALSE;
}

static gboolean has_state(const Closure *closure, guint index, State state)
{
    const PgObject *object = pg_graph_object(closure->graph, index);

    if (!is_table(object))
        return FALSE;
    if (state == STATE_THERE)
        return closure->states[index] != STATE_IN && stays_there(closure, object);
    return (State)closure->states[index] == state;
}

/* Attaching a partition, or an index of it, depends on the partition and its table among others
 * (pg_dump adds what stands behind a primary key, further up too). True when the partition comes
 * along and its table is in that state. */
static gboolean attaches_to(const Closure *closure, const PgTocEntry *entry, State state)
{
    for (guint i = 0; entry->depends != NULL && i < entry->depends->len; i++) {
        guint table = depends_on(closure, entry, i);

        if (table == PG_GRAPH_NONE || !has_state(closure, table, STATE_IN))
            continue;
        for (guint k = 0; k < entry->depends->len; k++) {
            guint parent = depends_on(closure, entry, k);

            if (parent != PG_GRAPH_NONE && has_state(closure, parent, state) &&
                is_partition_of(closure, table, parent))
                return TRUE;
        }
    }
    return FALSE;
}

/* OWNED BY names the table too; it comes, or is there. */
static gboolean has_owner(const Closure *closure, const PgTocEntry *entry)
{
    const PgTocEntry *sequence =
        entry->depends != NULL && entry->depends->len > 0
            ? pg_toc_find(closure->toc, g_array_index(entry->depends, guint32, 0))
            : NULL;
    guint index = sequence != NULL && is_wanted(closure, sequence->dump_id)
                      ? pg_graph_find(closure->graph, sequence->catalog, sequence->oid)
                      : PG_GRAPH_NONE;
    const PgEdge *edges;
    guint count = 0;

    if (index == PG_GRAPH_NONE)
        return FALSE;
    edges = pg_graph_needs(closure->graph, index, &count);
    for (guint i = 0; i < count; i++) {
        const PgObject *table = pg_graph_object(closure->graph, edges[i].other);

        if (edges[i].type == 'a' && is_table(table))
            return closure->states[edges[i].other] == STATE_IN || stays_there(closure, table);
    }
    return FALSE;
}

static gboolean wants_entry(const Closure *closure, const PgTocEntry *entry)
{
    guint index;

    switch (entry->kind) {
    case PG_TOC_OBJECT:
        return state_of(closure, entry->catalog, entry->oid) == STATE_IN;
    case PG_TOC_FOREIGN_KEY:
        index = pg_graph_find(closure->graph, entry->catalog, entry->oid);
        return index != PG_GRAPH_NONE && closure->foreign[index] == 1;
    case PG_TOC_MATVIEW_DATA:
    case PG_TOC_ROW_SECURITY:
        return state_of(closure, PG_CLASS_RELATION, entry->oid) == STATE_IN;
    case PG_TOC_APPENDIX:
        return has_depends(closure, entry);
    case PG_TOC_ATTACH:
        return attaches_to(closure, entry, STATE_IN);
    case PG_TOC_SEQUENCE_OWNER:
        return has_owner(closure, entry);
    default:
        return FALSE;
    }
}

/* A base type's functions name the type before it is there: its shell comes where they come. */
static void want_shell_types(Closure *closure)
{
    for (guint i = 0; i < closure->toc->entries->len; i++) {
        const PgTocEntry *entry = g_ptr_array_index(closure->toc->entries, i);

        for (guint k = 0; entry->depends != NULL && k < entry->depends->len; k++) {
            guint32 id = g_array_index(entry->depends, guint32, k);
            const PgTocEntry *other = pg_toc_find(closure->toc, id);

            if (other != NULL && other->kind == PG_TOC_SHELL_TYPE &&
                is_wanted(closure, entry->dump_id))
                g_hash_table_add(closure->wanted, GUINT_TO_POINTER(id));
        }
    }
}

/* A partition of a table that comes along has been dealt with. One of a table that is there is
 * attached when all its own indexes are built: attached before, it would be given copies of the
 * table's, and its own would be too many. Its indexes join those of the table by themselves
 * then. */
static void look_at_attach(Closure *closure, const PgTocEntry *entry, GString *attach)
{
    if (entry->kind != PG_TOC_ATTACH || is_wanted(closure, entry->dump_id) ||
        !g_str_has_prefix(entry->text, "TABLE ATTACH ") || entry->depends == NULL ||
        entry->depends->len == 0 || !is_wanted(closure, g_array_index(entry->depends, guint32, 0)))
        return;
    if (attaches_to(closure, entry, STATE_THERE))
        g_string_append_printf(attach, "%u;\n", entry->dump_id);
    else
        engine_plan_warn(closure->request->plan,
                         "a partition comes as a table of its own (%s): its partitioned table is "
                         "neither chosen nor there",
                         entry->text + strlen("TABLE ATTACH "));
}

static void make_schema_list(Closure *closure)
{
    GString *list = g_string_new(NULL);
    g_autoptr(GString) attach = g_string_new(NULL);

    /* An entry comes behind those that it depends on. */
    for (guint i = 0; i < closure->toc->entries->len; i++) {
        const PgTocEntry *entry = g_ptr_array_index(closure->toc->entries, i);

        if (wants_entry(closure, entry))
            g_hash_table_add(closure->wanted, GUINT_TO_POINTER(entry->dump_id));
        look_at_attach(closure, entry, attach);
    }
    want_shell_types(closure);
    for (guint i = 0; i < closure->toc->entries->len; i++) {
        const PgTocEntry *entry = g_ptr_array_index(closure->toc->entries, i);

        if (is_wanted(closure, entry->dump_id))
            g_string_append_printf(list, "%u;\n", entry->dump_id);
    }
    closure->selection->schema_list = g_string_free(list, FALSE);
    if (attach->len > 0)
        closure->selection->attach_list = g_string_free(g_steal_pointer(&attach), FALSE);
}

/* --- entries of the archive of the rest ------------------------------------------------------- */

/* The entry that makes the sequence says by its text which value belongs to it: "SEQUENCE app s
 * bob" and "SEQUENCE SET app s bob". Two sequences can share such a text (names are not quoted
 * there), and then the numbers of both archives, which are those of the same database, must agree
 * too. */
static gboolean wants_value(const Closure *closure, GHashTable *sequences, const PgTocEntry *entry)
{
    const char *rest = entry->text + strlen("SEQUENCE SET ");
    GArray *ids = g_hash_table_lookup(sequences, rest);

    for (guint i = 0; ids != NULL && i < ids->len; i++) {
        guint32 id = g_array_index(ids, guint32, i);

        if (!is_wanted(closure, id))
            continue;
        if (ids->len == 1)
            return TRUE;
        for (guint k = 0; entry->depends != NULL && k < entry->depends->len; k++)
            if (g_array_index(entry->depends, guint32, k) == id)
                return TRUE;
    }
    return FALSE;
}

/* Text behind "SEQUENCE " -> dump ids of all sequences that have it. */
static GHashTable *sequences_by_text(const PgToc *toc)
{
    GHashTable *sequences =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_array_unref);

    for (guint i = 0; i < toc->entries->len; i++) {
        const PgTocEntry *entry = g_ptr_array_index(toc->entries, i);
        const char *rest;
        GArray *ids;

        if (entry->kind != PG_TOC_OBJECT || entry->catalog != PG_CLASS_RELATION ||
            !g_str_has_prefix(entry->text, "SEQUENCE "))
            continue;
        rest = entry->text + strlen("SEQUENCE ");
        ids = g_hash_table_lookup(sequences, rest);
        if (ids == NULL) {
            ids = g_array_new(FALSE, FALSE, sizeof(guint32));
            g_hash_table_insert(sequences, (gpointer)rest, ids);
        }
        g_array_append_val(ids, entry->dump_id);
    }
    return sequences;
}

static gboolean make_rest_list(Closure *closure, GError **error)
{
    const PgSelectionRequest *request = closure->request;
    g_autoptr(GHashTable) sequences = sequences_by_text(closure->toc);
    g_autoptr(GString) list = g_string_new(NULL);
    g_autoptr(PgToc) rest = pg_load_toc(request->load, request->database->rest_archive,
                                        request->request->cancellable, error);

    if (rest == NULL)
        return FALSE;
    for (guint i = 0; i < rest->entries->len; i++) {
        const PgTocEntry *entry = g_ptr_array_index(rest->entries, i);

        if ((entry->kind == PG_TOC_TABLE_DATA &&
             g_hash_table_contains(closure->chosen, GUINT_TO_POINTER(entry->oid))) ||
            (entry->kind == PG_TOC_SEQUENCE_SET && wants_value(closure, sequences, entry)))
            g_string_append_printf(list, "%u;\n", entry->dump_id);
    }
    if (list->len > 0)
        closure->selection->rest_list = g_string_free(g_steal_pointer(&list), FALSE);
    return TRUE;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* The tables and the partitions of those. */
static void choose_tables(Closure *closure, const GPtrArray *tables)
{
    const PgDetails *details = closure->request->details;

    for (guint i = 0; i < tables->len; i++)
        g_hash_table_add(closure->chosen,
                         GUINT_TO_POINTER(((const PgTable *)g_ptr_array_index(tables, i))->oid));
    pg_tables_add_partitions(details->tables, closure->request->database->oid, closure->chosen);
    for (guint i = 0; i < details->tables->len; i++) {
        PgTable *table = g_ptr_array_index(details->tables, i);

        if (table->database == closure->request->database->oid &&
            g_hash_table_contains(closure->chosen, GUINT_TO_POINTER(table->oid)))
            g_ptr_array_add(closure->selection->tables, table);
    }
}

/* Tables of the target that are replaced, or stand in the way. */
static gboolean look_at_target(Closure *closure, GError **error)
{
    const PgSelectionRequest *request = closure->request;
    g_autoptr(GArray) there = g_array_new(FALSE, FALSE, sizeof(guint32));

    if (request->target == NULL)
        return TRUE;
    if (!pg_present_read(request->target, &closure->present, error))
        return FALSE;
    for (guint i = 0; i < closure->selection->tables->len; i++) {
        const PgTable *table = g_ptr_array_index(closure->selection->tables, i);
        guint index = pg_graph_find(closure->graph, PG_CLASS_RELATION, table->oid);
        guint32 oid =
            index != PG_GRAPH_NONE
                ? pg_present_find(closure->present, pg_graph_object(closure->graph, index))
                : 0;

        if (oid != 0)
            g_array_append_val(there, oid);
        if (oid != 0 && !request->request->replace) {
            g_autoptr(GError) problem = NULL;

            error_set(&problem, ERROR_EXISTS, "table %s.%s exists in database %s", table->schema,
                      table->name, pg_connection_database(request->target));
            error_add_hint(&problem, "--replace drops it and restores it from the backup; "
                                     "--to-database restores it elsewhere");
            engine_plan_problem(request->plan, g_steal_pointer(&problem));
        }
    }
    if (!request->request->replace || there->len == 0)
        return TRUE;
    return pg_drop_plan(request->target, there, request->plan, closure->selection->drops,
                        &closure->gone, error);
}

static gboolean add_chosen(Closure *closure, GError **error)
{
    for (guint i = 0; i < closure->selection->tables->len; i++) {
        const PgTable *table = g_ptr_array_index(closure->selection->tables, i);
        guint index = pg_graph_find(closure->graph, PG_CLASS_RELATION, table->oid);

        if (index == PG_GRAPH_NONE) {
            error_set(error, ERROR_DAMAGED, "the backup's list of objects lacks table %s.%s",
                      table->schema, table->name);
            return FALSE;
        }
        if (closure->states[index] == STATE_OUT) {
            closure->states[index] = STATE_IN;
            g_queue_push_tail(&closure->queue, GUINT_TO_POINTER(index));
        }
    }
    run_queue(closure);
    return TRUE;
}

static gboolean publishes_wanted(const Closure *closure, const PgTocEntry *entry)
{
    for (guint i = 0; entry->depends != NULL && i < entry->depends->len; i++)
        if (is_wanted(closure, g_array_index(entry->depends, guint32, i)))
            return TRUE;
    return FALSE;
}

/* What the user may not expect: tables that come as a definition only, and what never comes. */
static void tell_of_company(Closure *closure)
{
    EnginePlan *plan = closure->request->plan;

    for (guint i = 0; i < pg_graph_size(closure->graph); i++) {
        const PgObject *object = pg_graph_object(closure->graph, i);

        if (closure->states[i] != STATE_IN)
            continue;
        if (object->catalog == PG_CLASS_EXTENSION)
            g_ptr_array_add(closure->selection->extensions, g_strdup(object->identity));
        if (is_table(object) && !belongs_to_extension(closure, i) &&
            !g_hash_table_contains(closure->chosen, GUINT_TO_POINTER(object->oid)))
            engine_plan_warn(plan,
                             "table %s comes without its rows: what was chosen needs its "
                             "definition",
                             object->identity);
    }
    for (guint i = 0; i < closure->toc->entries->len; i++) {
        const PgTocEntry *entry = g_ptr_array_index(closure->toc->entries, i);

        if (entry->kind == PG_TOC_PUBLICATION && publishes_wanted(closure, entry))
            engine_plan_warn(plan, "a table is not published anew (%s)", entry->text);
    }
    if (closure->request->database->large_objects > 0)
        engine_plan_warn(plan, "large objects are not restored with single tables");
}

gboolean pg_selection_make(const PgSelectionRequest *request, const GPtrArray *tables,
                           PgSelection **ret_selection, GError **error)
{
    GCancellable *cancellable = request->request->cancellable;
    g_auto(Closure) closure = {.request = request, .queue = G_QUEUE_INIT};

    closure.selection = g_new0(PgSelection, 1);
    closure.selection->tables = g_ptr_array_new();
    closure.selection->extensions = g_ptr_array_new_with_free_func(g_free);
    closure.selection->drops = g_ptr_array_new_with_free_func(g_free);
    closure.chosen = g_hash_table_new(NULL, NULL);
    closure.wanted = g_hash_table_new(NULL, NULL);
    closure.graph = pg_graph_read(request->request->backup, request->database->objects_path,
                                  cancellable, error);
    if (closure.graph == NULL)
        return FALSE;
    closure.toc = pg_load_toc(request->load, request->database->schema_archive, cancellable, error);
    if (closure.toc == NULL)
        return FALSE;
    closure.states = g_new0(guint8, MAX(pg_graph_size(closure.graph), 1));
    closure.foreign = g_new0(guint8, MAX(pg_graph_size(closure.graph), 1));
    choose_tables(&closure, tables);
    if (!look_at_target(&closure, error) || !add_chosen(&closure, error))
        return FALSE;
    look_at_foreign_keys(&closure);
    make_schema_list(&closure);
    if (!make_rest_list(&closure, error))
        return FALSE;
    tell_of_company(&closure);
    *ret_selection = g_steal_pointer(&closure.selection);
    return TRUE;
}
