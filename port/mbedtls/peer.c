// peer.c - the server's chain: parsed certificate by certificate, put in order, verified by mbedTLS
// and by constraints.c, and its faults turned into words.

#define MBEDTLS_ALLOW_PRIVATE_ACCESS // x509_internal.h needs it

#include "peer.h"

#include <mbedtls/oid.h>
#include <mbedtls/platform.h>
#include <mbedtls/platform_time.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <x509_internal.h>

#include "arena.h"
#include "constraints.h"
#include "der.h"

// Faults that mbedTLS has no flag for.
#define NO_NAME (1u << 20)         // a leaf without subjectAltName
#define NOT_PERMITTED (1u << 21)   // name constraints of an issuer are broken
#define NOT_EVALUATED (1u << 22)   // ... or cannot be evaluated
#define UNUSABLE (1u << 23)        // the leaf cannot be parsed
#define UNUSABLE_ISSUER (1u << 24) // an issuer that was sent, or a trust anchor, cannot be parsed
#define MESSAGE (1u << 25)         // the message with the certificates is malformed, or too long
#define NO_PROOF (1u << 26)        // the server's signature is wrong
#define CHAIN (1u << 27)           // there are too many issuers
#define ALONE (1u << 31)           // not a fault: the leaf is a trust anchor itself

#define TEXT_OF(macro) TEXT(macro)
#define TEXT(value) #value

// mbedTLS parses without a context. As in tls.c, there is one struct rekey_tls in the image.
static struct rekey_tls *current;

static struct rekey_span span_of(const mbedtls_x509_buf *buf) {
    return rekey_span((const char *)buf->p, buf->len);
}

void rekey_peer_begin(struct rekey_tls *t) {
    memset(&t->fault, 0, sizeof(t->fault));
    memset(t->chain, 0, sizeof(t->chain));
    t->unusable = rekey_span(NULL, 0);
    current = t;
}

// ---- parsing ------------------------------------------------------------------------------------

static const char extension_text[] = "it has a critical extension that this build cannot evaluate";

// Why a certificate could not be parsed.
static const char *parse_text(int code) {
    switch (code) {
    case MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE:
        return extension_text;
    case MBEDTLS_ERR_PK_UNKNOWN_PK_ALG:
    case MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE:
        return "its key is of a kind that this build does not have";
    default:
        return "it is damaged";
    }
}

// mbedTLS found an extension that it does not know. Name constraints are evaluated by
// constraints.c; of the others only those that are not critical may be passed over.
static int take_extension(void *ctx, mbedtls_x509_crt const *certificate,
                          mbedtls_x509_buf const *oid, int critical, const unsigned char *p,
                          const unsigned char *end) {
    (void)ctx;
    (void)certificate;
    (void)p;
    (void)end;
    return critical == 0 || rekey_constraints_is_name_constraints(span_of(oid))
               ? 0
               : MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE;
}

// Returns 0 or an error of mbedTLS, for which *why then has words.
static int parse(mbedtls_x509_crt *chain, struct rekey_span der, bool copy, const char **why) {
    int code = mbedtls_x509_crt_parse_der_with_ext_cb(chain, (const unsigned char *)der.ptr,
                                                      der.len, copy, take_extension, NULL);

    current->exhausted |= rekey_arena_failed();
    *why = parse_text(code);
    return code;
}

static void digest(struct rekey_tls_fault *f, struct rekey_span der) {
    mbedtls_sha256((const unsigned char *)der.ptr, der.len, f->sha256, 0);
}

// A certificate of the server. The leaf must be readable. Another one may be of no use, and the
// chain lead to an anchor without it.
static int parse_sent(mbedtls_x509_crt *chain, const unsigned char *ptr, size_t len, bool copy) {
    const struct rekey_span der = rekey_span((const char *)ptr, len);
    const bool leaf = chain->version == 0;
    const char *why;
    int code = parse(chain, der, copy, &why);

    if (code == 0 || current->exhausted) {
        return code;
    }
    if (leaf) {
        current->fault.flags = UNUSABLE;
        current->fault.what = why;
        digest(&current->fault, der);
        return code;
    }
    if (current->unusable.len == 0) { // the input buffer holds it until the chain is verified
        current->unusable = rekey_der_subject(der);
        current->unusable_why = why;
    }
    return 0;
}

// In place of mbedtls_x509_crt_parse_der and ..._nocopy in mbedTLS's ssl_tls.c and
// ssl_tls13_generic.c, with the same arguments.
int rekey_peer_parse(mbedtls_x509_crt *chain, const unsigned char *der, size_t len);
int rekey_peer_parse_nocopy(mbedtls_x509_crt *chain, const unsigned char *der, size_t len);

int rekey_peer_parse(mbedtls_x509_crt *chain, const unsigned char *der, size_t len) {
    return parse_sent(chain, der, len, true);
}

int rekey_peer_parse_nocopy(mbedtls_x509_crt *chain, const unsigned char *der, size_t len) {
    return parse_sent(chain, der, len, false);
}

// In place of mbedtls_x509_get_sig_alg in mbedTLS's x509_crt.c. A certificate that is signed in a
// way which mbedTLS does not know is no reason to refuse it before anybody asks for that signature:
// of an anchor, and of one that only repeats an anchor, nobody does (RFC 5280 6.1, RFC
// 8446 4.4.2.2). Without an algorithm the signature is never good.
int rekey_x509_signature(const mbedtls_x509_buf *oid, const mbedtls_x509_buf *parameters,
                         mbedtls_md_type_t *md, mbedtls_pk_type_t *pk, void **options);

int rekey_x509_signature(const mbedtls_x509_buf *oid, const mbedtls_x509_buf *parameters,
                         mbedtls_md_type_t *md, mbedtls_pk_type_t *pk, void **options) {
    int code = mbedtls_x509_get_sig_alg(oid, parameters, md, pk, options);

    if (code == 0 || code == MBEDTLS_ERR_X509_ALLOC_FAILED) {
        return code;
    }
    *md = MBEDTLS_MD_NONE;
    *pk = MBEDTLS_PK_NONE;
    return 0;
}

// ---- anchors ------------------------------------------------------------------------------------

struct candidates {
    mbedtls_x509_crt *list;
    struct rekey_span name;
};

static int add_anchor(void *arg, struct rekey_span der) {
    const struct candidates *c = arg;
    const char *why;
    int code;

    for (mbedtls_x509_crt *each = c->list; each != NULL && each->raw.p != NULL; each = each->next) {
        if (rekey_span_equal(span_of(&each->raw), der)) {
            return 0; // bundles have anchors twice, and more often
        }
    }
    code = parse(c->list, der, !current->anchors.permanent, &why);
    if (code != 0 && !current->exhausted) { // one that cannot be parsed is no anchor
        current->unusable = c->name;
        current->unusable_why = why;
        code = 0;
    }
    return code;
}

// mbedTLS frees what it gets.
int rekey_peer_anchors(void *ctx, mbedtls_x509_crt const *child, mbedtls_x509_crt **candidates) {
    struct rekey_tls *t = ctx;
    struct candidates c = {NULL, span_of(&child->issuer_raw)};
    int result;

    *candidates = NULL;
    if ((t->fault.flags & ALONE) != 0) {
        return 0;
    }
    c.list = mbedtls_calloc(1, sizeof(*c.list));
    if (c.list == NULL) {
        return MBEDTLS_ERR_X509_ALLOC_FAILED;
    }
    mbedtls_x509_crt_init(c.list);
    result = t->anchors.find(t->anchors.ctx, c.name, add_anchor, &c);
    if (result == 0 && c.list->raw.p != NULL) {
        *candidates = c.list;
        return 0;
    }
    mbedtls_x509_crt_free(c.list);
    mbedtls_free(c.list);
    if (result == REKEY_E_NO_ANCHORS) {
        t->lower_error = result;
    }
    return result == 0 ? 0 : MBEDTLS_ERR_X509_ALLOC_FAILED;
}

static int is_same(void *arg, struct rekey_span der) {
    return rekey_span_equal(der, *(const struct rekey_span *)arg);
}

// Whether a certificate is an anchor itself.
static bool is_anchor(const struct rekey_tls *t, const mbedtls_x509_crt *certificate) {
    struct rekey_span der = span_of(&certificate->raw);

    return t->anchors.find(t->anchors.ctx, span_of(&certificate->subject_raw), is_same, &der) == 1;
}

// ---- verification -------------------------------------------------------------------------------

// Whether one of `list` names `certificate` as its issuer.
static bool is_issuer(const mbedtls_x509_crt *certificate, const mbedtls_x509_crt *list) {
    for (; list != NULL; list = list->next) {
        if (list != certificate &&
            rekey_der_same_name(span_of(&list->issuer_raw), span_of(&certificate->subject_raw))) {
            return true;
        }
    }
    return false;
}

// Puts each certificate behind all that it may have issued (RFC 8446 4.4.2: be prepared for any
// order); the leaf stays first. mbedTLS looks for issuers in that direction only.
static void put_in_order(mbedtls_x509_crt *last) {
    while (last->next != NULL) {
        mbedtls_x509_crt **at = &last->next, *next;

        while (*at != NULL && is_issuer(*at, last->next)) {
            at = &(*at)->next;
        }
        if (*at == NULL) { // a circle: as they came
            at = &last->next;
        }
        next = *at;
        *at = next->next;
        next->next = last->next;
        last->next = next;
        last = next;
    }
}

// What is wrong with one certificate, the gravest first; flags of 0 are the end.
static const struct {
    uint32_t flags;
    const char *leaf, *issuer; // said of the leaf; of an issuer, if it is another text
} words[] = {
    {MBEDTLS_X509_BADCERT_BAD_MD, "it is signed with an algorithm that is not accepted", NULL},
    {NOT_PERMITTED, "an issuer's name constraints do not permit a name that it has", NULL},
    {NOT_EVALUATED, "an issuer has name constraints that cannot be evaluated for it", NULL},
    {NO_NAME, "it has no subjectAltName", NULL},
    {MBEDTLS_X509_BADCERT_EXT_KEY_USAGE, "its extended key usage is not that of a server",
     "an issuer's extended key usage does not allow it to certify servers"},
    {MBEDTLS_X509_BADCERT_KEY_USAGE, "its key usage has no digitalSignature", NULL},
    {MBEDTLS_X509_BADCERT_BAD_KEY | MBEDTLS_X509_BADCERT_BAD_PK,
     "its key, or its issuer's, is too short or of a kind that is not accepted", NULL},
    {0, NULL, NULL},
};

static const char *words_of(const mbedtls_x509_crt *certificate, int depth, uint32_t flags) {
    size_t i = 0;

    if ((flags & MBEDTLS_X509_BADCERT_BAD_MD) != 0 &&
        (MBEDTLS_OID_CMP(MBEDTLS_OID_PKCS1_SHA1, &certificate->sig_oid) == 0 ||
         MBEDTLS_OID_CMP(MBEDTLS_OID_ECDSA_SHA1, &certificate->sig_oid) == 0)) {
        return "it is signed with SHA-1";
    }
    while (words[i].flags != 0 && (words[i].flags & flags) == 0) {
        i++;
    }
    return depth > 0 && words[i].issuer != NULL ? words[i].issuer : words[i].leaf;
}

// Keeps what is wrong with a certificate for the error text. What is nearest to the leaf is kept,
// but an issuer that is not trusted counts more.
static void note(struct rekey_tls *t, const mbedtls_x509_crt *certificate, int depth,
                 uint32_t flags) {
    struct rekey_tls_fault *f = &t->fault;

    if ((f->flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0) {
        f->flags |= flags;
        return;
    }
    if (mbedtls_x509_dn_gets(f->issuer, sizeof(f->issuer), &certificate->issuer) < 0) {
        strcpy(f->issuer, "(a name too long to show)");
    }
    digest(f, span_of(&certificate->raw));
    f->from = certificate->valid_from;
    f->to = certificate->valid_to;
    f->what = words_of(certificate, depth, flags);
    if ((flags & MBEDTLS_X509_BADCERT_BAD_MD) != 0) { // that, and not the issuer, is the reason
        flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_NOT_TRUSTED;
    } else if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0 && t->unusable.len > 0 &&
               rekey_der_same_name(t->unusable, span_of(&certificate->issuer_raw))) {
        flags = (flags & ~(uint32_t)MBEDTLS_X509_BADCERT_NOT_TRUSTED) | UNUSABLE_ISSUER;
        f->what = t->unusable_why;
    }
    f->flags |= flags;
}

// What an issuer may certify, mbedTLS does not look at: its extended key usage (as all others do,
// though RFC 5280 has it for leaves only), and name constraints.
static uint32_t check_issuers(const struct rekey_tls *t, const mbedtls_x509_crt *certificate,
                              int depth) {
    const struct rekey_certificate_names names = {span_of(&certificate->subject_raw),
                                                  span_of(&certificate->v3_ext)};
    enum rekey_constraints worst = REKEY_CONSTRAINTS_KEPT;

    // RFC 5280 6.1.3 (b): not for one that a CA issued to itself, unless it is the leaf.
    if (depth > 0 && rekey_der_same_name(names.subject, span_of(&certificate->issuer_raw))) {
        return 0;
    }
    for (size_t i = (size_t)depth + 1; i < sizeof(t->chain) / sizeof(t->chain[0]); i++) {
        if (t->chain[i] != NULL) {
            enum rekey_constraints result =
                rekey_constraints_check(span_of(&t->chain[i]->v3_ext), &names);

            worst = result > worst ? result : worst;
        }
    }
    return worst == REKEY_CONSTRAINTS_BROKEN    ? NOT_PERMITTED
           : worst == REKEY_CONSTRAINTS_UNKNOWN ? NOT_EVALUATED
                                                : 0;
}

int rekey_peer_check(void *ctx, mbedtls_x509_crt *certificate, int depth, uint32_t *flags) {
    struct rekey_tls *t = ctx;

    t->chain[depth] = certificate;
    if (mbedtls_x509_crt_check_extended_key_usage(certificate, MBEDTLS_OID_SERVER_AUTH,
                                                  sizeof(MBEDTLS_OID_SERVER_AUTH) - 1) != 0) {
        *flags |= MBEDTLS_X509_BADCERT_EXT_KEY_USAGE;
    }
    *flags |= check_issuers(t, certificate, depth);
    if (depth == 0) {
        const struct rekey_span extensions = span_of(&certificate->v3_ext);

        if ((t->fault.flags & ALONE) != 0) {
            *flags &= ~(uint32_t)(MBEDTLS_X509_BADCERT_NOT_TRUSTED | MBEDTLS_X509_BADCERT_BAD_MD |
                                  MBEDTLS_X509_BADCERT_BAD_PK);
        }
        if (mbedtls_x509_crt_check_key_usage(certificate, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) != 0) {
            *flags |= MBEDTLS_X509_BADCERT_KEY_USAGE;
        }
        if (!rekey_constraints_has_alternative(extensions)) {
            *flags |= NO_NAME;
        } else if (!rekey_constraints_host(extensions, t->host)) {
            *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
        }
    }
    if (*flags != 0) {
        note(t, certificate, depth, *flags);
    } else if (depth == 0 && (t->fault.flags & ~ALONE) == 0) {
        note(t, certificate, depth, 0); // for the text, where the server has not its key
    }
    return 0;
}

// In place of mbedtls_x509_crt_verify_with_ca_cb in mbedTLS's ssl_tls.c, with the same arguments.
int rekey_peer_verify(mbedtls_x509_crt *leaf, mbedtls_x509_crt_ca_cb_t anchors, void *ctx,
                      const mbedtls_x509_crt_profile *profile, const char *host, uint32_t *flags,
                      int (*check)(void *, mbedtls_x509_crt *, int, uint32_t *), void *check_ctx);

int rekey_peer_verify(mbedtls_x509_crt *leaf, mbedtls_x509_crt_ca_cb_t anchors, void *ctx,
                      const mbedtls_x509_crt_profile *profile, const char *host, uint32_t *flags,
                      int (*check)(void *, mbedtls_x509_crt *, int, uint32_t *), void *check_ctx) {
    struct rekey_tls *t = ctx;
    struct rekey_tls_fault *f = &t->fault;
    int code;

    put_in_order(leaf);
    code = mbedtls_x509_crt_verify_with_ca_cb(leaf, anchors, ctx, profile, host, flags, check,
                                              check_ctx);
    if (code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED &&
        (*flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0 && is_anchor(t, leaf)) {
        mbedtls_x509_crt *rest = leaf->next;

        // It is verified without issuers.
        memset(t->chain, 0, sizeof(t->chain));
        f->flags = ALONE;
        leaf->next = NULL;
        code = mbedtls_x509_crt_verify_with_ca_cb(leaf, anchors, ctx, profile, host, flags, check,
                                                  check_ctx);
        leaf->next = rest;
        f->flags &= ~ALONE;
    }
    if (code == MBEDTLS_ERR_X509_FATAL_ERROR && f->flags == 0) {
        note(t, leaf, 0, CHAIN);
        f->what = "it has more than " TEXT_OF(
            MBEDTLS_X509_MAX_INTERMEDIATE_CA) " issuers "
                                              "(CPPFLAGS=-DMBEDTLS_X509_MAX_INTERMEDIATE_CA=... "
                                              "raises that); were sent: ";
        for (const mbedtls_x509_crt *each = leaf->next; each != NULL; each = each->next) {
            f->number++;
        }
    }
    return code;
}

// ---- errors -------------------------------------------------------------------------------------

// Whether the message that was last begun, and is not complete, is the server's certificates, and
// is longer than mbedTLS can take. mbedTLS joins the parts of a message behind the counter (8
// bytes) and the header (5 bytes) of the first record.
static bool too_long(const struct rekey_tls *t) {
    return t->ssl.MBEDTLS_PRIVATE(in_hslen) > MBEDTLS_SSL_IN_CONTENT_LEN &&
           t->ssl.MBEDTLS_PRIVATE(in_buf)[8 + 5] == MBEDTLS_SSL_HS_CERTIFICATE;
}

// Whether the last message is the server's certificates.
static bool is_certificate(const struct rekey_tls *t) {
    return t->ssl.MBEDTLS_PRIVATE(in_msgtype) == MBEDTLS_SSL_MSG_HANDSHAKE &&
           t->ssl.MBEDTLS_PRIVATE(in_msg)[0] == MBEDTLS_SSL_HS_CERTIFICATE;
}

// Finds out by the state of the handshake what the certificates themselves did not show.
static void look_at_state(struct rekey_tls *t, int code) {
    struct rekey_tls_fault *f = &t->fault;

    switch (t->ssl.MBEDTLS_PRIVATE(state)) {
    case MBEDTLS_SSL_CERTIFICATE_REQUEST: // TLS 1.3 reads the certificates in this state
    case MBEDTLS_SSL_SERVER_CERTIFICATE:
        if (too_long(t)) {
            f->flags = MESSAGE;
            f->number = (unsigned)t->ssl.MBEDTLS_PRIVATE(in_hslen);
            f->what = "the server's certificates take more bytes than the " TEXT_OF(
                MBEDTLS_SSL_IN_CONTENT_LEN) " that mbedTLS can take: ";
        } else if (is_certificate(t) && (code == MBEDTLS_ERR_SSL_DECODE_ERROR ||
                                         code == MBEDTLS_ERR_SSL_BAD_CERTIFICATE ||
                                         code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE)) {
            f->flags = MESSAGE;
            f->what = "the server sent no certificate, or a malformed list of them";
        }
        break;
    case MBEDTLS_SSL_SERVER_KEY_EXCHANGE:
        // Of what mbedTLS returns here, all above this are errors of TLS and of hashes.
        if (code <= -0x5000 && code != MBEDTLS_ERR_SSL_PK_TYPE_MISMATCH) {
            break;
        }
        f->flags = NO_PROOF;
        break;
    case MBEDTLS_SSL_CERTIFICATE_VERIFY:
        f->flags = code == MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE ? NO_PROOF : 0;
        break;
    default:
        break;
    }
    if (f->flags == NO_PROOF) {
        f->what = "the server did not prove that it has this certificate's private key";
    }
}

int rekey_peer_error(struct rekey_tls *t, int code) {
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

static void explain_issuer(const struct rekey_tls *t, const char *digest, char *buf, size_t cap) {
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

static void explain_other(const struct rekey_tls_fault *f, const char *digest, char *buf,
                          size_t cap) {
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

void rekey_peer_explain(const struct rekey_tls *t, int error, char *buf, size_t cap) {
    const struct rekey_tls_fault *f = &t->fault;
    mbedtls_time_t clock = (mbedtls_time_t)f->clock;
    mbedtls_x509_time device;
    char from[80], to[80], at[80], digest[65]; // six ints of any size fit a date
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
