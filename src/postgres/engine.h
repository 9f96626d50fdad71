/* SPDX-License-Identifier: Apache-2.0
 *
 * PostgreSQL as an engine: the one thing that the rest of the program knows of this folder.
 */
#ifndef HOLDFAST_POSTGRES_ENGINE_H
#define HOLDFAST_POSTGRES_ENGINE_H

#include "engine/engine.h"

extern const Engine postgres_engine;

#endif
