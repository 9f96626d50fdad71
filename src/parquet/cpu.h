/* SPDX-License-Identifier: Apache-2.0
 *
 * One body, two machine codes: a kernel is written once as an inline function NAME_body() and
 * compiled for the processor that every x86-64 has and for AVX2; which one runs is decided by the
 * processor at hand. Elsewhere there is one.
 */
#ifndef HOLDFAST_PARQUET_CPU_H
#define HOLDFAST_PARQUET_CPU_H

#include <glib.h>

/* Values stand in files in little-endian order, and are copied as they are. */
G_STATIC_ASSERT(G_BYTE_ORDER == G_LITTLE_ENDIAN);

#define CPU_INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)

#define CPU_AVX2 __attribute__((target("avx2,bmi,bmi2")))

static inline gboolean cpu_has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
}

/* Defines NAME, which calls NAME_body compiled either way. `params` and `args` are in
 * parentheses. */
#define CPU_DISPATCH(type, name, params, args)                                                     \
    static CPU_AVX2 type name##_avx2 params                                                        \
    {                                                                                              \
        return name##_body args;                                                                   \
    }                                                                                              \
    static type name##_portable params                                                             \
    {                                                                                              \
        return name##_body args;                                                                   \
    }                                                                                              \
    type name params                                                                               \
    {                                                                                              \
        return cpu_has_avx2() ? name##_avx2 args : name##_portable args;                           \
    }

#else

#define CPU_DISPATCH(type, name, params, args)                                                     \
    type name params                                                                               \
    {                                                                                              \
        return name##_body args;                                                                   \
    }

#endif

#endif
