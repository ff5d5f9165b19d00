// der_table.h - trust anchors in DER, in flash: nothing of them is copied.

#ifndef REKEY_DER_TABLE_H
#define REKEY_DER_TABLE_H

#include "anchors.h"

#ifdef __cplusplus
extern "C" {
#endif

// Anchors that are looked up in `count` certificates; they must live as long as the result is used.
struct rekey_der_table {
    const struct rekey_span *certificates;
    size_t count;
};

struct rekey_anchors rekey_der_table(const struct rekey_der_table *table);

#ifdef __cplusplus
}
#endif

#endif
