// phases.c - src/rotate.c itself, and the names of its phases, which no header has. A phase without
// a name here does not compile.

#include "rotate.c" // NOLINT: its enum phase is private

// One row a phase, in the order of the enum: the size of the table must be the number of phases.
#define PHASES(X)                                                                                  \
    X(ENDED)                                                                                       \
    X(BEGIN)                                                                                       \
    X(FIRST_HOOK)                                                                                  \
    X(RESUMING)                                                                                    \
    X(LISTING)                                                                                     \
    X(COMPARING)                                                                                   \
    X(COMPARE_LATER)                                                                               \
    X(DOUBT_LATER)                                                                                 \
    X(REGENERATING)                                                                                \
    X(LOOKING)                                                                                     \
    X(LOOK_LATER)                                                                                  \
    X(SETTLING)                                                                                    \
    X(SHOWING)                                                                                     \
    X(PROBING)                                                                                     \
    X(PROBE_LATER)                                                                                 \
    X(HOOK)

#define NAME(phase) [phase] = #phase,
extern const char *const phase_names[];
extern const unsigned phases_n;
const char *const phase_names[] = {PHASES(NAME)};
const unsigned phases_n = sizeof(phase_names) / sizeof(phase_names[0]);
