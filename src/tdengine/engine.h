/* SPDX-License-Identifier: Apache-2.0
 *
 * TDengine as an engine.
 */
#ifndef HOLDFAST_TDENGINE_ENGINE_H
#define HOLDFAST_TDENGINE_ENGINE_H

#include "engine/engine.h"

extern const Engine tdengine_engine;

#endif
