// sound.c - leaves the transport unchanged, in place of a file that breaks it.

#include "subject.h"

struct rekey_transport subject_break(struct rekey_transport good, size_t which) {
    (void)which;
    return good;
}
