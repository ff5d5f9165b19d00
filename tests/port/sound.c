// sound.c - breaks nothing: used instead of a file that breaks a transport.

#include "subject.h"

struct rekey_transport subject_break(struct rekey_transport good, size_t which) {
    (void)which;
    return good;
}
