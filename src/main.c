/* SPDX-License-Identifier: Apache-2.0
 *
 * The program: makes the engines known and hands the command line over.
 */
#include "cli/command.h"
#include "engine/engine.h"
#include "postgres/engine.h"
#include "tdengine/engine.h"

int main(int argc, char **argv)
{
    engine_register(&postgres_engine);
    engine_register(&tdengine_engine);
    return command_main(argc, argv);
}
