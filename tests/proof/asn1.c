// asn1.c - a proof about mbedTLS's reader of ASN.1 lengths, on which port/mbedtls/der.c relies.

#include <asn1parse.c>

#include "proof.h"

void length(void) {
    struct rekey_span text = any_text(SIZE_MAX >> 16);
    unsigned char *at = (unsigned char *)text.ptr;
    const unsigned char *end = at + text.len;
    size_t len;

    if (mbedtls_asn1_get_len(&at, end, &len) == 0) {
        PROVE((size_t)(at - (unsigned char *)text.ptr) >= 1);
        PROVE((size_t)(at - (unsigned char *)text.ptr) <= 5);
        PROVE(at <= end && len <= (size_t)(end - at));
    }
    REACHED(text.len > 70004 && at == (unsigned char *)text.ptr + 4 && len == 70000);
}
