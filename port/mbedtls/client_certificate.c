// client_certificate.c - PEM or DER into what mbedTLS signs with, and away with it again.
// mbedTLS's own parser of keys would bring elliptic curves, encrypted keys and their ciphers; here
// are RSA keys in PKCS#8 (RFC 5208) or PKCS#1 (RFC 8017 A.1.2), in some lines.

#include "client_certificate.h"

#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>
#include <mbedtls/platform.h>
#include <mbedtls/platform_time.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/rsa.h>
#include <mbedtls/sha256.h>
#include <mbedtls/x509_crt.h>
#include <rsa_internal.h>

#include "arena.h"
#include "der.h"
#include "pem.h"

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

static bool is_private_key(const struct rekey_pem *p) {
    static const char end[] = "PRIVATE KEY";
    const size_t len = strlen(p->label);

    return len >= sizeof(end) - 1 && strcmp(p->label + len - (sizeof(end) - 1), end) == 0;
}

// Reads up to the end of the block number `n` (from 0) of those that are wanted, into *pem, which
// is initialised. The event is REKEY_PEM_MORE if there is none.
static enum rekey_pem_event read_block(struct rekey_span text, struct rekey_pem *pem,
                                       bool (*wanted)(const struct rekey_pem *), unsigned n) {
    for (size_t i = 0; i < text.len; i++) {
        enum rekey_pem_event event = rekey_pem_push(pem, text.ptr[i]);

        if (event != REKEY_PEM_MORE && wanted(pem) && n-- == 0) {
            return event;
        }
    }
    return wanted(pem) ? rekey_pem_end(pem) : REKEY_PEM_MORE;
}

// Decodes that block into the arena. Its label and what is wrong with it are in *pem.
static enum rekey_pem_event decode(struct rekey_span text, struct rekey_pem *pem,
                                   bool (*wanted)(const struct rekey_pem *), unsigned n,
                                   struct der *der) {
    enum rekey_pem_event event;

    rekey_pem_init(pem, NULL, SIZE_MAX);
    event = read_block(text, pem, wanted, n);
    if (event == REKEY_PEM_BLOCK) {
        der->len = pem->len;
        der->decoded = mbedtls_calloc(1, der->len);
        der->ptr = der->decoded;
        if (der->decoded == NULL) {
            return REKEY_PEM_FAULTY;
        }
        rekey_pem_init(pem, der->decoded, der->len);
        event = read_block(text, pem, wanted, n);
    }
    return event;
}

// DER is taken as it is. RFC 7292: PKCS#12 begins with the version 3, which no certificate does and
// no key.
static bool take_der(struct rekey_client_certificate *c, struct rekey_span text, int *error) {
    struct rekey_span rest = text, version;

    if (text.len == 0 || text.ptr[0] != REKEY_DER_SEQUENCE) {
        return false;
    }
    *error = 0;
    if (rekey_der_take_tag(&rest, REKEY_DER_SEQUENCE, &rest) &&
        rekey_der_take_tag(&rest, REKEY_DER_INTEGER, &version) &&
        rekey_span_equal(version, REKEY_SPAN("\x03"))) {
        c->fault =
            "it is PKCS#12 (.pfx, .p12), which is not supported: make PEM of it with `openssl "
            "pkcs12 -in FILE -nodes -out FILE.pem`";
        *error = REKEY_E_SIGN;
    }
    return true;
}

// The certificate number `n` of the file; in DER there is one.
static int read_certificate(struct rekey_client_certificate *c, unsigned n, struct der *der) {
    struct rekey_pem pem;
    int error;

    *der = (struct der){(const unsigned char *)c->certificate.ptr, c->certificate.len, NULL};
    if (take_der(c, c->certificate, &error)) {
        return n == 0 ? error : REKEY_E_SIGN;
    }
    switch (decode(c->certificate, &pem, rekey_pem_is_certificate, n, der)) {
    case REKEY_PEM_BLOCK:
        return 0;
    case REKEY_PEM_FAULTY:
        c->fault = "its certificate is damaged";
        return REKEY_E_SIGN;
    default:
        c->fault = "there is no certificate in it (PEM)";
        return REKEY_E_SIGN;
    }
}

static int read_key(struct rekey_client_certificate *c, struct der *der) {
    enum rekey_pem_event event;
    struct rekey_pem pem;
    int error;

    *der = (struct der){(const unsigned char *)c->key.ptr, c->key.len, NULL};
    if (take_der(c, c->key, &error)) {
        return error;
    }
    event = decode(c->key, &pem, is_private_key, 0, der);
    error = REKEY_E_SIGN;
    if (event == REKEY_PEM_MORE) {
        c->fault = "there is no private key in it (PEM)";
    } else if (pem.headers || strcmp(pem.label, "ENCRYPTED PRIVATE KEY") == 0) {
        c->fault = "its private key is encrypted";
    } else if (strcmp(pem.label, "PRIVATE KEY") != 0 && strcmp(pem.label, "RSA PRIVATE KEY") != 0) {
        c->fault = "its private key is no RSA key";
    } else if (event == REKEY_PEM_FAULTY) {
        c->fault = "its private key is damaged";
    } else {
        error = 0;
    }
    rekey_zeroize(&pem, sizeof(pem)); // the last bits of the key are in it
    return error;
}

// What PKCS#8 wraps around an RSA key: version, algorithm, an octet string. Moves *der to what is
// inside. Returns false with c->fault if it is another kind of key.
static bool unwrap(struct rekey_client_certificate *c, struct der *der) {
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
    if (mbedtls_asn1_get_alg(&at, end, &algorithm, &parameters) != 0) {
        return false;
    }
    if (MBEDTLS_OID_CMP(MBEDTLS_OID_RSASSA_PSS, &algorithm) == 0) {
        c->fault =
            "its private key is for RSA-PSS alone (id-RSASSA-PSS), which is not supported: a "
            "plain RSA key is needed";
        return false;
    }
    if (MBEDTLS_OID_CMP(MBEDTLS_OID_PKCS1_RSA, &algorithm) != 0 ||
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
        if (!unwrap(c, &der) || mbedtls_rsa_parse_key(rsa, der.ptr, der.len) != 0) {
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
    int error = read_certificate(ctx, 0, &der);

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

// Parses certificate number `n`; *certificate is initialised, and freed by the caller in any case.
static int parse_certificate(struct rekey_client_certificate *c, unsigned n,
                             mbedtls_x509_crt *certificate) {
    struct der der;
    int error = read_certificate(c, n, &der);

    if (error == 0 && mbedtls_x509_crt_parse_der(certificate, der.ptr, der.len) != 0) {
        c->fault = "its certificate is damaged";
        error = REKEY_E_SIGN;
    }
    der_free(&der);
    return error;
}

// Whether a certificate behind the first has the key.
static bool belongs_to_a_later_one(struct rekey_client_certificate *c,
                                   const mbedtls_rsa_context *rsa) {
    mbedtls_x509_crt certificate;
    bool found = false;
    int error = 0;

    for (unsigned n = 1; !found && error == 0; n++) {
        mbedtls_x509_crt_init(&certificate);
        error = parse_certificate(c, n, &certificate);
        found = error == 0 && belong_together(&certificate, rsa);
        mbedtls_x509_crt_free(&certificate);
    }
    return found;
}

int rekey_client_certificate_check(struct rekey_client_certificate *c) {
    mbedtls_x509_crt certificate;
    mbedtls_rsa_context rsa;
    int error;

    rekey_arena_failed();
    mbedtls_x509_crt_init(&certificate);
    mbedtls_rsa_init(&rsa);
    error = parse_certificate(c, 0, &certificate);
    if (error == 0) {
        error = parse_key(c, &rsa);
    }
    if (error == 0) {
        c->not_after = certificate.valid_to;
        if (!belong_together(&certificate, &rsa)) {
            c->fault = belongs_to_a_later_one(c, &rsa)
                           ? "its private key belongs to another of its certificates: put that one "
                             "first"
                           : "its private key does not belong to its certificate";
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
