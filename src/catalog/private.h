/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the catalog share: the open database and short ways to ask it. Only catalog/
 * includes this.
 */
#ifndef HOLDFAST_CATALOG_PRIVATE_H
#define HOLDFAST_CATALOG_PRIVATE_H

#include <sqlite3.h>

#include "catalog/catalog.h"

struct Catalog {
    Repository *repository;
    sqlite3 *database;
    char *path; /* for messages */
    gboolean opening;
    gboolean lost; /* the file was removed, and the new one could not be opened yet */
};

/* A prepared statement that finalizes itself. */
typedef sqlite3_stmt Statement;
static inline void statement_free(Statement *statement)
{
    (void)sqlite3_finalize(statement); /* reports the last step's error again, which was handled */
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Statement, statement_free)

/* Sets *error from the database's last failure. Always FALSE, so that callers can return it. */
gboolean catalog_fail(const Catalog *catalog, GError **error);

/* Runs SQL that gives no rows. */
gboolean catalog_execute(Catalog *catalog, const char *sql,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Prepares a statement. `types` names the parameters' types in order: 's' const char * (NULL
 * allowed), 'i' gint64, 'u' guint64, 'b' gboolean; the values follow. Texts are copied. */
Statement *catalog_prepare(Catalog *catalog, GError **error, const char *sql, const char *types,
                           ...) G_GNUC_WARN_UNUSED_RESULT;

/* Steps once: *ret_row says whether there is a row. */
gboolean catalog_step(Catalog *catalog, Statement *statement, gboolean *ret_row,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Steps to the end and hands every row over; FALSE from func stops with its error. */
typedef gboolean (*CatalogRowFunc)(Statement *row, gpointer data, GError **error);
gboolean catalog_each(Catalog *catalog, Statement *statement, CatalogRowFunc func, gpointer data,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Prepares and runs a statement that gives no rows. */
#define catalog_run(catalog, error, ...)                                                           \
    catalog_finish((catalog), catalog_prepare((catalog), (error), __VA_ARGS__), (error))
/* Takes the statement, which may be NULL (preparing has failed then). */
gboolean catalog_finish(Catalog *catalog, Statement *statement,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A column as text to be freed, or NULL. */
char *catalog_text(Statement *statement, int column);

/* BEGIN IMMEDIATE; then COMMIT where `result` is TRUE, ROLLBACK where not. Both hand `result`
 * on. */
gboolean catalog_begin(Catalog *catalog, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean catalog_end(Catalog *catalog, gboolean result, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
