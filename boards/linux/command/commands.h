// commands.h - the commands, in the order in which the help and errors name them. A new one is a
// file in this directory, which defines its row as `command_NAME`, and a line here.

#ifndef REKEY_COMMAND_COMMANDS_H
#define REKEY_COMMAND_COMMANDS_H

#include "../options.h"

#define REKEY_COMMANDS(X)                                                                          \
    X(regenerate)                                                                                  \
    X(list_keys)                                                                                   \
    X(wait)                                                                                        \
    X(check)                                                                                       \
    X(token)                                                                                       \
    X(show)                                                                                        \
    X(rotate)                                                                                      \
    X(sync)                                                                                        \
    X(status)

#define REKEY_COMMAND_DECLARE(name) extern const struct command_row command_##name;
REKEY_COMMANDS(REKEY_COMMAND_DECLARE)
#undef REKEY_COMMAND_DECLARE

#endif
