/* SPDX-License-Identifier: Apache-2.0
 *
 * Building the typed form of a [source NAME] section whose values have been checked.
 */
#ifndef HOLDFAST_CONFIG_SOURCE_H
#define HOLDFAST_CONFIG_SOURCE_H

#include "config/config.h"

/* Every value of the section must have passed its check. */
ConfigSource *config_source_build(const Config *config, const char *name);
void config_source_free(ConfigSource *source);

#endif
