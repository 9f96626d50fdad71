/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The kernel's flags of the mapping that holds this address; "" where it tells none. */
static char *flags_of(const void *address)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    gboolean inside = FALSE;

    if (!g_file_get_contents("/proc/self/smaps", &text, NULL, NULL))
        return g_strdup("");
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i] != NULL; i++) {
        unsigned long start, end;

        if (sscanf(lines[i], "%lx-%lx ", &start, &end) == 2)
            inside = (unsigned long)address >= start && (unsigned long)address < end;
        else if (inside && g_str_has_prefix(lines[i], "VmFlags:"))
            return g_strdup(lines[i]);
    }
    return g_strdup("");
}

static void test_memory(void)
{
    guint8 *secret = secret_new(100);
    g_autofree char *flags = flags_of(secret);
    int status;
    pid_t child;

    for (guint i = 0; i < 100; i++)
        g_assert_cmpuint(secret[i], ==, 0);
    memset(secret, 7, 100);
    if (flags[0] == '\0') {
        secret_free(secret, 100);
        g_test_skip("the kernel does not show the flags of memory");
        return;
    }
    g_assert_nonnull(strstr(flags, " dd")); /* not in core dumps */
    g_assert_nonnull(strstr(flags, " wf")); /* not in children */
    child = fork();
    if (child == 0)
        _exit(secret[50]);
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
    g_assert_cmpuint(secret[50], ==, 7);
    secret_free(secret, 100);
    secret_free(NULL, 100);
}

static void test_copy(void)
{
    g_autoptr(Secret) secret = secret_copy("geheim", 6);
    g_autoptr(Secret) empty = secret_copy("", 0);

    g_assert_cmpstr((const char *)secret->bytes, ==, "geheim");
    g_assert_cmpuint(secret->length, ==, 6);
    g_assert_cmpuint(empty->bytes[0], ==, 0);
}

static void test_process(void)
{
    g_assert_cmpint(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), !=, 0);
    secret_protect_process();
    g_assert_cmpint(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), ==, 0);
    g_assert_cmpint(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/secret/memory", test_memory);
    g_test_add_func("/secret/copy", test_copy);
    g_test_add_func("/secret/process", test_process);
    return g_test_run();
}
