/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether who holds something is alive: this process, others, those of other hosts, and what nobody
 * wrote.
 */
#include "tdengine/holder.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_self(void)
{
    g_autofree char *self = td_holder_self(), *again = td_holder_self();

    g_assert_cmpstr(self, ==, again);
    g_assert_true(td_holder_is_here(self));
    g_assert_true(td_holder_is_running(self));
}

/* The same number with another start is another process. */
static void test_number_used_again(void)
{
    g_autofree char *self = td_holder_self();
    g_autofree char *other = g_strdup_printf("%s1", self);

    g_assert_true(td_holder_is_here(other));
    g_assert_false(td_holder_is_running(other));
}

static void test_elsewhere(void)
{
    g_autofree char *self = td_holder_self();
    g_autofree char *other = g_strdup_printf("not-%s", self);

    g_assert_false(td_holder_is_here(other));
    g_assert_false(td_holder_is_running(other));
}

static void test_nonsense(void)
{
    static const char *const endings[] = {"", " ", " 1", " x y", " -1 5", " 0 0", " 1 2 3"};

    g_assert_false(td_holder_is_here(""));
    g_assert_false(td_holder_is_running(""));
    for (guint i = 0; i < G_N_ELEMENTS(endings); i++) {
        g_autofree char *holder = g_strconcat(g_get_host_name(), endings[i], NULL);

        g_assert_false(td_holder_is_running(holder));
    }
}

/* One that has ended is not alive, whether or not its parent has taken notice. */
static void test_ended(void)
{
    int ways[2];
    char holder[256] = "";
    gssize length;
    siginfo_t info;
    pid_t child;

    g_assert_cmpint(pipe(ways), ==, 0);
    child = fork();
    g_assert_cmpint(child, >=, 0);
    if (child == 0) {
        g_autofree char *self = td_holder_self();

        _exit(write(ways[1], self, strlen(self)) > 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    length = read(ways[0], holder, sizeof holder - 1);
    g_assert_cmpint(length, >, 0);
    g_assert_cmpint(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), ==, 0);
    g_assert_true(td_holder_is_here(holder));
    g_assert_false(td_holder_is_running(holder));
    g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
    g_assert_false(td_holder_is_running(holder));
    close(ways[0]);
    close(ways[1]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/holder/self", test_self);
    g_test_add_func("/holder/number-used-again", test_number_used_again);
    g_test_add_func("/holder/elsewhere", test_elsewhere);
    g_test_add_func("/holder/nonsense", test_nonsense);
    g_test_add_func("/holder/ended", test_ended);
    return g_test_run();
}
