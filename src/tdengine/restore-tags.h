/* SPDX-License-Identifier: Apache-2.0
 *
 * The child tables of one super table as a restore needs them: names, exact tags ready to be bound,
 * TTL and comment. Held in columns, since there can be millions.
 *
 * Threads: after reading, any number may look; td_tag_set_note() is safe from all of them.
 */
#ifndef HOLDFAST_TDENGINE_RESTORE_TAGS_H
#define HOLDFAST_TDENGINE_RESTORE_TAGS_H

#include "tdengine/bind-columns.h"
#include "tdengine/details.h"
#include "parquet/reader.h"
#include "tdengine/names.h"

typedef struct {
    const TdTable *table;
    TdNames *names;
    guint n_tags;
    TdBindColumn *tags;  /* a row a child table, by the number of its name */
    GArray *ttl;         /* guint32: days */
    GPtrArray *comments; /* char * or NULL: as the literal was written */
    guint8 *wanted;      /* a byte a child table: 0 is left out; NULL: all are wanted */
    guint32 n_wanted;
    guint64 *written; /* rows that this restore wrote */
    guint8 *made;     /* a byte a child table: it was made by a statement, with TTL and comment */
} TdTagSet;

/* Reads tag objects of a super table (TdObjectRef: mostly the table's own). `wanted` is filled in by
 * the caller. */
TdTagSet *td_tag_set_read(Backup *backup, const TdTable *table, const GPtrArray *objects,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
void td_tag_set_free(TdTagSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdTagSet, td_tag_set_free)

static inline gboolean td_tag_set_wants(const TdTagSet *set, guint32 id)
{
    return set->wanted == NULL || set->wanted[id] != 0;
}

void td_tag_set_note(TdTagSet *set, guint32 id, guint64 rows);

/* --- objects of the pool ---------------------------------------------------------------------- */

/* A Parquet object of a backup, opened. */
typedef struct {
    char *path;
    StoredParquet *source;
    ParquetReader *reader;
    GPtrArray *columns; /* TdFileColumn */
} TdObjectFile;

gboolean td_object_file_open(TdObjectFile *file, Backup *backup, const TdObjectRef *object,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
void td_object_file_clear(TdObjectFile *file);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TdObjectFile, td_object_file_clear)
/* Of a column of the file. */
const ParquetColumn *td_object_file_column(const TdObjectFile *file, gint column);

#endif
