/* SPDX-License-Identifier: Apache-2.0
 *
 * Bases taken over, and evidence.
 */
#include "tdengine/increment.h"

#include <string.h>

#include "base/time.h"
#include "tdengine/connect.h"
#include "tdengine/evidence.h"
#include "tdengine/file-evidence.h"
#include "tdengine/log-evidence.h"
#include "tdengine/recreated.h"

/* A scan is due after so much time, whatever the evidence says. */
#define SCAN_AGE TIME_DAY
/* Seconds that reading the server's log may take in any case; else as many as a scan. */
#define LOG_SECONDS 60

/* The last time that everything was read: by a full, or by a scan. */
typedef struct {
    gint64 at;      /* microseconds; G_MININT64: not known */
    double seconds; /* that it took */
    guint64 rows;
} Scanned;

struct TdIncrement {
    const EngineBackup *request;
    TdDetails *base;
    Scanned scanned;    /* of the base and what it stands upon */
    TdReading reading;  /* TD_READ_ALL: nothing */
    char *reason;       /* why something is read; NULL: nothing is */
    gint64 recent_from; /* event time, microseconds: from here on everything is read */
    gboolean kept;      /* places were taken at the base's word */
    gboolean texts;     /* there are columns that no sum looks at */
    TdLogEvidence log;  /* where topics are kept */
    GHashTable *files;  /* stretches of written file sets (GArray of TdPlace) by database; NULL: not
                         * known */
};

/* --- The base --------------------------------------------------------------------------------- */

static gboolean has_word(const json_t *array, const char *word)
{
    const json_t *entry;
    size_t index;

    json_array_foreach(array, index, entry)
    {
        if (g_strcmp0(json_string_value(entry), word) == 0)
            return TRUE;
    }
    return FALSE;
}

/* Whether a backup read everything. */
static gboolean is_scan(const Manifest *manifest, const json_t *evidence)
{
    return manifest_type(manifest) == BACKUP_FULL ||
           has_word(json_object_get(evidence, "used"), "scan");
}

static Scanned last_scan(const Manifest *manifest)
{
    g_autoptr(json_t) json = manifest_json(manifest);
    const json_t *evidence = json_object_get(json, "evidence");
    const json_t *scanned = json_object_get(evidence, "scanned");
    const char *at = json_get_string(scanned, "at", "");
    Scanned result = {.at = G_MININT64};

    if (is_scan(manifest, evidence))
        return (Scanned){manifest_start(manifest),
                         (double)(manifest_stop(manifest) - manifest_start(manifest)) / TIME_SECOND,
                         manifest_rows(manifest)};
    if (!time_parse(at, NULL, &result.at, NULL))
        return result;
    result.seconds = json_number_value(json_object_get(scanned, "seconds"));
    result.rows = json_get_uint(scanned, "rows", 0);
    return result;
}

gboolean td_increment_open(const EngineBackup *request, TdIncrement **ret_increment, GError **error)
{
    g_autoptr(TdIncrement) increment = NULL;

    if (request->base != NULL) {
        increment = g_new0(TdIncrement, 1);
        increment->request = request;
        if (!td_details_read(request->base, &increment->base, error))
            return FALSE;
        increment->scanned = last_scan(backup_manifest(request->base));
        increment->recent_from =
            manifest_stop(backup_manifest(request->base)) - request->source->recent;
    }
    *ret_increment = g_steal_pointer(&increment);
    return TRUE;
}

void td_increment_free(TdIncrement *increment)
{
    if (increment == NULL)
        return;
    td_details_free(increment->base);
    td_log_evidence_clear(&increment->log);
    g_clear_pointer(&increment->files, g_hash_table_unref);
    g_free(increment->reason);
    g_free(increment);
}

const TdDetails *td_increment_base(const TdIncrement *increment)
{
    return increment->base;
}

/* --- What to read ----------------------------------------------------------------------------- */

static gboolean has_sums(const TdDetails *base)
{
    for (guint i = 0; i < base->slices->len; i++)
        if (g_array_index(base->slices, TdSlice, i).sums[0] != '\0')
            return TRUE;
    return base->slices->len == 0;
}

/* Clocks say which rows are recent, and how old a scan is. */
static gboolean clock_went_back(const TdIncrement *increment, const GPtrArray *looked)
{
    const gint64 now = ((const TdDatabase *)g_ptr_array_index(looked, 0))->looked;

    if (manifest_stop(backup_manifest(increment->request->base)) > now)
        return TRUE;
    for (guint i = 0; i < increment->base->databases->len; i++)
        if (((const TdDatabase *)g_ptr_array_index(increment->base->databases, i))->looked > now)
            return TRUE;
    return FALSE;
}

/* What the base may have missed. A new reference. */
static json_t *unseen_by_base(const TdIncrement *increment)
{
    g_autoptr(json_t) json = manifest_json(backup_manifest(increment->request->base));
    json_t *unseen = json_object_get(json_object_get(json, "evidence"), "cannot_see");

    return json_is_array(unseen) ? json_incref(unseen) : json_array();
}

static gboolean is_doubtful(const TdIncrement *increment)
{
    g_autoptr(json_t) unseen = unseen_by_base(increment);

    return json_array_size(unseen) > 0;
}

/* How many seconds a scan is expected to take. */
static double expected_scan(const TdIncrement *increment)
{
    const guint64 rows = manifest_rows(backup_manifest(increment->request->base));
    const Scanned *scanned = &increment->scanned;

    return scanned->seconds * (double)rows / (double)MAX(scanned->rows, 1);
}

/* Why a scan is made where the mode leaves it open; NULL: none is needed. Free with g_free(). */
static char *reason_to_scan(const TdIncrement *increment, TdVersions versions, const char *reason,
                            const GPtrArray *looked)
{
    const gint64 below = increment->request->source->scan_below;
    const Scanned *scanned = &increment->scanned;
    const gint64 now = ((const TdDatabase *)g_ptr_array_index(looked, 0))->looked;

    if (versions == TD_VERSIONS_BROKEN)
        return g_strdup(reason);
    if (clock_went_back(increment, looked))
        return g_strdup("the clock went back");
    if (!has_sums(increment->base))
        return g_strdup("the base has no sums to compare with");
    if (scanned->at == G_MININT64 || now - scanned->at > SCAN_AGE)
        return g_strdup("the last full or scan is over a day old");
    if (expected_scan(increment) * TIME_SECOND < (double)below)
        return g_strdup_printf("%s, and a scan takes less than scan_below", reason);
    return NULL;
}

gboolean td_increment_decide(TdIncrement *increment, const GPtrArray *looked)
{
    const char *mode = increment->request->mode, *reason;
    TdVersions versions;

    increment->reading = TD_READ_SCAN;
    if (looked->len == 0) {
        increment->reason = g_strdup("there is nothing to compare with");
        return TRUE;
    }
    if (strcmp(mode, "scan") == 0) {
        increment->reason = g_strdup("a scan was asked for");
        return TRUE;
    }
    versions = td_evidence_of_versions(increment->base->databases, looked, &reason);
    if (versions == TD_VERSIONS_EQUAL)
        reason = "the base was made the quick way";
    /* To equal a base that may have missed something is not enough where a scan is due. */
    if (strcmp(mode, "auto") == 0 && (versions != TD_VERSIONS_EQUAL || is_doubtful(increment)))
        increment->reason = reason_to_scan(increment, versions, reason, looked);
    if (increment->reason != NULL)
        return TRUE;
    increment->reading = versions == TD_VERSIONS_EQUAL ? TD_READ_ALL : TD_READ_QUICK;
    if (increment->reading == TD_READ_QUICK)
        increment->reason = g_strdup(reason);
    return increment->reading != TD_READ_ALL;
}

gboolean td_increment_hint(TdIncrement *increment, TdClient *client, TdDetails *details,
                           GHashTable *children, GError **error)
{
    const EngineBackup *request = increment->request;
    TdLogEvidence *log = &increment->log;
    const gint64 seconds = (gint64)MIN(expected_scan(increment), TIME_DAY / TIME_SECOND);

    if (!request->source->topic || increment->reading != TD_READ_QUICK)
        return TRUE;
    if (!td_log_evidence_read(log, request, client, increment->base, details, children,
                              MAX(seconds, LOG_SECONDS), error))
        return FALSE;
    if (log->reason == NULL)
        return TRUE;
    if (log->in_use && strcmp(request->mode, "auto") == 0) {
        increment->reading = TD_READ_SCAN;
        g_free(increment->reason);
        increment->reason = g_strdup(log->reason);
    } else {
        g_autofree char *warning =
            g_strdup_printf("topic = on: no hints were used: %s", log->reason);

        manifest_add_warning(request->manifest, warning);
    }
    return TRUE;
}

gboolean td_increment_look_at_files(TdIncrement *increment, TdClient *client, GPtrArray *looked,
                                    GError **error)
{
    const EngineBackup *request = increment->request;
    g_autofree char *reason = NULL, *warning = NULL;

    if (increment->reading != TD_READ_QUICK || request->source->data_directory == NULL)
        return TRUE;
    if (!td_file_evidence_read(client, request, increment->base->databases, looked,
                               &increment->files, &reason, error))
        return FALSE;
    if (reason != NULL) {
        warning = g_strdup_printf("data_directory: the server's files are not used: %s", reason);
        manifest_add_warning(request->manifest, warning);
    }
    return TRUE;
}

static gboolean same_tags(const TdTable *before, const TdTable *now)
{
    return before->has_tags_sum && now->has_tags_sum &&
           td_fingerprint_equal(before->tags_sum, now->tags_sum);
}

static gboolean has_texts(const TdTable *table)
{
    for (guint i = 0; i < table->columns->len; i++)
        if (td_type_width(((const TdField *)g_ptr_array_index(table->columns, i))->type) == 0)
            return TRUE;
    return FALSE;
}

static void note_unseen(TdIncrement *increment, const TdScanTable *scan)
{
    for (guint i = 0; i < scan->sums->len; i++) {
        const TdSums *sums = &g_array_index(scan->sums, TdSums, i);

        increment->kept = increment->kept || (sums->clean && sums->rows > 0);
    }
    increment->texts = increment->texts || has_texts(scan->table);
}

/* A column of texts that was dropped and added again under its name is empty, without a write to any
 * file set and with all sums as they were. The server tells when a super table was altered last; of a
 * normal table texts are counted. */
static gboolean was_altered(const TdTable *before, const TdTable *now)
{
    const char *then = td_row_text(before->options, "last_update");

    return now->kind == TD_TABLE_SUPER && has_texts(now) &&
           (then == NULL || g_strcmp0(then, td_row_text(now->options, "last_update")) != 0);
}

static void add_files(const TdIncrement *increment, const TdTable *table, GArray *dirty)
{
    const GArray *places =
        increment->files != NULL ? g_hash_table_lookup(increment->files, table->database) : NULL;

    if (places != NULL)
        g_array_append_vals(dirty, places->data, places->len);
}

gboolean td_increment_choose(TdIncrement *increment, TdClient *client, TdScanTable *scan,
                             GError **error)
{
    const EngineBackup *request = increment->request;
    const TdTable *table = scan->table;
    const TdTable *before =
        td_details_find_table(increment->base, table->database, table->name, NULL);
    g_autoptr(GArray) dirty = g_array_new(FALSE, FALSE, sizeof(TdPlace));
    const TdPlace recent = {td_border_ticks(increment->recent_from, scan->database->precision),
                            G_MAXINT64};
    const TdPlace all = {G_MININT64, G_MAXINT64};

    g_array_append_val(dirty, recent);
    if (before != NULL && (before->uid != table->uid || was_altered(before, table)))
        g_array_append_val(dirty, all); /* made anew, or its texts may be gone */
    else if (before != NULL && scan->base != NULL && scan->children != NULL &&
             !same_tags(before, table) &&
             !td_recreated_places(client, scan, request->base, before, dirty, request->cancellable,
                                  error))
        return FALSE;
    if (increment->log.read)
        td_hints_places(increment->log.hints, table->database, table->name, dirty);
    add_files(increment, table, dirty);
    td_survey_choose(scan, increment->reading, dirty);
    if (scan->quick)
        note_unseen(increment, scan);
    return TRUE;
}

/* --- A base that is all there is -------------------------------------------------------------- */

/* What lies in vgroups is the base's; what belongs to the server has no versions. */
void td_increment_take(TdIncrement *increment, GPtrArray *looked, TdDetails *details)
{
    TdDetails *base = increment->base;

    while (looked->len > 0) {
        TdDatabase *database = g_ptr_array_steal_index(looked, 0);
        const TdDatabase *before = td_details_find_database(base, database->name);

        database->rows = before->rows;
        database->first = before->first;
        database->last = before->last;
        g_ptr_array_add(details->databases, database);
    }
    for (guint i = 0; i < base->objects->len;) {
        if (((TdObject *)g_ptr_array_index(base->objects, i))->kind == TD_OBJECT_VIRTUAL_TABLE)
            g_ptr_array_add(details->objects, g_ptr_array_steal_index(base->objects, i));
        else
            i++;
    }
    while (base->tables->len > 0)
        g_ptr_array_add(details->tables, g_ptr_array_steal_index(base->tables, 0));
    g_array_append_vals(details->slices, base->slices->data, base->slices->len);
}

/* --- Evidence --------------------------------------------------------------------------------- */

static void add_text(json_t *array, char *text)
{
    json_array_append_new(array, json_string(text));
    g_free(text);
}

/* What the quick way cannot have seen: the place for it is where the base's word was taken. */
static json_t *unseen_by_quick(const TdIncrement *increment)
{
    g_autofree char *recent = time_format(increment->recent_from);
    json_t *array = json_array();

    if (!increment->kept)
        return array;
    if (increment->log.since_scan) {
        add_text(array, g_strdup_printf("rows before %s: changes that the server's log left out, "
                                        "which servers were seen to do, where count, first and "
                                        "last time and the sums of a slice are as they were",
                                        recent));
        return array;
    }
    add_text(array,
             g_strdup_printf("rows before %s: values of a column that were exchanged, and other "
                             "changes that leave the count, first and last time and the sums of "
                             "a slice as they were",
                             recent));
    if (increment->texts)
        add_text(array, g_strdup_printf("rows before %s: text, binary and geometry values that "
                                        "were updated in place",
                                        recent));
    return array;
}

/* Files show every write, and counts what is gone; what the base has missed is missed still. */
static json_t *unseen_by_files(const TdIncrement *increment)
{
    return increment->kept ? unseen_by_base(increment) : json_array();
}

static json_t *used_evidence(const TdIncrement *increment)
{
    json_t *array;

    switch (increment->reading) {
    case TD_READ_ALL:
        return json_pack("[s]", "versions");
    case TD_READ_SCAN:
        return json_pack("[s]", "scan");
    default:
        array = json_pack("[s, s, s, s]", "schema", "tags", "sums", "recent");
        if (increment->log.read)
            json_array_append_new(array, json_string("topic"));
        if (increment->files != NULL)
            json_array_append_new(array, json_string("files"));
        return array;
    }
}

/* What the base does not know, one that equals it does not know either. */
static json_t *unseen(const TdIncrement *increment)
{
    switch (increment->reading) {
    case TD_READ_ALL:
        return unseen_by_base(increment);
    case TD_READ_SCAN:
        return json_array();
    default:
        return increment->files != NULL ? unseen_by_files(increment) : unseen_by_quick(increment);
    }
}

static void set_scanned(const TdIncrement *increment, json_t *evidence)
{
    g_autofree char *at = NULL;

    if (increment->reading == TD_READ_SCAN || increment->scanned.at == G_MININT64)
        return;
    at = time_format(increment->scanned.at);
    json_object_set_new(evidence, "scanned",
                        json_pack("{s:s, s:f, s:I}", "at", at, "seconds",
                                  increment->scanned.seconds, "rows",
                                  (json_int_t)increment->scanned.rows));
}

/* What stands upon the log, and the words for it. A scan needs none. */
static void describe_log(TdIncrement *increment)
{
    g_autoptr(json_t) json = manifest_json(backup_manifest(increment->request->base));
    const json_t *evidence = json_object_get(json, "evidence");
    const gboolean sound =
        td_log_evidence_of_base(evidence,
                                is_scan(backup_manifest(increment->request->base), evidence));

    increment->log.since_scan =
        increment->reading == TD_READ_SCAN ||
        (sound && (increment->reading == TD_READ_ALL || increment->log.read));
}

void td_increment_describe(TdIncrement *increment, const TdDetails *details)
{
    const EngineBackup *request = increment->request;
    g_autofree char *state = NULL;
    json_t *evidence;

    if (request->source->topic)
        describe_log(increment);
    evidence = json_pack("{s:s, s:o, s:o}", "mode", request->mode, "used", used_evidence(increment),
                         "cannot_see", unseen(increment));

    if (increment->reading == TD_READ_ALL) {
        const TdDatabase *first = g_ptr_array_index(details->databases, 0);

        state = time_format(first->looked - TD_REPORT_DELAY);
        json_object_set_new(evidence, "state", json_string(state));
    } else {
        json_object_set_new(evidence, "reason", json_string(increment->reason));
    }
    set_scanned(increment, evidence);
    if (request->source->topic)
        json_object_set_new(evidence, "log", td_log_evidence_to_json(&increment->log));
    manifest_set_field(request->manifest, "evidence", evidence);
}
