// suggest.h - which of the known words a mistyped one was meant to be.

#ifndef REKEY_COMMAND_SUGGEST_H
#define REKEY_COMMAND_SUGGEST_H

#include "span.h"

#define SUGGEST_NONE SIZE_MAX

// How far `word` is from `known`: 0 if it begins as the other one does, up to the end of the
// shorter one; else the number of letters that are wrong, missing, too many, or exchanged with
// their neighbour. SUGGEST_NONE if these are more than a third of the word.
size_t suggest_distance(struct rekey_span word, const char *known);

#endif
