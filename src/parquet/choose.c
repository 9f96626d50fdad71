/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks at some runs of values from all over the row group, encodes them in each encoding that the
 * type allows, compresses the result, and takes the smallest. How large a dictionary would get is
 * estimated from how many values the sample holds once and twice (Chao's estimator).
 */
#include "parquet/choose.h"

#include <math.h>
#include <string.h>

#include "parquet/delta.h"
#include "parquet/dictionary.h"
#include "parquet/page-codec.h"
#include "parquet/value-encoder.h"

#define RUNS     32
#define RUN_SIZE 512

/* About so many bytes: of long values there are fewer in a sample, which memory is to hold beside
 * the row group, and that twice again, encoded and compressed. */
#define SAMPLE_BYTES ((gsize)4 * 1024 * 1024)

/* A codec that saves less than this share costs more time at reading than it is worth. */
#define CODEC_GAIN_MIN 0.02
/* Whole bytes for indexes must save that share. */
#define ALIGNED_GAIN_MIN 0.03
/* Values that come as they are and compress well take much more time at writing and reading than
 * indexes into a dictionary do: they must save that share. */
#define PLAIN_GAIN_MIN 0.2
/* Dictionaries cost time at writing: they must save that share against other encodings. */
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

static gsize bytes_of(const ColumnBuffer *buffer)
{
    return buffer->width > 0 ? buffer->count * buffer->width : buffer->offsets[buffer->count];
}

static gboolean take_sample(Trial *trial, const ColumnBuffer *buffer, GError **error)
{
    ParquetArray all = {buffer->values, buffer->offsets, buffer->bytes, NULL};
    gsize count = buffer->count, average = bytes_of(buffer) / count + 1;
    gsize run = CLAMP(SAMPLE_BYTES / (RUNS * average), 1, RUN_SIZE);
    gsize runs = CLAMP(SAMPLE_BYTES / (run * average), 1, RUNS);
    gsize step = runs > 1 ? (count - MIN(run, count)) / (runs - 1) : 0;

    trial->total = count;
    column_buffer_init(&trial->sample, buffer->column);
    if (count <= runs * run) {
        trial->run = count;
        return column_buffer_append(&trial->sample, &all, 0, count, error);
    }
    trial->run = run;
    for (gsize i = 0; i < runs && (i == 0 || bytes_of(&trial->sample) < 2 * SAMPLE_BYTES); i++) {
        if (!column_buffer_append(&trial->sample, &all, i * step, run, error))
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

/* Chao's estimate of how many distinct values there are where so many were seen once and twice. */
static double chao(const guint32 *indexes, gsize count, guint32 *seen, guint entries)
{
    double known = 0, once = 0, twice = 0;

    memset(seen, 0, entries * sizeof *seen);
    for (gsize i = 0; i < count; i++)
        seen[indexes[i]]++;
    for (guint i = 0; i < entries; i++) {
        known += seen[i] > 0;
        once += seen[i] == 1;
        twice += seen[i] == 2;
    }
    return known + once * once / (2 * MAX(twice, 1));
}

/* Values that differ from the one before them, in the whole row group. */
static double estimate_changes(const guint32 *indexes, gsize count, gsize run, gsize total)
{
    gsize changes = 0, pairs = count - count / run;

    for (gsize i = 1; i < count; i++)
        changes += i % run != 0 && indexes[i] != indexes[i - 1];
    return (double)changes / (double)MAX(pairs, 1) * (double)total;
}

/* Distinct values that a row group has, judging by a sample. Where neighbours are alike, as in rows
 * sorted by series, the estimate grows with the sample; where it would stop growing is unknown, and
 * half of the way (in doublings) is gone. There are no more values than changes of value. */
static double estimate_distinct(const Trial *trial, const guint32 *indexes, guint entries)
{
    g_autofree guint32 *seen = g_new(guint32, entries);
    gsize count = trial->sample.count;
    double whole, half, doublings = log2((double)trial->total / (double)count);

    if (count == trial->total)
        return entries;
    whole = chao(indexes, count, seen, entries);
    half = chao(indexes, count / 2, seen, entries);
    whole *= pow(CLAMP(whole / half, 1, 2), doublings / 2);
    return MIN(whole, entries + estimate_changes(indexes, count, trial->run, trial->total));
}

/* A dictionary made of the sample. */
typedef struct {
    guint32 *indexes;
    guint entries;
    double distinct; /* in the whole row group */
    double bytes;    /* of the whole dictionary */
} TrialDictionary;

/* The cost of indexes that take as many bits as they need: in proportion to those. */
static gboolean try_packed(Trial *trial, const TrialDictionary *dictionary, Cost *ret_cost,
                           GError **error)
{
    gsize count = trial->sample.count;
    guint width = index_width(dictionary->entries, FALSE);
    gsize length = index_encoder_run(dictionary->indexes, count, width, trial->encoded->data);
    double wider = (double)index_width((gsize)dictionary->distinct, FALSE) / width;

    if (!weigh(trial, length, count, ret_cost, error))
        return FALSE;
    ret_cost->encoded = ret_cost->encoded * wider + dictionary->bytes;
    ret_cost->stored = ret_cost->stored * wider + dictionary->bytes;
    return TRUE;
}

/* The cost of indexes in whole bytes, which are worth it where neighbours are alike. */
static gboolean try_aligned(Trial *trial, const TrialDictionary *dictionary, Cost *ret_cost,
                            GError **error)
{
    gsize count = trial->sample.count;
    gsize length =
        index_encoder_run(dictionary->indexes, count,
                          index_width((gsize)dictionary->distinct, TRUE), trial->encoded->data);

    if (!weigh(trial, length, count, ret_cost, error))
        return FALSE;
    ret_cost->encoded += dictionary->bytes;
    ret_cost->stored += dictionary->bytes;
    return TRUE;
}

/* Makes the sample's dictionary. FALSE where the row group's would be too large. */
static gboolean make_dictionary(const Trial *trial, TrialDictionary *ret_dictionary)
{
    const ColumnBuffer *sample = &trial->sample;
    gsize limit = trial->settings->dictionary_bytes;
    g_autoptr(Dictionary) dictionary = dictionary_new(sample->width, limit);
    guint32 *indexes = ret_dictionary->indexes;
    gsize done = sample->width > 0
                     ? dictionary_add(dictionary, sample->values, sample->count, indexes)
                     : dictionary_add_strings(dictionary, sample->offsets, sample->bytes,
                                              sample->count, indexes);
    guint entries = dictionary_count(dictionary);

    if (done < sample->count)
        return FALSE;
    ret_dictionary->entries = entries;
    ret_dictionary->distinct = estimate_distinct(trial, indexes, entries);
    ret_dictionary->bytes =
        (double)dictionary_plain_size(dictionary) / entries * ret_dictionary->distinct;
    return ret_dictionary->bytes <= (double)limit;
}

/* Takes a dictionary where that is better than `best`. */
static gboolean choose_dictionary(Trial *trial, Choice *choice, Cost *best, GError **error)
{
    g_autofree guint32 *indexes = g_new(guint32, trial->sample.count);
    TrialDictionary dictionary = {.indexes = indexes};
    gboolean slow = choice->encoding != PARQUET_DELTA_BINARY_PACKED &&
                    choice->encoding != PARQUET_BYTE_STREAM_SPLIT &&
                    best->stored < best->encoded / 2;
    double share = slow ? 1 / (1 - PLAIN_GAIN_MIN) : 1 - DICTIONARY_GAIN_MIN;
    Cost packed, aligned;

    if (!make_dictionary(trial, &dictionary))
        return TRUE;
    g_byte_array_set_size(trial->encoded, (guint)index_encoder_bound(trial->sample.count));
    if (!try_packed(trial, &dictionary, &packed, error) ||
        !try_aligned(trial, &dictionary, &aligned, error))
        return FALSE;
    choice->aligned = aligned.stored < packed.stored * (1 - ALIGNED_GAIN_MIN);
    if (choice->aligned)
        packed = aligned;
    if (packed.stored < best->stored * share) {
        choice->encoding = PARQUET_RLE_DICTIONARY;
        *best = packed;
    }
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
    if (column->type != PARQUET_BOOLEAN && !choose_dictionary(trial, choice, &best, error))
        return FALSE;
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
    Choice choice = {settings->encoding, PARQUET_PLAIN, FALSE, settings->codec};
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
