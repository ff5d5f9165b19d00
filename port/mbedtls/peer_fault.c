// peer_fault.c - turns a fault of the server's certificates, or of the proof that it has the
// private key, into an error of rekey_error.h and a text.

#include <mbedtls/platform_time.h>
#include <mbedtls/platform_util.h>
#include <stdio.h>

#include "peer.h"

// Finds faults of the chain that only the last error of mbedTLS shows.
static void look_at_chain(struct fault *f, const struct rekey_tls_message *m, int code) {
    const bool certificate =
        m->record == MBEDTLS_SSL_MSG_HANDSHAKE && m->type == MBEDTLS_SSL_HS_CERTIFICATE;

    if (m->whole > MBEDTLS_SSL_IN_CONTENT_LEN && m->type == MBEDTLS_SSL_HS_CERTIFICATE) {
        f->number = (unsigned)m->whole;
        f->what = "the server's certificates take more bytes than the " TEXT_OF(
            MBEDTLS_SSL_IN_CONTENT_LEN) " that mbedTLS can take: ";
    } else if (code == MBEDTLS_ERR_SSL_BAD_CERTIFICATE ||
               (certificate && (code == MBEDTLS_ERR_SSL_DECODE_ERROR ||
                                code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE))) {
        f->what = "the server sent no certificate, or a malformed list of them";
    }
#ifndef REKEY_TLS_LAST_MESSAGE
    // mbedTLS parses and verifies before it calls the verify callback, and may return errors of
    // X.509 (-0x2000 to -0x2fff), of keys, and of ASN.1 (-0x0060 to -0x0068).
    else if (code == MBEDTLS_ERR_X509_FATAL_ERROR) {
        f->what = "the server's certificate has more than " ISSUERS_MAX " issuers";
    } else if ((code <= -0x2000 && code > -0x3000) || (code <= -0x0060 && code >= -0x0068) ||
               code == MBEDTLS_ERR_PK_UNKNOWN_PK_ALG ||
               code == MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE) {
        f->what = "the server sent a certificate that mbedTLS cannot read";
    }
#endif
    f->flags = f->what != NULL ? MESSAGE : 0;
}

// Whether `code` means that the server did not prove that it has the private key. The proof comes
// in the handshake state after the certificates: the signature of the ephemeral key (TLS 1.2), or
// CertificateVerify (TLS 1.3). In TLS 1.2, codes of -0x5000 and below are errors of TLS and of
// hashes, not of the signature.
static bool is_no_proof(const struct connection *t, int code) {
    return mbedtls_ssl_get_version_number(&t->ssl) == MBEDTLS_SSL_VERSION_TLS1_3
               ? code == MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE
               : code > -0x5000 || code == MBEDTLS_ERR_SSL_PK_TYPE_MISMATCH;
}

// Finds the fault by the progress of the handshake, if the certificates have none.
static void look_at_state(struct connection *t, int code) {
    const struct rekey_tls_message m = rekey_peer_last_message(t);
    struct fault *f = &t->fault;

    if (t->proof == NOTHING_PROVED) {
        look_at_chain(f, &m, code);
    } else if (t->proof == KEY_NEXT && is_no_proof(t, code)) {
        f->flags = NO_PROOF;
        f->what = "the server did not prove that it has this certificate's private key";
    }
}

int rekey_peer_error(struct connection *t, int code) {
    uint32_t flags;

    if (t->fault.flags == 0) {
        look_at_state(t, code);
    }
    flags = t->fault.flags;
    if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0) {
        return REKEY_E_CERT_ISSUER;
    }
    if ((flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0 && (flags & NO_NAME) == 0) {
        return REKEY_E_CERT_NAME;
    }
    if ((flags & (MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE)) != 0) {
        return REKEY_E_CERT_DATES;
    }
    return flags != 0 ? REKEY_E_CERT_OTHER : 0;
}

static int date_text(char *buf, size_t cap, const mbedtls_x509_time *t) {
    return snprintf(buf, cap, "%04d-%02d-%02dT%02d:%02d:%02dZ", t->year, t->mon, t->day, t->hour,
                    t->min, t->sec);
}

static void explain_issuer(const struct connection *t, const char *digest, char *buf, size_t cap) {
    const unsigned *passed_over = t->anchors.passed_over;
    int len = snprintf(buf, cap,
                       "issuer %s is not among the trust anchors (certificate SHA-256 %s); a proxy "
                       "or captive portal?",
                       t->fault.issuer, digest);

    if (passed_over != NULL && *passed_over > 0 && len > 0 && (size_t)len < cap) {
        snprintf(buf + len, cap - (size_t)len,
                 " (certificates among them that cannot be read, and were passed over: %u)",
                 *passed_over);
    }
}

static void explain_other(const struct fault *f, const char *digest, char *buf, size_t cap) {
    char number[12] = "";

    if (f->number > 0) {
        snprintf(number, sizeof(number), "%u", f->number);
    }
    if ((f->flags & MESSAGE) != 0) {
        snprintf(buf, cap, "%s%s", f->what, number);
    } else if ((f->flags & UNUSABLE_ISSUER) != 0) {
        snprintf(buf, cap, "the certificate of its issuer %s cannot be used: %s", f->issuer,
                 f->what);
    } else if ((f->flags & UNUSABLE) != 0) {
        snprintf(buf, cap, "%s (certificate SHA-256 %s)", f->what, digest);
    } else {
        snprintf(buf, cap, "%s%s (issuer %s, certificate SHA-256 %s)",
                 f->what != NULL ? f->what : "for an unknown reason", number, f->issuer, digest);
    }
}

void rekey_peer_explain(const struct connection *t, int error, char *buf, size_t cap) {
    const struct fault *f = &t->fault;
    mbedtls_time_t clock = (mbedtls_time_t)f->clock;
    mbedtls_x509_time device;
    char from[80], to[80], at[80], digest[65]; // each date has space for six ints of any size
    struct tm tm;

    mbedtls_platform_gmtime_r(&clock, &tm);
    device = (mbedtls_x509_time){tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                                 tm.tm_hour,        tm.tm_min,     tm.tm_sec};
    date_text(from, sizeof(from), &f->from);
    date_text(to, sizeof(to), &f->to);
    date_text(at, sizeof(at), &device);
    for (size_t i = 0; i < 32; i++) {
        rekey_hex(f->sha256[i], digest + 2 * i);
    }
    digest[64] = '\0';
    switch (error) {
    case REKEY_E_CERT_ISSUER:
        explain_issuer(t, digest, buf, cap);
        break;
    case REKEY_E_CERT_NAME:
        snprintf(buf, cap, "it is not for %s (issuer %s, certificate SHA-256 %s)", t->host,
                 f->issuer, digest);
        break;
    case REKEY_E_CERT_DATES:
        snprintf(buf, cap, "it is valid from %s to %s, the device's clock says %s", from, to, at);
        break;
    case REKEY_E_CLOCK:
        snprintf(buf, cap, "the device's clock says %s", at);
        break;
    default:
        explain_other(f, digest, buf, cap);
        break;
    }
}
