// client_certificate.c - imports a key in PEM or DER into mbedTLS, signs, and destroys the key
// again. Keys are RSA keys in PKCS#1 (RFC 8017 A.1.2), or in PKCS#8 (RFC 5208), which contains
// PKCS#1. mbedTLS 3.6 signs with its RSA functions, which do not need PSA; 4.x has only PSA.

#include "client_certificate.h"

#include <mbedtls/platform.h>
#include <mbedtls/platform_time.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>

#include "der.h"
#include "library.h"
#include "pem.h"
#include "sha256.h"
#if REKEY_TLS_PSA
#include <psa/crypto.h>
#endif
#if !REKEY_TLS_4
#include <mbedtls/rsa.h>
#endif

#define SIGNATURE_MAX 512 // as in src/credential_entra.h

static const char no_rsa_key[] = "its private key is not an RSA key, or is damaged";
static const char no_signature[] = "its private key does not sign";
static const struct rekey_span rsa_encryption = {"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", 9};
static const struct rekey_span rsassa_pss = {"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", 9};

// A DER structure in the caller's text, or decoded into memory that mbedTLS allocates.
struct der {
    struct rekey_span text;
    unsigned char *decoded; // to free; or NULL
    size_t decoded_len;
};

static void der_free(struct der *der) {
    if (der->decoded != NULL) {
        mbedtls_platform_zeroize(der->decoded, der->decoded_len);
        mbedtls_free(der->decoded);
    }
}

static bool is_private_key(const struct rekey_pem *p) {
    static const char end[] = "PRIVATE KEY";
    const size_t len = strlen(p->label);

    return len >= sizeof(end) - 1 && strcmp(p->label + len - (sizeof(end) - 1), end) == 0;
}

// Reads up to the end of wanted block number `n` (from 0), into *pem, which must be initialised.
// Returns REKEY_PEM_MORE if there is no such block.
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

// Decodes that block. Its label and its fault, if any, are in *pem.
static enum rekey_pem_event decode(struct rekey_span text, struct rekey_pem *pem,
                                   bool (*wanted)(const struct rekey_pem *), unsigned n,
                                   struct der *der) {
    enum rekey_pem_event event;

    rekey_pem_init(pem, NULL, SIZE_MAX);
    event = read_block(text, pem, wanted, n);
    if (event == REKEY_PEM_BLOCK) {
        der->decoded_len = pem->len;
        der->decoded = mbedtls_calloc(1, der->decoded_len);
        der->text = rekey_span((const char *)der->decoded, der->decoded_len);
        if (der->decoded == NULL) {
            return REKEY_PEM_FAULTY;
        }
        rekey_pem_init(pem, der->decoded, der->decoded_len);
        event = read_block(text, pem, wanted, n);
    }
    return event;
}

// DER is used directly. RFC 7292: PKCS#12 begins with the version 3; no certificate and no key
// does.
static bool is_der(struct rekey_client_certificate *c, struct rekey_span text, int *error) {
    struct rekey_span rest = text, version;

    if (text.len == 0 || text.ptr[0] != REKEY_DER_SEQUENCE) {
        return false;
    }
    *error = 0;
    if (rekey_der_read_tag(&rest, REKEY_DER_SEQUENCE, &rest) &&
        rekey_der_read_tag(&rest, REKEY_DER_INTEGER, &version) &&
        rekey_span_equal(version, REKEY_SPAN("\x03"))) {
        c->fault =
            "it is PKCS#12 (.pfx, .p12), which is not supported: make PEM of it with `openssl "
            "pkcs12 -in FILE -nodes -out FILE.pem`";
        *error = REKEY_E_SIGN;
    }
    return true;
}

// Finds certificate number `n` of the file; DER has only one.
static int read_certificate(struct rekey_client_certificate *c, unsigned n, struct der *der) {
    struct rekey_pem pem;
    int error;

    *der = (struct der){c->certificate, NULL, 0};
    if (is_der(c, c->certificate, &error)) {
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

    *der = (struct der){c->key, NULL, 0};
    if (is_der(c, c->key, &error)) {
        return error;
    }
    event = decode(c->key, &pem, is_private_key, 0, der);
    error = REKEY_E_SIGN;
    if (event == REKEY_PEM_MORE) {
        c->fault = "there is no private key in it (PEM)";
    } else if (pem.headers || strcmp(pem.label, "ENCRYPTED PRIVATE KEY") == 0) {
        c->fault = "its private key is encrypted";
    } else if (strcmp(pem.label, "PRIVATE KEY") != 0 && strcmp(pem.label, "RSA PRIVATE KEY") != 0) {
        c->fault = "its private key is not an RSA key";
    } else if (event == REKEY_PEM_FAULTY) {
        c->fault = "its private key is damaged";
    } else {
        error = 0;
    }
    rekey_zeroize(&pem, sizeof(pem)); // it contains the last bits of the key
    return error;
}

// PKCS#8 wraps an RSA key in a version, an algorithm and an octet string: moves *der to the content
// of the octet string. Returns false if it is another kind of key, and sets c->fault if there is a
// reason to give.
static bool unwrap(struct rekey_client_certificate *c, struct rekey_span *der) {
    struct rekey_span rest = *der, version, algorithm, oid, key;

    if (!rekey_der_read_tag(&rest, REKEY_DER_SEQUENCE, &rest) ||
        !rekey_der_read_tag(&rest, REKEY_DER_INTEGER, &version)) {
        return false;
    }
    if (rest.len > 0 && rest.ptr[0] == REKEY_DER_INTEGER) {
        return true; // PKCS#1: the modulus comes next
    }
    if (!rekey_der_read_tag(&rest, REKEY_DER_SEQUENCE, &algorithm) ||
        !rekey_der_read_tag(&algorithm, REKEY_DER_OID, &oid)) {
        return false;
    }
    if (rekey_span_equal(oid, rsassa_pss)) {
        c->fault =
            "its private key is for RSA-PSS alone (id-RSASSA-PSS), which is not supported: a "
            "plain RSA key is needed";
        return false;
    }
    if (!rekey_span_equal(oid, rsa_encryption) ||
        !rekey_der_read_tag(&rest, REKEY_DER_OCTETS, &key)) {
        return false;
    }
    *der = key;
    return true;
}

// The numbers that follow the version of a key in PKCS#1: modulus, public exponent, the secret
// numbers.
static struct rekey_span numbers_of(struct rekey_span key) {
    struct rekey_span version, numbers = {NULL, 0};

    rekey_der_read_tag(&key, REKEY_DER_SEQUENCE, &numbers);
    rekey_der_read_tag(&numbers, REKEY_DER_INTEGER, &version);
    return numbers;
}

// Reads the key into *der, as PKCS#1. The caller must free *der also after an error.
static int load_key(struct rekey_client_certificate *c, struct der *der) {
    struct rekey_span numbers, modulus;
    int error = read_key(c, der);

    if (error != 0) {
        return error;
    }
    c->fault = no_rsa_key;
    if (!unwrap(c, &der->text)) {
        return REKEY_E_SIGN;
    }
    numbers = numbers_of(der->text);
    if (!rekey_der_read_tag(&numbers, REKEY_DER_INTEGER, &modulus)) {
        return REKEY_E_SIGN;
    }
    if (modulus.len < 256 || modulus.len > SIGNATURE_MAX + 1) { // most begin with a zero byte
        c->fault = "its private key has fewer than 2048 or more than 4096 bits";
        return REKEY_E_SIGN;
    }
    return 0;
}

// Imports the key (PKCS#1) and signs `hash` with it, unless `hash` is NULL. Returns 0 with *len, or
// an error.
#if REKEY_TLS_4
static int error_of(psa_status_t status) {
    return status == PSA_SUCCESS                      ? 0
           : status == PSA_ERROR_INSUFFICIENT_MEMORY  ? REKEY_E_LIMIT_ARENA
           : status == PSA_ERROR_INSUFFICIENT_ENTROPY ? REKEY_E_ENTROPY
                                                      : REKEY_E_SIGN;
}

static int use_key(struct rekey_client_certificate *c, struct rekey_span der,
                   const unsigned char *hash, unsigned char *signature, size_t *len) {
    const psa_algorithm_t pss = PSA_ALG_RSA_PSS(PSA_ALG_SHA_256);
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    mbedtls_svc_key_id_t key;
    psa_status_t status = psa_crypto_init();

    c->fault = no_rsa_key;
    psa_set_key_type(&attributes, PSA_KEY_TYPE_RSA_KEY_PAIR);
    psa_set_key_algorithm(&attributes, pss);
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_SIGN_HASH);
    if (status == PSA_SUCCESS) {
        status = psa_import_key(&attributes, (const uint8_t *)der.ptr, der.len, &key);
    }
    if (status == PSA_SUCCESS) {
        if (hash != NULL) {
            c->fault = no_signature;
            status = psa_sign_hash(key, pss, hash, 32, signature, SIGNATURE_MAX, len);
        }
        psa_destroy_key(key);
    }
    return error_of(status);
}
#else
static int random_bytes(void *ctx, unsigned char *buf, size_t len) {
    const struct rekey_port *port = ctx;

    return port->entropy(port->ctx, buf, len) == REKEY_DONE ? 0 : MBEDTLS_ERR_RSA_RNG_FAILED;
}

// The first five numbers of PKCS#1: modulus, public and private exponent, two primes.
static int import_key(mbedtls_rsa_context *rsa, struct rekey_span der) {
    struct rekey_span rest = numbers_of(der), n[5];
    const unsigned char *p[5];
    int result;

    for (size_t i = 0; i < 5; i++) {
        if (!rekey_der_read_tag(&rest, REKEY_DER_INTEGER, &n[i])) {
            return MBEDTLS_ERR_RSA_BAD_INPUT_DATA;
        }
        p[i] = (const unsigned char *)n[i].ptr;
    }
    result = mbedtls_rsa_import_raw(rsa, p[0], n[0].len, p[3], n[3].len, p[4], n[4].len, p[2],
                                    n[2].len, p[1], n[1].len);
    if (result == 0) {
        result = mbedtls_rsa_complete(rsa);
    }
    return result != 0 ? result : mbedtls_rsa_check_pubkey(rsa);
}

static int use_key(struct rekey_client_certificate *c, struct rekey_span der,
                   const unsigned char *hash, unsigned char *signature, size_t *len) {
    mbedtls_rsa_context rsa;
    int result;

    mbedtls_rsa_init(&rsa);
    c->fault = no_rsa_key;
    result = import_key(&rsa, der);
    if (result == 0 && hash != NULL) {
        c->fault = no_signature;
        mbedtls_rsa_set_padding(&rsa, MBEDTLS_RSA_PKCS_V21, MBEDTLS_MD_SHA256);
        result = mbedtls_rsa_rsassa_pss_sign_ext(&rsa, random_bytes, (void *)c->port,
                                                 MBEDTLS_MD_SHA256, 32, hash, 32, signature);
        *len = mbedtls_rsa_get_len(&rsa);
    }
    mbedtls_rsa_free(&rsa);
    return result == 0 ? 0 : result == MBEDTLS_ERR_RSA_RNG_FAILED ? REKEY_E_ENTROPY : REKEY_E_SIGN;
}
#endif

// A failure because of too little memory is reported as such.
static int result_of(int error) {
#ifdef REKEY_TLS_SHORTAGE
    return REKEY_TLS_SHORTAGE() != 0 ? REKEY_E_LIMIT_ARENA : error;
#else
    return error;
#endif
}

static int thumbprint(void *ctx, unsigned char sha256[32]) {
    struct der der;
    int error = read_certificate(ctx, 0, &der);

    if (error == 0) {
        rekey_sha256(der.text, sha256);
    }
    der_free(&der);
    return result_of(error);
}

static int sign(void *ctx, struct rekey_span text, unsigned char *signature, size_t *len) {
    struct rekey_client_certificate *c = ctx;
    unsigned char hash[32];
    struct der der;
    int error = load_key(c, &der);

    if (error == 0) {
        rekey_sha256(text, hash);
        error = use_key(c, der.text, hash, signature, len);
    }
    der_free(&der);
    return result_of(error);
}

struct rekey_signer rekey_client_certificate_signer(struct rekey_client_certificate *c) {
    return (struct rekey_signer){.ctx = c, .thumbprint = thumbprint, .sign = sign};
}

// Whether the public key of the certificate has the modulus and exponent of the private key. RFC
// 5280 4.1: a public key is an algorithm and a bit string, which contains the sequence of modulus
// and exponent.
static bool belong_together(const mbedtls_x509_crt *certificate, struct rekey_span key) {
    const struct rekey_span numbers = numbers_of(key);
    struct rekey_span rest = {(const char *)certificate->pk_raw.p, certificate->pk_raw.len};
    struct rekey_span value;

    if (!rekey_der_read_tag(&rest, REKEY_DER_SEQUENCE, &rest) ||
        !rekey_der_read_tag(&rest, REKEY_DER_SEQUENCE, &value) ||
        !rekey_der_read_tag(&rest, REKEY_DER_BITS, &value) || value.len == 0) {
        return false;
    }
    value = rekey_span(value.ptr + 1, value.len - 1); // skip the number of unused bits, which is 0
    return rekey_der_read_tag(&value, REKEY_DER_SEQUENCE, &value) && value.len < numbers.len &&
           memcmp(value.ptr, numbers.ptr, value.len) == 0;
}

// Parses certificate number `n`. *certificate must be initialised, and the caller must free it also
// after an error.
static int parse_certificate(struct rekey_client_certificate *c, unsigned n,
                             mbedtls_x509_crt *certificate) {
    struct der der;
    int error = read_certificate(c, n, &der);

    if (error == 0 && mbedtls_x509_crt_parse_der(certificate, (const unsigned char *)der.text.ptr,
                                                 der.text.len) != 0) {
        c->fault = "its certificate is damaged";
        error = REKEY_E_SIGN;
    }
    der_free(&der);
    return error;
}

// Whether a certificate after the first one belongs to the key.
static bool is_key_of_later_certificate(struct rekey_client_certificate *c, struct rekey_span key) {
    mbedtls_x509_crt certificate;
    bool found = false;
    int error = 0;

    for (unsigned n = 1; !found && error == 0; n++) {
        mbedtls_x509_crt_init(&certificate);
        error = parse_certificate(c, n, &certificate);
        found = error == 0 && belong_together(&certificate, key);
        mbedtls_x509_crt_free(&certificate);
    }
    return found;
}

static void write_time(char text[REKEY_CERTIFICATE_TIME], int year, int mon, int day, int hour,
                       int min, int sec) {
    snprintf(text, REKEY_CERTIFICATE_TIME, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)year % 10000,
             (unsigned)mon % 100, (unsigned)day % 100, (unsigned)hour % 100, (unsigned)min % 100,
             (unsigned)sec % 100);
}

// Checks that the key can be used, and that it belongs to the certificate.
static int check_key(struct rekey_client_certificate *c, const mbedtls_x509_crt *certificate,
                     struct rekey_span der) {
    int error = use_key(c, der, NULL, NULL, NULL);

    if (error == 0 && !belong_together(certificate, der)) {
        c->fault = is_key_of_later_certificate(c, der)
                       ? "its private key belongs to another of its certificates: put that one "
                         "first"
                       : "its private key does not belong to its certificate";
        error = REKEY_E_SIGN;
    }
    return error;
}

int rekey_client_certificate_check(struct rekey_client_certificate *c) {
    mbedtls_x509_crt certificate;
    const mbedtls_x509_time *end = &certificate.valid_to;
    struct der der;
    int error;

#if REKEY_TLS_4 || defined(MBEDTLS_USE_PSA_CRYPTO) // PSA is needed even to parse a certificate
    if (psa_crypto_init() != PSA_SUCCESS) {
        return REKEY_E_LIMIT_ARENA;
    }
#endif
    result_of(0); // clear earlier results
    mbedtls_x509_crt_init(&certificate);
    error = parse_certificate(c, 0, &certificate);
    if (error == 0) {
        write_time(c->not_after, end->year, end->mon, end->day, end->hour, end->min, end->sec);
        error = load_key(c, &der);
        if (error == 0) {
            error = check_key(c, &certificate, der.text);
        }
        der_free(&der);
    }
    mbedtls_x509_crt_free(&certificate);
    return result_of(error);
}

bool rekey_client_certificate_ends_within(const struct rekey_client_certificate *c,
                                          uint32_t seconds) {
    mbedtls_time_t then = (mbedtls_time_t)(c->port->wall_s(c->port->ctx) + seconds);
    char text[REKEY_CERTIFICATE_TIME];
    struct tm tm;

    mbedtls_platform_gmtime_r(&then, &tm);
    write_time(text, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
               tm.tm_sec);
    return strcmp(c->not_after, text) < 0;
}
