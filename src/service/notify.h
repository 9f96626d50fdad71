/* SPDX-License-Identifier: Apache-2.0
 *
 * Telling people what happened: the [notify NAME] sections, each a webhook, e-mail or a command. A
 * message is written down in the catalog first, delivered by a thread of its target's own, and
 * struck out then: it outlives the service, and a target that hangs holds up nothing but itself. A
 * delivery that fails for a reason that may pass is tried again, ever more seldom, for a day.
 *
 * Whether a thing is worth telling (the first failure, not the tenth) is for the caller to decide.
 *
 * Threads: any; a Notifier has a catalog connection of its own behind a mutex.
 */
#ifndef HOLDFAST_SERVICE_NOTIFY_H
#define HOLDFAST_SERVICE_NOTIFY_H

#include "base/json.h"
#include "config/config.h"
#include "repo/repository.h"

typedef enum {
    NOTIFY_FAILURE,          /* a job has failed or was lost */
    NOTIFY_SUCCESS,          /* a job has succeeded */
    NOTIFY_OBJECTIVE_MISSED, /* a recovery objective is missed */
    NOTIFY_OBJECTIVE_MET,    /* none of the source is any more */
    NOTIFY_BACKUP_OVERDUE,   /* a scheduled backup is not there */
    NOTIFY_REPOSITORY_FULL,  /* the repository is nearly full */
    NOTIFY_LAST              /* number of kinds; not a kind */
} NotifyKind;
const char *notify_kind_name(NotifyKind kind); /* as in the key "on" */

typedef struct {
    NotifyKind kind;
    const char *source;    /* or NULL */
    const char *operation; /* or NULL */
    const char *subject;   /* one line */
    const char *text;      /* for people; lines */
    const json_t *details; /* for programs, or NULL */
} NotifyMessage;

typedef struct Notifier Notifier;

/* Whether the [notify NAME] sections can be used: what no single value shows. ERROR_CONFIG. Files
 * with secrets are read when they are needed. */
gboolean notify_check(const Config *config, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Starts the threads, and takes up what is still to be delivered. */
Notifier *notify_open(const Config *config, Repository *repository,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Gives up what is being delivered, which the next one takes up. Takes a second or two. */
void notify_free(Notifier *notifier);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Notifier, notify_free)

/* After a reload. ERROR_CONFIG as notify_check(); the old targets stay then. */
gboolean notify_use_config(Notifier *notifier, const Config *config,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Hands the message to every target that wants its kind. Never waits for one. */
void notify_tell(Notifier *notifier, const NotifyMessage *message);

typedef struct {
    char *name;
    guint64 sent, failed, waiting; /* since the service began; now */
} NotifyCount;
/* An array of NotifyCount; free with g_array_unref(). */
GArray *notify_counts(Notifier *notifier);

/* Delivers a message that says it is a test, at once and once. *ret_answer is what the other side
 * said, in words; free with g_free(). ERROR_UNREACHABLE where it was not reached, ERROR_NOT_FOUND for
 * a name that is not there. */
gboolean notify_test(const Config *config, const char *name, char **ret_answer,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
