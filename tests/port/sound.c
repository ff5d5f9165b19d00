// sound.c - in the place of what breaks a transport: nothing.

#include "subject.h"

struct rekey_transport subject_break(struct rekey_transport good, size_t which) {
    (void)which;
    return good;
}
