// client_certificate.c - PEM or DER into what mbedTLS signs with, and away with it again.
// mbedTLS's own parser of keys would bring elliptic curves, encrypted keys and their ciphers; here
// are RSA keys in PKCS#8 (RFC 5208) or PKCS#1 (RFC 8017 A.1.2), in some lines.

#include "client_certificate.h"

#include <mbedtls/asn1.h>
#include <mbedtls/base64.h>
#include <mbedtls/oid.h>
#include <mbedtls/platform.h>
#include <mbedtls/platform_time.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/rsa.h>
#include <mbedtls/sha256.h>
#include <mbedtls/x509_crt.h>
#include <rsa_internal.h>

#include "arena.h"

// A DER that was found, or decoded into the arena.
struct der {
    const unsigned char *ptr;
    size_t len;
    unsigned char *decoded; // to free; or NULL
};

static void der_free(struct der *der) {
    if (der->decoded != NULL) {
        mbedtls_free(der->decoded); // the arena zeroizes it
    }
}

// Where `needle` stands in `text`; NULL if it does not.
static const char *find(struct rekey_span text, const char *needle) {
    const size_t len = strlen(needle);

    for (size_t i = 0; i + len <= text.len; i++) {
        if (memcmp(text.ptr + i, needle, len) == 0) {
            return text.ptr + i;
        }
    }
    return NULL;
}

// The first section of `text` that is labelled `label`. False if there is none.
static bool section(struct rekey_span text, const char *begin, const char *end,
                    struct rekey_span *found) {
    const char *from = find(text, begin), *to;

    if (from == NULL) {
        return false;
    }
    from += strlen(begin);
    to = find(rekey_span(from, text.len - (size_t)(from - text.ptr)), end);
    *found = rekey_span(from, to == NULL ? 0 : (size_t)(to - from));
    return true;
}

static int decode(struct rekey_span text, struct der *der) {
    size_t cap = text.len / 4 * 3 + 3;

    der->decoded = mbedtls_calloc(1, cap);
    if (der->decoded == NULL) {
        return REKEY_E_LIMIT_ARENA;
    }
    der->ptr = der->decoded;
    return mbedtls_base64_decode(der->decoded, cap, &der->len, (const unsigned char *)text.ptr,
                                 text.len) == 0
               ? 0
               : REKEY_E_SIGN;
}

static bool is_der(struct rekey_span text) {
    return text.len > 0 && text.ptr[0] == (MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE);
}

static int read_certificate(struct rekey_client_certificate *c, struct der *der) {
    struct rekey_span found;
    int error = REKEY_E_SIGN;

    *der = (struct der){(const unsigned char *)c->certificate.ptr, c->certificate.len, NULL};
    if (is_der(c->certificate)) {
        return 0;
    }
    c->fault = "there is no certificate in it (PEM)";
    if (section(c->certificate, "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----",
                &found)) {
        error = decode(found, der);
    }
    return error;
}

static int read_key(struct rekey_client_certificate *c, struct der *der) {
    struct rekey_span found;
    int error = REKEY_E_SIGN;

    *der = (struct der){(const unsigned char *)c->key.ptr, c->key.len, NULL};
    if (is_der(c->key)) {
        return 0;
    }
    c->fault = "there is no private key in it (PEM)";
    if (section(c->key, "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", &found) ||
        section(c->key, "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----",
                &found)) {
        error = decode(found, der);
        if (find(found, "DEK-Info") != NULL) {
            c->fault = "its private key is encrypted";
        }
    } else if (find(c->key, "-----BEGIN ENCRYPTED PRIVATE KEY-----") != NULL) {
        c->fault = "its private key is encrypted";
    } else if (find(c->key, "-----BEGIN EC PRIVATE KEY-----") != NULL) {
        c->fault = "its private key is no RSA key";
    }
    return error;
}

// What PKCS#8 wraps around an RSA key: version, algorithm, an octet string. Moves *der to what is
// inside. Returns false if it is another kind of key.
static bool unwrap(struct der *der) {
    const int sequence = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE;
    unsigned char *at = (unsigned char *)der->ptr;
    const unsigned char *end = at + der->len;
    mbedtls_asn1_buf algorithm, parameters;
    size_t len;
    int version;

    if (mbedtls_asn1_get_tag(&at, end, &len, sequence) != 0 ||
        mbedtls_asn1_get_int(&at, end, &version) != 0) {
        return false;
    }
    if (at < end && *at == MBEDTLS_ASN1_INTEGER) {
        return true; // PKCS#1: the modulus comes next
    }
    if (mbedtls_asn1_get_alg(&at, end, &algorithm, &parameters) != 0 ||
        MBEDTLS_OID_CMP(MBEDTLS_OID_PKCS1_RSA, &algorithm) != 0 ||
        mbedtls_asn1_get_tag(&at, end, &len, MBEDTLS_ASN1_OCTET_STRING) != 0) {
        return false;
    }
    der->ptr = at;
    der->len = len;
    return true;
}

// Parses the key into *rsa, which is initialised, and is freed by the caller in any case.
static int parse_key(struct rekey_client_certificate *c, mbedtls_rsa_context *rsa) {
    struct der der;
    int error = read_key(c, &der);

    if (error == 0) {
        c->fault = "its private key is no RSA key, or is damaged";
        if (!unwrap(&der) || mbedtls_rsa_parse_key(rsa, der.ptr, der.len) != 0) {
            error = REKEY_E_SIGN;
        } else if (mbedtls_rsa_get_len(rsa) < 256 || mbedtls_rsa_get_len(rsa) > 512) {
            c->fault = "its private key has fewer than 2048 or more than 4096 bits";
            error = REKEY_E_SIGN;
        }
    }
    der_free(&der);
    return error;
}

// A failure for want of memory is told as that.
static int result_of(int error) {
    return rekey_arena_failed() ? REKEY_E_LIMIT_ARENA : error;
}

static int thumbprint(void *ctx, unsigned char sha256[32]) {
    struct der der;
    int error = read_certificate(ctx, &der);

    if (error == 0) {
        mbedtls_sha256(der.ptr, der.len, sha256, 0);
    }
    der_free(&der);
    return result_of(error);
}

static int random_bytes(void *ctx, unsigned char *buf, size_t len) {
    const struct rekey_port *port = ctx;

    return port->entropy(port->ctx, buf, len) == REKEY_DONE ? 0 : MBEDTLS_ERR_RSA_RNG_FAILED;
}

static int sign(void *ctx, struct rekey_span text, unsigned char *signature, size_t *len) {
    struct rekey_client_certificate *c = ctx;
    unsigned char hash[32];
    mbedtls_rsa_context rsa;
    int error, result;

    mbedtls_rsa_init(&rsa);
    error = parse_key(c, &rsa);
    if (error == 0) {
        mbedtls_sha256((const unsigned char *)text.ptr, text.len, hash, 0);
        mbedtls_rsa_set_padding(&rsa, MBEDTLS_RSA_PKCS_V21, MBEDTLS_MD_SHA256);
        result =
            mbedtls_rsa_rsassa_pss_sign_ext(&rsa, random_bytes, (void *)c->port, MBEDTLS_MD_SHA256,
                                            sizeof(hash), hash, sizeof(hash), signature);
        *len = mbedtls_rsa_get_len(&rsa);
        c->fault = "its private key does not sign";
        error = result == MBEDTLS_ERR_RSA_RNG_FAILED ? REKEY_E_ENTROPY
                : result != 0                        ? REKEY_E_SIGN
                                                     : 0;
    }
    mbedtls_rsa_free(&rsa);
    return result_of(error);
}

struct rekey_signer rekey_client_certificate_signer(struct rekey_client_certificate *c) {
    return (struct rekey_signer){.ctx = c, .thumbprint = thumbprint, .sign = sign};
}

// Whether both have the same modulus.
static bool belong_together(const mbedtls_x509_crt *certificate, const mbedtls_rsa_context *key) {
    const mbedtls_rsa_context *other;
    mbedtls_mpi a, b;
    bool same = false;

    if (mbedtls_pk_get_type(&certificate->pk) != MBEDTLS_PK_RSA) {
        return false;
    }
    other = mbedtls_pk_rsa(certificate->pk);
    mbedtls_mpi_init(&a);
    mbedtls_mpi_init(&b);
    if (mbedtls_rsa_export(key, &a, NULL, NULL, NULL, NULL) == 0 &&
        mbedtls_rsa_export(other, &b, NULL, NULL, NULL, NULL) == 0) {
        same = mbedtls_mpi_cmp_mpi(&a, &b) == 0;
    }
    mbedtls_mpi_free(&a);
    mbedtls_mpi_free(&b);
    return same;
}

int rekey_client_certificate_check(struct rekey_client_certificate *c) {
    mbedtls_x509_crt certificate;
    mbedtls_rsa_context rsa;
    struct der der;
    int error = read_certificate(c, &der);

    rekey_arena_failed();
    mbedtls_x509_crt_init(&certificate);
    mbedtls_rsa_init(&rsa);
    if (error == 0) {
        c->fault = "its certificate is damaged";
        error = mbedtls_x509_crt_parse_der(&certificate, der.ptr, der.len) == 0 ? 0 : REKEY_E_SIGN;
    }
    der_free(&der);
    if (error == 0) {
        error = parse_key(c, &rsa);
    }
    if (error == 0) {
        c->not_after = certificate.valid_to;
        if (!belong_together(&certificate, &rsa)) {
            c->fault = "its private key does not belong to its certificate";
            error = REKEY_E_SIGN;
        }
    }
    mbedtls_x509_crt_free(&certificate);
    mbedtls_rsa_free(&rsa);
    return result_of(error);
}

bool rekey_client_certificate_ends_within(const struct rekey_client_certificate *c,
                                          uint32_t seconds) {
    mbedtls_time_t then = (mbedtls_time_t)(c->port->wall_s(c->port->ctx) + seconds);
    mbedtls_x509_time time;
    struct tm tm;

    mbedtls_platform_gmtime_r(&then, &tm);
    time = (mbedtls_x509_time){tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                               tm.tm_hour,        tm.tm_min,     tm.tm_sec};
    return mbedtls_x509_time_cmp(&c->not_after, &time) < 0;
}
