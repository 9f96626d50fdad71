/* SPDX-License-Identifier: Apache-2.0
 *
 * Which places of a table (census.h) are read.
 *
 * A place is clean where the server says of it now just what was recorded before its slices were
 * read, they have as many rows, and their columns are the table's. That does not prove that the rows
 * are the same, so a scan compares clean places with the base; the quick way takes the base's word.
 */
#ifndef HOLDFAST_TDENGINE_SURVEY_H
#define HOLDFAST_TDENGINE_SURVEY_H

#include "tdengine/census.h"

typedef enum {
    TD_READ_ALL,   /* a full, and tables that the base does not have */
    TD_READ_SCAN,  /* dirty places are written, clean ones compared */
    TD_READ_QUICK, /* clean places are the base's */
} TdReading;

/* Chooses what is read of one table. `dirty` (an array of TdPlace, or NULL) are stretches of time that
 * are dirty whatever the sums say. */
void td_survey_choose(TdScanTable *scan, TdReading reading, const GArray *dirty);

/* Rows that will be read, about. */
guint64 td_survey_rows(const TdScanTable *scan);

/* After the reading: adds the base's slices of clean places, where the quick way was chosen, and
 * enters the sums in all of the table's slices. */
void td_survey_finish(TdScanTable *scan);

#endif
