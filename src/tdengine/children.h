/* SPDX-License-Identifier: Apache-2.0
 *
 * The child, normal and virtual tables of a database as information_schema lists them, held
 * compactly: there can be millions.
 *
 * Threads: read-only once it was read.
 */
#ifndef HOLDFAST_TDENGINE_CHILDREN_H
#define HOLDFAST_TDENGINE_CHILDREN_H

#include "tdengine/client.h"
#include "tdengine/names.h"
#include "tdengine/schema.h"

typedef enum {
    TD_CHILD,
    TD_NORMAL,
    TD_VIRTUAL, /* child or normal: no rows of its own */
} TdChildKind;

typedef struct {
    gint64 uid;
    guint32 super; /* number of the super table's name, G_MAXUINT32: none */
    gint32 vgroup;
    gint32 ttl;      /* days */
    guint32 comment; /* 0: none, else where it begins, plus 1 */
    TdChildKind kind;
} TdChild;

typedef struct TdChildren TdChildren;

TdChildren *td_children_read(TdClient *client, const char *database, GCancellable *cancellable,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
void td_children_free(TdChildren *children);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdChildren, td_children_free)

guint32 td_children_count(const TdChildren *children);
const TdChild *td_children_get(const TdChildren *children, guint32 id);
const char *td_children_name(const TdChildren *children, guint32 id);
/* NULL: none. */
const char *td_children_super(const TdChildren *children, guint32 id);
const char *td_children_comment(const TdChildren *children, guint32 id);
/* NULL where it is not known. */
const TdChild *td_children_find(const TdChildren *children, const char *name, gsize length,
                                guint32 *ret_id);

/* Which of the tables that `wanted` chooses (NULL: all) were created, dropped or made anew between
 * two lists: enters their names in the database's lists. */
typedef gboolean (*TdChildFunc)(const char *name, const char *super, gpointer data);
void td_children_compare(const TdChildren *before, const TdChildren *after, TdChildFunc wanted,
                         gpointer data, TdDatabase *database);

#endif
