/* SPDX-License-Identifier: Apache-2.0
 *
 * How a key is given: passphrase-file=F, key-file=F or command=CMD. The form is no secret and may
 * stand in a configuration or on a command line; what it leads to is.
 *
 * Threads: any.
 */
#ifndef HOLDFAST_REPO_KEY_FORM_H
#define HOLDFAST_REPO_KEY_FORM_H

#include "base/secret.h"

typedef enum { KEY_PASSPHRASE_FILE, KEY_FILE, KEY_COMMAND } KeyKind;

typedef struct {
    KeyKind kind;
    char *value; /* an absolute path, or a command for /bin/sh */
} KeyForm;

/* "passphrase-file=F": a relative path is taken from the working directory. ERROR_USAGE; the text
 * itself is not shown, since it might be the passphrase. */
KeyForm *key_form_parse(const char *text, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void key_form_free(KeyForm *form);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KeyForm, key_form_free)

/* "passphrase-file=/etc/holdfast/passphrase"; free with g_free(). */
char *key_form_format(const KeyForm *form);
/* "passphrase-file", "key-file", "command". */
const char *key_kind_name(KeyKind kind);

/* The secret: of a passphrase file and of a command's output the first line, of a key file all
 * bytes (at least 32). Files must be private: ERROR_INSECURE_FILE. Whatever else is wrong with them
 * or the command is ERROR_CONFIG. From here on the process leaves no core dump. */
Secret *key_form_read(const KeyForm *form, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
