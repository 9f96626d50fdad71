/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory for secrets.
 */
#include "base/secret.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

void *secret_new(gsize size)
{
    void *secret =
        mmap(NULL, MAX(size, 1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (secret == MAP_FAILED)
        g_error("no memory for a secret of %" G_GSIZE_FORMAT " bytes", size);
    /* Each of these may be denied (a limit on locked memory, an old kernel): a backup that cannot
     * be made for want of them would be worse. */
    (void)mlock(secret, MAX(size, 1));
    (void)madvise(secret, MAX(size, 1), MADV_DONTDUMP);
    (void)madvise(secret, MAX(size, 1), MADV_WIPEONFORK);
    return secret;
}

void secret_clear(void *bytes, gsize length)
{
    explicit_bzero(bytes, length);
}

void secret_free(void *secret, gsize size)
{
    if (secret == NULL)
        return;
    secret_clear(secret, size);
    (void)munmap(secret, MAX(size, 1));
}

void secret_protect_process(void)
{
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

Secret *secret_copy(const void *bytes, gsize length)
{
    Secret *secret = g_new0(Secret, 1);

    secret->length = length;
    secret->size = length + 1;
    secret->bytes = secret_new(secret->size);
    memcpy(secret->bytes, bytes, length);
    return secret;
}

void secret_destroy(Secret *secret)
{
    if (secret == NULL)
        return;
    secret_free(secret->bytes, secret->size);
    g_free(secret);
}
