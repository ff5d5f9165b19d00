// fault.h - why a part of the command failed. The parts never print and never choose an exit code:
// they return an error and fill in a fault, and the command prints it.

#ifndef REKEY_COMMAND_FAULT_H
#define REKEY_COMMAND_FAULT_H

#include "rekey.h"

struct fault {
    int error; // REKEY_E_...
    enum rekey_outcome outcome;
    char text[1024]; // one line: the file, the option or the variable, and the rule
};

// Fills in *f. Returns `error`.
int fault_set(struct fault *f, enum rekey_outcome outcome, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
