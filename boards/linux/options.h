// options.h - the command line and the environment, checked before anything else happens.

#ifndef REKEY_COMMAND_OPTIONS_H
#define REKEY_COMMAND_OPTIONS_H

#include "option_table.h"
#include "option_values.h"

// Fills in *o from the command line and the environment. `commands` ends with NULL. False with *f
// if something is wrong. With --help or --version o->command may be NULL, and nothing is checked.
bool options_parse(struct options *o, const struct command_row *const *commands, int argc,
                   char **argv, struct fault *f);

#endif
