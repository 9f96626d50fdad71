/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks at some runs of values from all over the row group, encodes them in each encoding that the
 * type allows, compresses the result, and takes the smallest. How large a dictionary would get is
 * estimated from how many values the sample holds once and twice (Chao's estimator).
 */
#include "parquet/choose.h"

#include "parquet/bits.h"
#include "parquet/delta.h"
#include "parquet/dictionary.h"
#include "parquet/page-codec.h"
#include "parquet/value-encoder.h"

#define RUNS     32
#define RUN_SIZE 512

/* A codec that saves less than this share costs more time at reading than it is worth. */
#define CODEC_GAIN_MIN 0.02
/* Dictionaries cost time at writing: they must save that share against the next best. */
#define DICTIONARY_GAIN_MIN 0.03

/* What a whole row group would take, in bytes. */
typedef struct {
    double encoded, stored;
} Cost;

typedef struct {
    const EncoderSettings *settings;
    ColumnBuffer sample;
    gsize run;   /* values of the sample that are neighbours */
    gsize total; /* values of the row group */
    GByteArray *encoded, *stored;
} Trial;

static gboolean take_sample(Trial *trial, const ColumnBuffer *buffer, GError **error)
{
    ParquetArray all = {buffer->values, buffer->offsets, buffer->bytes, NULL};
    gsize count = buffer->count, step;

    trial->total = count;
    column_buffer_init(&trial->sample, buffer->column);
    if (count <= RUNS * RUN_SIZE) {
        trial->run = count;
        return column_buffer_append(&trial->sample, &all, 0, count, error);
    }
    trial->run = RUN_SIZE;
    step = (count - RUN_SIZE) / (RUNS - 1);
    for (gsize i = 0; i < RUNS; i++) {
        if (!column_buffer_append(&trial->sample, &all, i * step, RUN_SIZE, error))
            return FALSE;
    }
    return TRUE;
}

/* Compresses what stands in trial->encoded, of `length` bytes that stand for `values` values. */
static gboolean weigh(Trial *trial, gsize length, gsize values, Cost *ret_cost, GError **error)
{
    const EncoderSettings *settings = trial->settings;
    double scale = (double)trial->total / (double)MAX(values, 1);
    gsize stored;

    g_byte_array_set_size(trial->stored,
                          (guint)page_codec_bound(settings->codec, settings->level, length));
    if (!page_codec_compress(settings->codec, settings->level, trial->encoded->data, length,
                             trial->stored->data, &stored, error))
        return FALSE;
    ret_cost->encoded = (double)length * scale;
    ret_cost->stored = (double)MIN(stored, length) * scale;
    return TRUE;
}

/* Differences across the borders of two runs are none of the column's, so each run is encoded on
 * its own. */
static gboolean try_encoding(Trial *trial, ParquetEncoding encoding, Cost *ret_cost, GError **error)
{
    gsize count = trial->sample.count, length = 0;
    gsize step = encoding == PARQUET_DELTA_BINARY_PACKED ? trial->run : count;

    for (gsize at = 0; at < count; at += step) {
        gsize bound = value_encoder_bound(&trial->sample, encoding, at, step);

        g_byte_array_set_size(trial->encoded, (guint)(length + bound + 1));
        length +=
            value_encoder_run(&trial->sample, encoding, at, step, trial->encoded->data + length);
    }
    return weigh(trial, length, count, ret_cost, error);
}

/* Distinct values that a column has, judging by a sample. */
static double estimate_distinct(const guint32 *indexes, gsize count, guint entries, gsize total)
{
    g_autofree guint32 *seen = g_new0(guint32, entries);
    double once = 0, twice = 0;

    if (count == total)
        return entries;
    for (gsize i = 0; i < count; i++)
        seen[indexes[i]]++;
    for (guint i = 0; i < entries; i++) {
        once += seen[i] == 1;
        twice += seen[i] == 2;
    }
    return MIN((double)entries + once * once / (2 * MAX(twice, 1)), (double)total);
}

/* *ret_possible is false where the dictionary would be too large. */
static gboolean try_dictionary(Trial *trial, gboolean *ret_possible, Cost *ret_cost, GError **error)
{
    ColumnBuffer *sample = &trial->sample;
    g_autoptr(Dictionary) dictionary =
        dictionary_new(sample->width, trial->settings->dictionary_bytes);
    g_autofree guint32 *indexes = g_new(guint32, sample->count);
    gsize done = sample->width > 0
                     ? dictionary_add(dictionary, sample->values, sample->count, indexes)
                     : dictionary_add_strings(dictionary, sample->offsets, sample->bytes,
                                              sample->count, indexes);
    guint entries = dictionary_count(dictionary);
    double distinct, bytes, wider;
    gsize length;

    *ret_possible = FALSE;
    if (done < sample->count)
        return TRUE;
    distinct = estimate_distinct(indexes, sample->count, entries, trial->total);
    bytes = (double)dictionary_plain_size(dictionary) / entries * distinct;
    if (bytes > (double)trial->settings->dictionary_bytes)
        return TRUE;
    g_byte_array_set_size(trial->encoded, (guint)index_encoder_bound(sample->count));
    length = index_encoder_run(indexes, sample->count, entries, trial->encoded->data);
    if (!weigh(trial, length, sample->count, ret_cost, error))
        return FALSE;
    wider = (double)MAX(bits_needed((guint64)distinct), 1) / MAX(bits_needed(entries - 1), 1);
    ret_cost->encoded = ret_cost->encoded * wider + bytes;
    ret_cost->stored = ret_cost->stored * wider + bytes;
    *ret_possible = TRUE;
    return TRUE;
}

/* Fills the candidates for a type, without dictionaries. Gives their number. */
static guint candidates_of(const ParquetColumn *column, ParquetEncoding ret_list[3])
{
    guint count = 0;

    ret_list[count++] = PARQUET_PLAIN;
    switch (column->type) {
    case PARQUET_BOOLEAN:
        ret_list[count++] = PARQUET_RLE;
        break;
    case PARQUET_INT32:
    case PARQUET_INT64:
        ret_list[count++] = PARQUET_DELTA_BINARY_PACKED;
        break;
    case PARQUET_FLOAT:
    case PARQUET_DOUBLE:
        ret_list[count++] = PARQUET_BYTE_STREAM_SPLIT;
        break;
    case PARQUET_BYTE_ARRAY:
        ret_list[count++] = PARQUET_DELTA_LENGTH_BYTE_ARRAY;
        break;
    default:
        break;
    }
    return count;
}

static gboolean choose_from_trials(Trial *trial, Choice *choice, GError **error)
{
    const ParquetColumn *column = trial->sample.column;
    ParquetEncoding list[3];
    guint count = candidates_of(column, list);
    gboolean possible = FALSE;
    Cost best = {0}, cost;

    for (guint i = 0; i < count; i++) {
        if (!try_encoding(trial, list[i], &cost, error))
            return FALSE;
        if (i == 0 || cost.stored < best.stored) {
            choice->encoding = list[i];
            best = cost;
        }
    }
    choice->fallback = choice->encoding;
    if (column->type != PARQUET_BOOLEAN) {
        if (!try_dictionary(trial, &possible, &cost, error))
            return FALSE;
        if (possible && cost.stored < best.stored * (1 - DICTIONARY_GAIN_MIN)) {
            choice->encoding = PARQUET_RLE_DICTIONARY;
            best = cost;
        }
    }
    if (best.stored > best.encoded * (1 - CODEC_GAIN_MIN))
        choice->codec = PARQUET_CODEC_NONE;
    return TRUE;
}

static gboolean choose_by_sample(Trial *trial, const ColumnBuffer *buffer, Choice *choice,
                                 GError **error)
{
    return take_sample(trial, buffer, error) && choose_from_trials(trial, choice, error);
}

gboolean choose_encoding(const ColumnBuffer *buffer, const EncoderSettings *settings,
                         Choice *ret_choice, GError **error)
{
    Choice choice = {settings->encoding, PARQUET_PLAIN, settings->codec};
    Trial trial = {settings};
    gboolean done = TRUE;

    if (settings->encoding == PARQUET_ENCODING_AUTO)
        choice.encoding = PARQUET_PLAIN;
    if (settings->encoding == PARQUET_ENCODING_AUTO && buffer->count > 0) {
        trial.encoded = g_byte_array_new();
        trial.stored = g_byte_array_new();
        done = choose_by_sample(&trial, buffer, &choice, error);
        column_buffer_clear(&trial.sample);
        g_byte_array_unref(trial.encoded);
        g_byte_array_unref(trial.stored);
    }
    if (done)
        *ret_choice = choice;
    return done;
}
