/* SPDX-License-Identifier: Apache-2.0
 *
 * Parsing of `pg_restore --list --verbose`.
 */
#include "postgres/restore-toc.h"

#include "base/error.h"

#include <string.h>

#define MAX_TEXT    (64u << 20)
#define MAX_DEPENDS 100000u

static void entry_free(gpointer data)
{
    PgTocEntry *entry = data;

    g_free(entry->text);
    if (entry->depends != NULL)
        g_array_unref(entry->depends);
    g_free(entry);
}

void pg_toc_free(PgToc *toc)
{
    if (toc == NULL)
        return;
    g_hash_table_unref(toc->objects);
    g_hash_table_unref(toc->by_id);
    g_ptr_array_unref(toc->entries);
    g_free(toc);
}

static gint64 *object_key(guint32 catalog, guint32 oid)
{
    gint64 *key = g_new(gint64, 1);

    *key = (gint64)(((guint64)catalog << 32) | oid);
    return key;
}

const PgTocEntry *pg_toc_find(const PgToc *toc, guint32 dump_id)
{
    return g_hash_table_lookup(toc->by_id, GUINT_TO_POINTER(dump_id));
}

const PgTocEntry *pg_toc_find_object(const PgToc *toc, guint32 catalog, guint32 oid)
{
    g_autofree gint64 *key = object_key(catalog, oid);

    return g_hash_table_lookup(toc->objects, key);
}

typedef struct {
    const char *description; /* with the blank behind it */
    PgTocKind kind;
} Description;

/* The oids decide first: a table in a schema called "DATA" is no "TABLE DATA". */
static const Description of_objects[] = {
    {"FK CONSTRAINT ", PG_TOC_FOREIGN_KEY},
    {"PUBLICATION TABLE ", PG_TOC_PUBLICATION},
    {"PUBLICATION TABLES IN SCHEMA ", PG_TOC_PUBLICATION},
    {"DEFAULT ACL ", PG_TOC_DEFAULT_ACL},
    {NULL, PG_TOC_OBJECT},
};
static const Description of_relations[] = {
    {"TABLE DATA ", PG_TOC_TABLE_DATA},
    {"MATERIALIZED VIEW DATA ", PG_TOC_MATVIEW_DATA},
    {"ROW SECURITY ", PG_TOC_ROW_SECURITY},
    {NULL, PG_TOC_OTHER},
};
static const Description of_others[] = {
    {"ACL ", PG_TOC_APPENDIX},
    {"COMMENT ", PG_TOC_APPENDIX},
    {"SECURITY LABEL ", PG_TOC_APPENDIX},
    {"TABLE ATTACH ", PG_TOC_ATTACH},
    {"INDEX ATTACH ", PG_TOC_ATTACH},
    {"SEQUENCE OWNED BY ", PG_TOC_SEQUENCE_OWNER},
    {"SEQUENCE SET ", PG_TOC_SEQUENCE_SET},
    {"SHELL TYPE ", PG_TOC_SHELL_TYPE},
    {NULL, PG_TOC_OTHER},
};

static PgTocKind classify(const PgTocEntry *entry)
{
    const Description *row = entry->catalog != 0 ? of_objects
                             : entry->oid != 0   ? of_relations
                                                 : of_others;

    while (row->description != NULL && !g_str_has_prefix(entry->text, row->description))
        row++;
    return row->kind;
}

/* Reads decimal digits; moves *at behind them. */
static gboolean read_number(const char **at, const char *end, guint32 *ret_number)
{
    guint64 number = 0;
    const char *start = *at;

    while (*at < end && g_ascii_isdigit(**at) && number <= G_MAXUINT32)
        number = number * 10 + (guint64)(*(*at)++ - '0');
    if (*at == start || number > G_MAXUINT32)
        return FALSE;
    *ret_number = (guint32)number;
    return TRUE;
}

static gboolean skip_text(const char **at, const char *end, const char *text)
{
    gsize length = strlen(text);

    if ((gsize)(end - *at) < length || memcmp(*at, text, length) != 0)
        return FALSE;
    *at += length;
    return TRUE;
}

static PgTocEntry *parse_entry(const char *at, const char *end)
{
    PgTocEntry *entry = g_new0(PgTocEntry, 1);

    if (!read_number(&at, end, &entry->dump_id) || !skip_text(&at, end, "; ") ||
        !read_number(&at, end, &entry->catalog) || !skip_text(&at, end, " ") ||
        !read_number(&at, end, &entry->oid) || !skip_text(&at, end, " ") || at == end ||
        entry->dump_id == 0 || memchr(at, '\0', (gsize)(end - at)) != NULL) {
        entry_free(entry);
        return NULL;
    }
    entry->text = g_strndup(at, (gsize)(end - at));
    entry->kind = classify(entry);
    return entry;
}

static gboolean parse_depends(PgTocEntry *entry, const char *at, const char *end)
{
    guint32 id;

    if (entry == NULL || entry->depends != NULL)
        return FALSE;
    entry->depends = g_array_new(FALSE, FALSE, sizeof id);
    while (skip_text(&at, end, " ")) {
        if (!read_number(&at, end, &id) || entry->depends->len >= MAX_DEPENDS)
            return FALSE;
        g_array_append_val(entry->depends, id);
    }
    return at == end;
}

static gboolean add_entry(PgToc *toc, PgTocEntry *entry)
{
    gboolean object = entry->catalog != 0;

    g_ptr_array_add(toc->entries, entry);
    if (object)
        g_hash_table_insert(toc->objects, object_key(entry->catalog, entry->oid), entry);
    return g_hash_table_insert(toc->by_id, GUINT_TO_POINTER(entry->dump_id), entry);
}

static gboolean parse_line(PgToc *toc, const char *at, const char *end)
{
    PgTocEntry *entry;

    if (skip_text(&at, end, ";\tdepends on:")) {
        guint count = toc->entries->len;

        return parse_depends(count > 0 ? g_ptr_array_index(toc->entries, count - 1) : NULL, at,
                             end);
    }
    if (at == end || *at == ';')
        return TRUE;
    entry = parse_entry(at, end);
    return entry != NULL && add_entry(toc, entry);
}

PgToc *pg_toc_parse(const char *text, gsize length, const char *what, GError **error)
{
    g_autoptr(PgToc) toc = g_new0(PgToc, 1);
    const char *end = text + length;
    guint line = 1;

    toc->entries = g_ptr_array_new_with_free_func(entry_free);
    toc->by_id = g_hash_table_new(NULL, NULL);
    toc->objects = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    if (length > MAX_TEXT) {
        error_set(error, ERROR_LIMIT, "the table of contents of %s is larger than 64 MiB", what);
        return NULL;
    }
    for (const char *at = text; at < end; line++) {
        const char *stop = memchr(at, '\n', (gsize)(end - at));

        if (stop == NULL)
            stop = end;
        if (!parse_line(toc, at, stop)) {
            error_set(error, ERROR_FORMAT, "cannot read line %u of the table of contents of %s",
                      line, what);
            return NULL;
        }
        at = stop < end ? stop + 1 : end;
    }
    return g_steal_pointer(&toc);
}
