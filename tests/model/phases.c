// phases.c - src/rotate.c itself, and the names of its phases, which are in no header.

#include "rotate.c" // included because its enum phase is private

#define NAME(phase) [phase] = #phase

static const char *const names[] = {
    NAME(ENDED),        NAME(BEGIN),      NAME(FIRST_HOOK),    NAME(RESUMING),
    NAME(LISTING),      NAME(COMPARING),  NAME(COMPARE_LATER), NAME(LIST_LATER),
    NAME(REGENERATING), NAME(CONFIRMING), NAME(CONFIRM_LATER), NAME(SETTLING),
    NAME(SHOWING),      NAME(PROBING),    NAME(PROBE_LATER),   NAME(HOOK)};

const char *phase_name(unsigned phase);

// NULL: there is no such phase.
const char *phase_name(unsigned phase) {
    return phase < sizeof(names) / sizeof(names[0]) ? names[phase] : NULL;
}
