/* SPDX-License-Identifier: Apache-2.0
 *
 * What may be kept in the clear: records, and jobs in the catalog, are read without a key. Where
 * the repository is encrypted they hold no texts that could name a table or a database, only what
 * kind of failure it was, and numbers.
 */
#ifndef HOLDFAST_OPERATION_CLEAR_H
#define HOLDFAST_OPERATION_CLEAR_H

#include "base/json.h"
#include "repo/repository.h"

/* The text of a failure; of an encrypted repository the sentence of its kind. NULL for none. Free
 * with g_free(). */
char *clear_text(const Repository *repository, const GError *problem);

/* The document, or of an encrypted repository its numbers, truth values and the id of the backup;
 * lists become their lengths. New reference; NULL for NULL. */
json_t *clear_json(const Repository *repository, const json_t *document);

#endif
