/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory for keys and passphrases: pages of their own that are locked into memory where the system
 * allows it, left out of core dumps, gone in a child process, and cleared before they are given
 * back.
 *
 * Threads: any.
 */
#ifndef HOLDFAST_BASE_SECRET_H
#define HOLDFAST_BASE_SECRET_H

#include <glib.h>

/* `size` bytes of zeros, never NULL. */
void *secret_new(gsize size);
/* Clears and frees what secret_new() gave; `size` is the same. NULL is fine. */
void secret_free(void *secret, gsize size);

/* Clears ordinary memory in a way that the compiler does not leave out. */
void secret_clear(void *bytes, gsize length);

/* From now on this process leaves no core dump and cannot be looked into by others of its user:
 * ciphers keep what they derive from a key in ordinary memory. */
void secret_protect_process(void);

/* A secret of any length. */
typedef struct {
    guint8 *bytes; /* from secret_new() */
    gsize length;
    gsize size; /* allocated */
} Secret;

/* Copies into protected memory, followed by a NUL that is not counted. */
Secret *secret_copy(const void *bytes, gsize length);
void secret_destroy(Secret *secret);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Secret, secret_destroy)

#endif
