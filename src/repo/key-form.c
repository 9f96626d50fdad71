/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading keys from where they are kept.
 */
#include "repo/key-form.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/process.h"

#define SECRET_LIMIT     ((gsize)4096)
#define KEY_FILE_MINIMUM 32 /* bytes: it is taken for random and not stretched */

static const char *const kind_names[] = {"passphrase-file", "key-file", "command"};

const char *key_kind_name(KeyKind kind)
{
    return kind_names[kind];
}

KeyForm *key_form_parse(const char *text, GError **error)
{
    const char *equals = strchr(text, '=');

    for (guint i = 0; equals != NULL && equals[1] != '\0' && i < G_N_ELEMENTS(kind_names); i++) {
        KeyForm *form;

        if (strlen(kind_names[i]) != (gsize)(equals - text) ||
            strncmp(text, kind_names[i], (gsize)(equals - text)) != 0)
            continue;
        form = g_new0(KeyForm, 1);
        form->kind = (KeyKind)i;
        form->value = form->kind == KEY_COMMAND ? g_strdup(equals + 1)
                                                : g_canonicalize_filename(equals + 1, NULL);
        return form;
    }
    error_set(error, ERROR_USAGE, "a key is given as passphrase-file=F, key-file=F or command=CMD");
    return NULL;
}

void key_form_free(KeyForm *form)
{
    if (form == NULL)
        return;
    g_free(form->value);
    g_free(form);
}

char *key_form_format(const KeyForm *form)
{
    return g_strdup_printf("%s=%s", kind_names[form->kind], form->value);
}

/* What stands in front of the first line feed, a carriage return before it left out. */
static gsize first_line(const char *bytes, gsize length)
{
    const char *feed = memchr(bytes, '\n', length);

    if (feed != NULL)
        length = (gsize)(feed - bytes);
    return length > 0 && bytes[length - 1] == '\r' ? length - 1 : length;
}

/* Straight into protected memory: nothing of the file is left elsewhere. */
static Secret *read_file(const char *path, GError **error)
{
    g_autoptr(Secret) secret = NULL;
    FILE_AUTO_FD fd = -1;
    guint8 *buffer;
    gsize length = 0;

    if (!file_check_private(path, FALSE, error))
        return NULL;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        error_set_errno(error, errno, "cannot open %s", path);
        return NULL;
    }
    buffer = secret_new(SECRET_LIMIT + 1);
    if (file_read_all(fd, buffer, SECRET_LIMIT + 1, &length, path, error)) {
        if (length <= SECRET_LIMIT)
            secret = secret_copy(buffer, length);
        else
            error_set(error, ERROR_CONFIG, "%s is larger than the 4096 bytes that a key may have",
                      path);
    }
    secret_free(buffer, SECRET_LIMIT + 1);
    return g_steal_pointer(&secret);
}

static Secret *run_command(const char *command, GError **error)
{
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};
    const ProcessSpec spec = {.argv = argv, .flags = PROCESS_STDOUT_PIPE, .keep_fd = -1};
    char *output = NULL;
    Secret *secret;
    gsize length;

    if (!process_run(&spec, SECRET_LIMIT, &output, &length, NULL, error)) {
        g_prefix_error(error, "the command that prints the key: ");
        return NULL;
    }
    secret = secret_copy(output, length);
    secret_clear(output, length);
    g_free(output);
    return secret;
}

/* A file that is missing, or a command that fails, is a fault of the configuration: exit status
 * 2. */
static void take_as_config(GError *problem, GError **error)
{
    if (!error_is(problem, ERROR_INSECURE_FILE) && !error_is(problem, ERROR_CANCELLED))
        problem->code = ERROR_CONFIG;
    g_propagate_error(error, problem);
}

Secret *key_form_read(const KeyForm *form, GError **error)
{
    GError *problem = NULL;
    g_autoptr(Secret) secret = NULL;

    secret_protect_process();
    secret = form->kind == KEY_COMMAND ? run_command(form->value, &problem)
                                       : read_file(form->value, &problem);

    if (secret == NULL) {
        take_as_config(problem, error);
        return NULL;
    }
    if (form->kind != KEY_FILE)
        secret->length = first_line((const char *)secret->bytes, secret->length);
    if (secret->length == 0) {
        error_set(error, ERROR_CONFIG,
                  form->kind == KEY_COMMAND ? "the command that prints the key printed none"
                                            : "%s holds no key",
                  form->value);
        return NULL;
    }
    if (form->kind == KEY_FILE && secret->length < KEY_FILE_MINIMUM) {
        error_set(error, ERROR_CONFIG, "%s holds less than the %d bytes that a key file must have",
                  form->value, KEY_FILE_MINIMUM);
        error_add_hint(error, "make one with: head -c 32 /dev/urandom > FILE, or name it as "
                              "passphrase-file=");
        return NULL;
    }
    return g_steal_pointer(&secret);
}
