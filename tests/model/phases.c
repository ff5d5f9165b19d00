// phases.c - src/rotate.c itself, and the names of its phases, which no header has. The compilers
// warn of a phase without a name.

#include "rotate.c" // its enum phase is private

const char *phase_name(unsigned phase);

#define CASE(phase)                                                                                \
    case phase:                                                                                    \
        return #phase;

// NULL: there are fewer phases.
const char *phase_name(unsigned phase) {
    switch ((enum phase)phase) {
        CASE(ENDED)
        CASE(BEGIN)
        CASE(FIRST_HOOK)
        CASE(RESUMING)
        CASE(LISTING)
        CASE(COMPARING)
        CASE(COMPARE_LATER)
        CASE(DOUBT_LATER)
        CASE(REGENERATING)
        CASE(LOOKING)
        CASE(LOOK_LATER)
        CASE(SETTLING)
        CASE(SHOWING)
        CASE(PROBING)
        CASE(PROBE_LATER)
        CASE(HOOK)
    }
    return NULL;
}
