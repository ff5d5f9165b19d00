// fault.c - see fault.h.

#include "fault.h"

#include <stdarg.h>
#include <stdio.h>

int fault_set(struct fault *f, enum rekey_outcome outcome, int error, const char *format, ...) {
    va_list arguments;

    f->outcome = outcome;
    f->error = error;
    va_start(arguments, format);
    vsnprintf(f->text, sizeof(f->text), format, arguments);
    va_end(arguments);
    return error;
}
