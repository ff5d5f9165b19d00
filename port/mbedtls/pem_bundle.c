// pem_bundle.c - reads certificates out of a PEM bundle (RFC 7468), one after the other.
// Text between them is passed over, and so is a certificate that is too large or damaged: it is no
// anchor.

#include "pem_bundle.h"

#include <fcntl.h>
#include <mbedtls/asn1.h>
#include <mbedtls/base64.h>
#include <unistd.h>

#define BEGIN_LINE "-----BEGIN CERTIFICATE-----"
#define END_LINE "-----END CERTIFICATE-----"

// A file, line by line. A line that is longer than the buffer comes in parts; no PEM line is.
struct reader {
    int fd;
    size_t at, len;
    char buf[512];
    char line[128];
};

// The next line without its end in r->line; false at the end of the file.
static bool next_line(struct reader *r, size_t *len) {
    *len = 0;
    for (;;) {
        char c;

        if (r->at == r->len) {
            ssize_t n = read(r->fd, r->buf, sizeof(r->buf));

            if (n <= 0) {
                return *len > 0;
            }
            r->at = 0;
            r->len = (size_t)n;
        }
        c = r->buf[r->at++];
        if (c == '\n') {
            return true;
        }
        if (c != '\r') {
            r->line[(*len)++] = c;
            if (*len == sizeof(r->line)) {
                return true;
            }
        }
    }
}

// The next certificate of the file, decoded into bundle->der; 0 at the end of the file.
static size_t next_certificate(struct rekey_pem_bundle *bundle, struct reader *r) {
    bool inside = false;
    size_t text = 0, len, der;

    while (next_line(r, &len)) {
        struct rekey_span line = rekey_span(r->line, len);

        if (rekey_span_equal(line, REKEY_SPAN(BEGIN_LINE))) {
            inside = true;
            text = 0;
        } else if (inside && rekey_span_equal(line, REKEY_SPAN(END_LINE))) {
            inside = false;
            if (mbedtls_base64_decode(bundle->der, sizeof(bundle->der), &der,
                                      (const unsigned char *)bundle->text, text) == 0 &&
                der > 0) {
                return der;
            }
        } else if (inside) {
            inside = len <= sizeof(bundle->text) - text;
            if (inside) {
                memcpy(bundle->text + text, r->line, len);
                text += len;
            }
        }
    }
    return 0;
}

// The subject of a certificate (RFC 5280 4.1): after version, serial number, signature, issuer,
// validity.
static struct rekey_span subject_of(unsigned char *der, size_t size) {
    static const int before[] = {MBEDTLS_ASN1_INTEGER,
                                 MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE,
                                 MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE,
                                 MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE};
    const int sequence = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE;
    const struct rekey_span none = {NULL, 0};
    unsigned char *at = der, *end = der + size, *start;
    size_t len;

    for (int nested = 0; nested < 2; nested++) { // Certificate, TBSCertificate
        if (mbedtls_asn1_get_tag(&at, end, &len, sequence) != 0) {
            return none;
        }
    }
    if (mbedtls_asn1_get_tag(&at, end, &len,
                             MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED) == 0) {
        at += len; // version
    }
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        if (mbedtls_asn1_get_tag(&at, end, &len, before[i]) != 0) {
            return none;
        }
        at += len;
    }
    start = at;
    if (mbedtls_asn1_get_tag(&at, end, &len, sequence) != 0) {
        return none;
    }
    return rekey_span((const char *)start, (size_t)(at - start) + len);
}

static int find(void *ctx, struct rekey_span subject,
                int (*found)(void *arg, struct rekey_span der), void *arg) {
    struct rekey_pem_bundle *bundle = ctx;
    struct reader r = {.fd = open(bundle->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
    int result = 0;
    size_t len;

    if (r.fd < 0) {
        return REKEY_E_NO_ANCHORS;
    }
    while (result == 0 && (len = next_certificate(bundle, &r)) > 0) {
        if (rekey_span_equal(subject_of(bundle->der, len), subject)) {
            result = found(arg, rekey_span((const char *)bundle->der, len));
        }
    }
    close(r.fd);
    return result;
}

struct rekey_anchors rekey_pem_bundle(struct rekey_pem_bundle *bundle, const char *path) {
    bundle->path = path;
    return (struct rekey_anchors){.ctx = bundle, .find = find};
}

bool rekey_pem_bundle_usable(struct rekey_pem_bundle *bundle) {
    struct reader r = {.fd = open(bundle->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
    bool usable = r.fd >= 0 && next_certificate(bundle, &r) > 0;

    if (r.fd >= 0) {
        close(r.fd);
    }
    return usable;
}
