// der_table.h - trust anchors in DER, in flash. They are not copied.

#ifndef REKEY_DER_TABLE_H
#define REKEY_DER_TABLE_H

#include "anchors.h"

#ifdef __cplusplus
extern "C" {
#endif

// A table of `count` certificates. It must stay valid as long as the anchors are used.
struct rekey_der_table {
    const struct rekey_span *certificates;
    size_t count;
};

struct rekey_anchors rekey_der_table(const struct rekey_der_table *table);

#ifdef __cplusplus
}
#endif

#endif
