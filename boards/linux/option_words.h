// option_words.h - errors about words of the command line: which word was probably meant, and which
// commands have the option. Each function fills in *f, and returns false.

#ifndef REKEY_COMMAND_OPTION_WORDS_H
#define REKEY_COMMAND_OPTION_WORDS_H

#include "fault.h"
#include "option_table.h"

// `format` has a %s for each of the two words; the first one is made safe to print.
bool usage_error(struct fault *f, const char *format, const char *word, const char *more);

bool missing_command(const struct command_row *const *commands, struct fault *f);

// `help`: a page of help could have been meant as well.
bool unknown_command(const struct command_row *const *commands, const char *word, bool help,
                     struct fault *f);

// `name` has no "--", and ends before the '='. What follows may be a secret.
bool unknown_option(struct rekey_span name, struct fault *f);

// An option that `command` does not accept.
bool unsupported_option(const struct command_row *command,
                        const struct command_row *const *commands, const struct option_row *row,
                        struct fault *f);

#endif
