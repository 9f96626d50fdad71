/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread for the lists of tables and one for the counts. Both ask in turn, so that the answers that
 * stay are those of the last time.
 */
#include "tdengine/meanwhile.h"

#include "base/workers.h"

struct TdMeanwhile {
    TdMeanwhileOptions options;
    Workers *lists;
    Workers *counts;
};

void td_listed_free(TdListed *listed)
{
    td_children_free(listed->before);
    td_children_free(listed->after);
    g_free(listed);
}

static gboolean read_lists(gpointer task, gpointer data, GCancellable *cancellable, GError **error)
{
    const TdMeanwhileOptions *options = &((TdMeanwhile *)data)->options;

    for (guint i = 0; i < options->listed->len; i++) {
        TdListed *listed = g_ptr_array_index(options->listed, i);

        g_clear_pointer(&listed->after, td_children_free);
        listed->after =
            td_children_read(options->client, listed->database->name, cancellable, error);
        if (listed->after == NULL)
            return FALSE;
    }
    return TRUE;
}

static gboolean count_rows(gpointer task, gpointer data, GCancellable *cancellable, GError **error)
{
    const TdMeanwhileOptions *options = &((TdMeanwhile *)data)->options;

    return td_recount_ask(options->scanner, options->scans, &options->limits, cancellable, error);
}

TdMeanwhile *td_meanwhile_new(const TdMeanwhileOptions *options)
{
    TdMeanwhile *meanwhile = g_new0(TdMeanwhile, 1);

    meanwhile->options = *options;
    meanwhile->lists = workers_new(1, 0, read_lists, meanwhile, NULL, options->cancellable);
    meanwhile->counts = workers_new(1, 0, count_rows, meanwhile, NULL, options->cancellable);
    return meanwhile;
}

void td_meanwhile_free(TdMeanwhile *meanwhile)
{
    if (meanwhile == NULL)
        return;
    workers_free(meanwhile->lists);
    workers_free(meanwhile->counts);
    g_free(meanwhile);
}

void td_meanwhile_ask(gpointer data)
{
    TdMeanwhile *meanwhile = data;

    /* A group that has failed takes no more: waiting for it tells. */
    (void)workers_push(meanwhile->lists, meanwhile);
    (void)workers_push(meanwhile->counts, meanwhile);
}

gboolean td_meanwhile_wait(TdMeanwhile *meanwhile, GError **error)
{
    return workers_wait(meanwhile->lists, error) && workers_wait(meanwhile->counts, error);
}

void td_meanwhile_compare_counts(const TdMeanwhile *meanwhile)
{
    td_recount_compare(meanwhile->options.scans, &meanwhile->options.limits);
}
