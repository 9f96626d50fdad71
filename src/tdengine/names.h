/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of child tables as dense numbers: each name once in memory, found in a few nanoseconds.
 *
 * Threads: adding needs the only user; looking up may be done by several when nobody adds.
 */
#ifndef HOLDFAST_TDENGINE_NAMES_H
#define HOLDFAST_TDENGINE_NAMES_H

#include <glib.h>

typedef struct TdNames TdNames;

TdNames *td_names_new(void);
void td_names_free(TdNames *names);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdNames, td_names_free)

guint32 td_names_count(const TdNames *names);

/* The number of a name, given anew where it is not known: from 0 on, without gaps. */
guint32 td_names_add(TdNames *names, const char *name, gsize length);

/* FALSE where it is not known. */
gboolean td_names_find(const TdNames *names, const char *name, gsize length, guint32 *ret_id);

/* The name, NUL-terminated; belongs to the names, valid until the next one is added. */
const char *td_names_get(const TdNames *names, guint32 id, gsize *ret_length);

#endif
