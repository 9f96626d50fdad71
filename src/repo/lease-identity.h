/* SPDX-License-Identifier: Apache-2.0
 *
 * What tells machines and boots apart, so that a lease of a dead process can be recognised.
 */
#ifndef HOLDFAST_REPO_LEASE_IDENTITY_H
#define HOLDFAST_REPO_LEASE_IDENTITY_H

#include <glib.h>

typedef struct {
    const char *host;
    const char *machine_id; /* /etc/machine-id; "" where it is not known */
    const char *boot_id;    /* of the running kernel; "" where it is not known */
} LeaseIdentity;

/* Of this process; read once, never freed. */
const LeaseIdentity *lease_identity(void);

#endif
