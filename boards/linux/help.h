// help.h - what --help and --version print, from the tables of commands and options.

#ifndef REKEY_COMMAND_HELP_H
#define REKEY_COMMAND_HELP_H

#include "options.h"

// Both collect their text for standard output. `commands` ends with NULL; *o says which page.
void help_print(const struct command_row *const *commands, const struct options *o);
void help_print_version(void);

#endif
