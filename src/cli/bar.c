/* SPDX-License-Identifier: Apache-2.0
 *
 * Progress: a bar on a terminal, JSON lines for programs, nothing in a pipe.
 */
#include "base/size.h"
#include "base/time.h"
#include "cli/output-private.h"

#define BAR_WIDTH 24

void output_clear_bar(Output *output)
{
    if (!output->bar)
        return;
    fputs("\r\033[K", output->errors);
    output->bar = FALSE;
}

/* How much is done, 0 to 1; negative where that is not known. Bytes say more than rows, where they
 * are known. */
static double fraction_of(const ProgressView *view)
{
    double fraction;

    if (view->bytes_total > 0)
        fraction = (double)view->bytes_done / (double)view->bytes_total;
    else if (view->rows_total > 0)
        fraction = (double)view->rows_done / (double)view->rows_total;
    else
        return -1;
    return MIN(fraction, 1);
}

/* "dumping  [=========>              ]  40%  1.2 GiB  1,234,567 rows  120.0 MiB/s  12.3 s left" */
static char *draw(const ProgressView *view)
{
    GString *text = g_string_new(NULL);
    double fraction = fraction_of(view);
    g_autofree char *bytes = size_format(view->bytes_done);
    g_autofree char *rate = size_format((guint64)view->rate);

    g_string_append(text, view->phase);
    /* Totals are often estimates: at the end of a phase a bar that is not full would look like
     * something missing. */
    if (fraction >= 0 && !view->final) {
        int full = (int)(fraction * BAR_WIDTH);

        g_string_append(text, "  [");
        for (int i = 0; i < BAR_WIDTH; i++)
            g_string_append_c(text, i < full ? '=' : i == full ? '>' : ' ');
        g_string_append_printf(text, "] %3d%%", (int)(fraction * 100));
    }
    if (view->bytes_done > 0)
        g_string_append_printf(text, "  %s", bytes);
    if (view->rows_done > 0) {
        g_autofree char *rows = count_format(view->rows_done);

        g_string_append_printf(text, "  %s rows", rows);
    }
    if (view->bytes_done > 0 && view->rate >= 1)
        g_string_append_printf(text, "  %s/s", rate);
    if (view->final) {
        g_autofree char *elapsed = duration_format(view->elapsed);

        g_string_append_printf(text, "  %s", elapsed);
    } else if (view->left >= 0) {
        g_autofree char *left = duration_format(view->left);

        g_string_append_printf(text, "  %s left", left);
    }
    return g_string_free(text, FALSE);
}

static void print_bar(Output *output, const ProgressView *view)
{
    g_autofree char *text = draw(view);

    /* A line that wraps could not be wiped; all of it is ASCII. */
    output_clear_bar(output);
    fprintf(output->errors, "%.*s", (int)output->columns - 1, text);
    if (view->final)
        fputc('\n', output->errors);
    else
        output->bar = TRUE;
    fflush(output->errors);
}

static void print_json(Output *output, const ProgressView *view)
{
    json_t *body = json_object();
    json_t *json = json_object();

    json_object_set_new(body, "phase", json_string(view->phase));
    json_object_set_new(body, "bytes_done", json_integer((json_int_t)view->bytes_done));
    json_object_set_new(body, "bytes_total", json_integer((json_int_t)view->bytes_total));
    json_object_set_new(body, "rows_done", json_integer((json_int_t)view->rows_done));
    json_object_set_new(body, "rows_total", json_integer((json_int_t)view->rows_total));
    json_object_set_new(body, "bytes_per_second", json_integer((json_int_t)view->rate));
    json_object_set_new(body, "elapsed_seconds",
                        json_real((double)view->elapsed / (double)TIME_SECOND));
    json_object_set_new(body, "left_seconds",
                        view->left >= 0 ? json_real((double)view->left / (double)TIME_SECOND)
                                        : json_null());
    json_object_set_new(body, "final", json_boolean(view->final));
    json_object_set_new(json, "progress", body);
    output_json_line(output, json);
    fflush(output->errors);
}

void output_progress(const ProgressView *view, gpointer data)
{
    Output *output = data;

    if (output->options.quiet)
        return;
    g_mutex_lock(&output->mutex);
    if (output->options.json)
        print_json(output, view);
    else if (output->columns > 0)
        print_bar(output, view);
    g_mutex_unlock(&output->mutex);
}
