// der_table.c - finds anchors in a table by name.

#include "der_table.h"

#include "der.h"

static int find(void *ctx, struct rekey_span subject,
                int (*found)(void *arg, struct rekey_span der), void *arg) {
    const struct rekey_der_table *table = ctx;
    int result = 0;

    for (size_t i = 0; i < table->count && result == 0; i++) {
        if (subject.ptr == NULL ||
            rekey_der_same_name(rekey_der_subject(table->certificates[i]), subject)) {
            result = found(arg, table->certificates[i]);
        }
    }
    return result;
}

struct rekey_anchors rekey_der_table(const struct rekey_der_table *table) {
    return (struct rekey_anchors){.ctx = (void *)table, .find = find, .permanent = true};
}
