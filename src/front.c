/* SPDX-License-Identifier: Apache-2.0
 *
 * The program that users call. `wal push` and `wal get` run here, with few libraries: a server
 * calls them for every segment, and loading libpq, SQLite and what stands behind them takes three
 * times as long as the rest of an empty push. Everything else is handed over, by exec, to the whole
 * program.
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/commands.h"

#define PROGRAM "holdfast-program"

/* The short table: all that this executable knows. */
const Command *const command_table[] = {&command_wal_push, &command_wal_get, NULL};

/* The command that runs here, or NULL. Help of every kind comes from the whole program. */
static const Command *fast_command(int argc, char **argv)
{
    const Command *found = NULL;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return NULL;
        if (found != NULL)
            continue;
        if (strcmp(argv[i], "--config") == 0 || strcmp(argv[i], "--repository") == 0 ||
            strcmp(argv[i], "--key") == 0) {
            i++;
        } else if (argv[i][0] != '-') {
            if (strcmp(argv[i], "wal") != 0 || i + 1 == argc)
                return NULL;
            if (strcmp(argv[i + 1], "push") == 0)
                found = &command_wal_push;
            else if (strcmp(argv[i + 1], "get") == 0)
                found = &command_wal_get;
            else
                return NULL;
        }
    }
    return found;
}

/* The whole program stands beside this one (a build directory), or where it was installed. */
static int hand_over(char **argv)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *directory = self != NULL ? g_path_get_dirname(self) : g_strdup(".");
    g_autofree char *beside = g_build_filename(directory, PROGRAM, NULL);

    execv(beside, argv);
    execv(HOLDFAST_LIBEXECDIR "/" PROGRAM, argv);
    execv(HOLDFAST_BUILDDIR "/" PROGRAM, argv);
    fprintf(stderr, "holdfast: cannot run %s nor %s/%s\nhint: install holdfast again\n", beside,
            HOLDFAST_LIBEXECDIR, PROGRAM);
    return error_info(ERROR_INTERNAL)->exit_status;
}

int main(int argc, char **argv)
{
    const Command *command = fast_command(argc, argv);
    int status;

    if (command == NULL)
        return hand_over(argv);
    /* SHA-256 is all that is asked of OpenSSL here. The names of every cipher and digest that it
     * knows, its messages and its configuration cost 0.7 ms. Where it refuses, it does them. */
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS |
                                  OPENSSL_INIT_NO_ADD_ALL_CIPHERS | OPENSSL_INIT_NO_ADD_ALL_DIGESTS,
                              NULL);
    status = command_main(argc, argv);
    /* A mistake in front of the command's words is found before the command is. */
    return status == error_info(ERROR_USAGE)->exit_status ? MAX(status, command->failure_status)
                                                          : status;
}
