/* SPDX-License-Identifier: Apache-2.0
 *
 * What a running operation tells about itself: its phase, bytes and rows done and expected. The
 * operation adds; a watcher (progress bar, JSON lines, the service) is called at most ten times a
 * second, and when a phase begins and ends.
 *
 * Threads: adding is safe and cheap from any thread. The watcher is called from the thread that
 * happened to add, one call at a time.
 */
#ifndef HOLDFAST_BASE_PROGRESS_H
#define HOLDFAST_BASE_PROGRESS_H

#include <glib.h>

typedef struct {
    const char *phase;   /* "dumping", "counting", "verifying" …; belongs to the progress */
    guint64 bytes_done;  /* plain bytes, before compression */
    guint64 bytes_total; /* 0: not known */
    guint64 rows_done;
    guint64 rows_total; /* 0: not known */
    double rate;        /* bytes a second since the phase began */
    gint64 elapsed;     /* microseconds since the phase began */
    gint64 left;        /* microseconds to the phase's end, -1: not known */
    gboolean final;     /* the last report of its phase */
} ProgressView;

typedef void (*ProgressFunc)(const ProgressView *view, gpointer data);

typedef struct Progress Progress;

/* func may be NULL: nobody watches. */
Progress *progress_new(ProgressFunc func, gpointer data);
void progress_free(Progress *progress);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Progress, progress_free)

/* All calls below take NULL for "nobody asked". */

/* Ends the phase before, begins a new one. `phase` must outlive the progress (a literal). */
void progress_begin(Progress *progress, const char *phase, guint64 bytes_total, guint64 rows_total);
void progress_add(Progress *progress, guint64 bytes, guint64 rows);
/* Ends the last phase with a final report. */
void progress_end(Progress *progress);

#endif
