/* SPDX-License-Identifier: Apache-2.0
 *
 * Pages of relation files: the checksum of PostgreSQL 13 to 18 and what can be said about a page
 * from its bytes alone. Source of the format: PostgreSQL's storage/bufpage.h and
 * storage/checksum_impl.h (a parallel FNV-1a variant of 32 lanes).
 *
 * Threads: any.
 */
#ifndef HOLDFAST_POSTGRES_PAGE_H
#define HOLDFAST_POSTGRES_PAGE_H

#include "postgres/wal-name.h"

/* The checksum that the page should carry. `size` is a power of two from 1024 to 32768, `block` the
 * page's number within its relation (not within its segment file). The checksum field itself does
 * not count. The page needs no alignment. */
guint16 pg_page_checksum(const void *page, gsize size, guint32 block);

/* TRUE for a page that carries its checksum, and for one of nothing but zeros (allocated, never
 * written). */
gboolean pg_page_is_valid(const void *page, gsize size, guint32 block);

/* The position of the last change of the page. */
PgLsn pg_page_lsn(const void *page);

/* What the name of a file in a database's directory says. FALSE for anything but a segment of a
 * relation's fork ("16385", "16385_fsm.1", "16385_init"). */
typedef struct {
    guint32 relation; /* its file node */
    guint32 segment;
    gboolean init; /* of an unlogged relation: what it is reset to */
} PgRelationName;
gboolean pg_relation_name_parse(const char *name, PgRelationName *ret_name);

/* "t3_16385": of a session's temporary relation. */
gboolean pg_temporary_name(const char *name);

#endif
