/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements of TDengine from the structures of schema.h: what a restore runs and what
 * schema/NAME.sql shows. The database's name is an argument throughout, so that a backup can be
 * restored under another one. Pure functions; results are freed with g_free().
 */
#ifndef HOLDFAST_TDENGINE_DDL_H
#define HOLDFAST_TDENGINE_DDL_H

#include "tdengine/schema.h"

/* `name`, a backtick in it doubled. */
char *td_quote_name(const char *name);
void td_append_name(GString *sql, const char *name);
/* `database`.`table` */
void td_append_table(GString *sql, const char *database, const char *table);

/* " WHERE `ts` >= … AND `ts` < …" for ticks, nothing where both sides are open. */
void td_append_range(GString *sql, const TdTable *table, gint64 from, gint64 to);

/* 'text' with quotes and backslashes escaped, for values (comments are stored as literals: see
 * TdTable.comment). */
void td_append_text(GString *sql, const char *text);

typedef struct {
    gboolean encoding; /* ENCODE, COMPRESS and LEVEL of the columns: servers from 3.3 on */
} TdDdlOptions;

/* "VARCHAR(30)", "DECIMAL(18,4)", "INT UNSIGNED". */
char *td_field_type_text(const TdField *field);

/* CREATE STABLE or CREATE TABLE. */
char *td_table_ddl(const TdTable *table, const char *database, const TdDdlOptions *options);

/* CREATE DATABASE as the server wrote it, under another name. NULL where the text is not known or
 * does not begin as expected. */
char *td_database_ddl(const TdDatabase *database, const char *name);

/* A statement in which every name of database `from` (before a dot, and behind DATABASE) is replaced
 * by `to`, quoted; strings and comments are left alone. *ret_elsewhere (may be NULL) is the first
 * other database that is named where a table is expected, or NULL; free with g_free(). */
char *td_sql_rename_database(const char *sql, const char *from, const char *to,
                             char **ret_elsewhere);

#endif
