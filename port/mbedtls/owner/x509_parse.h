// x509_parse.h - included before mbedTLS's x509_crt.c (and no other file) by mbedtls.mk.
// A certificate with a signature algorithm that mbedTLS does not know is accepted when it is
// parsed. The signature of an anchor, or of a certificate that only repeats an anchor, is never
// needed (RFC 5280 6.1, RFC 8446 4.4.2.2); any other signature without an algorithm is refused when
// it is verified.
// A subjectAltName is checked as mbedTLS does, but the list of its names, 20 bytes for each, is not
// kept: constraints.c reads the names in the certificate itself.

#include "common.h"

#include "x509_internal.h"

static inline int rekey_x509_signature(const mbedtls_x509_buf *oid,
                                       const mbedtls_x509_buf *parameters, mbedtls_md_type_t *md,
                                       mbedtls_pk_type_t *pk, void **options) {
    int code = mbedtls_x509_get_sig_alg(oid, parameters, md, pk, options);

    if (code == 0 || code == MBEDTLS_ERR_X509_ALLOC_FAILED) {
        return code;
    }
    *md = MBEDTLS_MD_NONE;
    *pk = MBEDTLS_PK_NONE;
    return 0;
}

#define mbedtls_x509_get_sig_alg rekey_x509_signature

static inline int rekey_x509_names(unsigned char **p, const unsigned char *end) {
    size_t len;
    int code = mbedtls_asn1_get_tag(p, end, &len, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE);

    if (code == 0 && *p + len != end) {
        code = MBEDTLS_ERR_ASN1_LENGTH_MISMATCH;
    }
    while (code == 0 && *p < end) {
        mbedtls_x509_sequence one = {0}; // new for each name, so that no list is allocated
        unsigned char *value = *p + 1;

        code = mbedtls_asn1_get_len(&value, end, &len);
        if (code == 0) {
            code = mbedtls_x509_get_subject_alt_name_ext(p, value + len, &one);
        }
    }
    return code;
}

#define mbedtls_x509_get_subject_alt_name(p, end, list) rekey_x509_names(p, end)
