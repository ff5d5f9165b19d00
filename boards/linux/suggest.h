// suggest.h - finds the known word that a mistyped one was meant to be.

#ifndef REKEY_COMMAND_SUGGEST_H
#define REKEY_COMMAND_SUGGEST_H

#include "span.h"

#define SUGGEST_NONE SIZE_MAX

// The distance between `word` and `known`: 0 if one of them begins with the other; else the number
// of letters that are wrong, missing, extra, or exchanged with their neighbour. SUGGEST_NONE if
// these are more than a third of the word.
size_t suggest_distance(struct rekey_span word, const char *known);

#endif
