// peer.c - parses the server's chain certificate by certificate, puts it in order, and verifies it
// by mbedTLS and constraints.c. A fault is recorded for peer_fault.c.

#include "peer.h"

#include "constraints.h"
#include "der.h"
#include "sha256.h"

static const struct rekey_span rsa_with_sha1 = {"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", 9};
static const struct rekey_span ecdsa_with_sha1 = {"\x2a\x86\x48\xce\x3d\x04\x01", 7};
static const struct rekey_span server_authentication = {"\x2b\x06\x01\x05\x05\x07\x03\x01", 8};

static struct rekey_span span_of(const mbedtls_x509_buf *buf) {
    return rekey_span((const char *)buf->p, buf->len);
}

void rekey_peer_begin(struct connection *t) {
    memset(&t->fault, 0, sizeof(t->fault));
    memset(t->chain, 0, sizeof(t->chain));
    t->unusable = rekey_span(NULL, 0);
    t->proof = NOTHING_PROVED;
}

struct rekey_tls_message rekey_peer_last_message(const struct connection *t) {
#ifdef REKEY_TLS_LAST_MESSAGE
    return REKEY_TLS_LAST_MESSAGE(&t->ssl);
#else
    const struct rekey_tls_message unknown = {0};

    (void)t;
    return unknown;
#endif
}

// ---- parsing ------------------------------------------------------------------------------------

// Whether mbedTLS says that an allocation failed. Its owner knows this better: when an allocation
// fails during the verification of a signature, mbedTLS reports a wrong signature.
bool rekey_peer_out_of_memory(int code) {
#if defined(REKEY_TLS_SHORTAGE)
    (void)code;
    return false;
#elif REKEY_TLS_4
    return code == PSA_ERROR_INSUFFICIENT_MEMORY;
#else
    // mbedTLS adds a low-level error (ASN.1, long numbers) to one of a higher level.
    const int low = -(-code & 0x7f);

    return code == MBEDTLS_ERR_SSL_ALLOC_FAILED || code == MBEDTLS_ERR_X509_ALLOC_FAILED ||
           code == MBEDTLS_ERR_PK_ALLOC_FAILED || code == MBEDTLS_ERR_MD_ALLOC_FAILED ||
           low == MBEDTLS_ERR_ASN1_ALLOC_FAILED || low == MBEDTLS_ERR_MPI_ALLOC_FAILED;
#endif
}

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

// mbedTLS calls this for an extension that it does not know. constraints.c evaluates name
// constraints; any other extension may be ignored only if it is not critical.
static int accept_extension(void *ctx, mbedtls_x509_crt const *certificate,
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

// Returns 0; or an error of mbedTLS, with its text in *why.
static int parse(struct connection *t, mbedtls_x509_crt *chain, struct rekey_span der, bool copy,
                 const char **why) {
    int code = mbedtls_x509_crt_parse_der_with_ext_cb(chain, (const unsigned char *)der.ptr,
                                                      der.len, copy, accept_extension, NULL);

    t->exhausted |= rekey_peer_out_of_memory(code);
    *why = parse_text(code);
    return code;
}

// Parses a certificate of the server. An error of the leaf is fatal. Another certificate that
// cannot be parsed is left out, because the chain may lead to an anchor without it.
int rekey_peer_parse(void *ctx, mbedtls_x509_crt *chain, const unsigned char *ptr, size_t len,
                     bool copy) {
    struct connection *t = ctx;
    const struct rekey_span der = rekey_span((const char *)ptr, len);
    const bool leaf = chain->version == 0;
    const char *why;
    int code = parse(t, chain, der, copy, &why);

    if (code == 0 || t->exhausted) {
        return code;
    }
    if (leaf) {
        t->fault.flags = UNUSABLE;
        t->fault.what = why;
        rekey_sha256(der, t->fault.sha256);
        return code;
    }
    if (t->unusable.len == 0) { // a span into the input buffer, which outlives the verification
        t->unusable = rekey_der_subject(der);
        t->unusable_why = why;
    }
    return 0;
}

// ---- anchors ------------------------------------------------------------------------------------

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

struct candidates {
    struct connection *connection;
    struct rekey_span name;
};

static bool is_listed(const mbedtls_x509_crt *list, struct rekey_span der) {
    for (; list != NULL && list->raw.p != NULL; list = list->next) {
        if (rekey_span_equal(span_of(&list->raw), der)) {
            return true;
        }
    }
    return false;
}

static int add_anchor(void *arg, struct rekey_span der) {
    const struct candidates *c = arg;
    struct connection *t = c->connection;
    const char *why;
    int code;

    if (is_listed(&t->found, der)) {
        return 0; // a bundle may have an anchor several times
    }
    code = parse(t, &t->found, der, !t->anchors.permanent, &why);
    if (code != 0 && !t->exhausted) { // an anchor that cannot be parsed is skipped
        t->unusable = c->name;
        t->unusable_why = why;
        code = 0;
    }
    return code;
}

// Adds to t->found, which must be empty, the anchors that may have issued the leaf or one of its
// issuers. Certificates from the server that issued none of the others are ignored. Returns 0 or an
// error of mbedTLS.
static int find_anchors(struct connection *t, const mbedtls_x509_crt *leaf) {
    struct candidates c = {t, {NULL, 0}};
    int result = 0;

    for (const mbedtls_x509_crt *each = leaf; each != NULL && result == 0; each = each->next) {
        if (each == leaf || is_issuer(each, leaf)) {
            c.name = span_of(&each->issuer_raw);
            result = t->anchors.find(t->anchors.ctx, c.name, add_anchor, &c);
        }
    }
    if (result == REKEY_E_NO_ANCHORS) {
        t->lower_error = result;
    }
    return result == 0 ? 0 : MBEDTLS_ERR_X509_ALLOC_FAILED;
}

static int is_same(void *arg, struct rekey_span der) {
    return rekey_span_equal(der, *(const struct rekey_span *)arg);
}

// Whether a certificate is an anchor itself.
static bool is_anchor(const struct connection *t, const mbedtls_x509_crt *certificate) {
    struct rekey_span der = span_of(&certificate->raw);

    return t->anchors.find(t->anchors.ctx, span_of(&certificate->subject_raw), is_same, &der) == 1;
}

// ---- verification -------------------------------------------------------------------------------

// Puts each certificate behind all certificates that it may have issued; the leaf stays first.
// mbedTLS searches for issuers only in that direction, but servers may send any order (RFC 8446
// 4.4.2).
static void put_in_order(mbedtls_x509_crt *last) {
    while (last->next != NULL) {
        mbedtls_x509_crt **at = &last->next, *next;

        while (*at != NULL && is_issuer(*at, last->next)) {
            at = &(*at)->next;
        }
        if (*at == NULL) { // a circle: keep the order
            at = &last->next;
        }
        next = *at;
        *at = next->next;
        next->next = last->next;
        last->next = next;
        last = next;
    }
}

// The texts for faults of one certificate, the most serious first; flags of 0 mark the end.
static const struct {
    uint32_t flags;
    const char *leaf, *issuer; // for the leaf; for an issuer, or NULL if the text is the same
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
        (rekey_span_equal(span_of(&certificate->sig_oid), rsa_with_sha1) ||
         rekey_span_equal(span_of(&certificate->sig_oid), ecdsa_with_sha1))) {
        return "it is signed with SHA-1";
    }
    while (words[i].flags != 0 && (words[i].flags & flags) == 0) {
        i++;
    }
    return depth > 0 && words[i].issuer != NULL ? words[i].issuer : words[i].leaf;
}

// Records the faults of a certificate for the error text. The fault nearest to the leaf is kept,
// except that an untrusted issuer has priority.
static void note(struct connection *t, const mbedtls_x509_crt *certificate, int depth,
                 uint32_t flags) {
    struct fault *f = &t->fault;

    if ((f->flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0) {
        f->flags |= flags;
        return;
    }
    if (mbedtls_x509_dn_gets(f->issuer, sizeof(f->issuer), &certificate->issuer) < 0) {
        strcpy(f->issuer, "(a name too long to show)");
    }
    rekey_sha256(span_of(&certificate->raw), f->sha256);
    f->from = certificate->valid_from;
    f->to = certificate->valid_to;
    f->what = words_of(certificate, depth, flags);
    if ((flags & MBEDTLS_X509_BADCERT_BAD_MD) != 0) { // this is the reason, not the issuer
        flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_NOT_TRUSTED;
    } else if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0 && t->unusable.len > 0 &&
               rekey_der_same_name(t->unusable, span_of(&certificate->issuer_raw))) {
        flags = (flags & ~(uint32_t)MBEDTLS_X509_BADCERT_NOT_TRUSTED) | UNUSABLE_ISSUER;
        f->what = t->unusable_why;
    }
    f->flags |= flags;
}

// Checks whether the issuers may certify this certificate, which mbedTLS does not do: their name
// constraints are applied to its names.
static uint32_t check_issuers(const struct connection *t, const mbedtls_x509_crt *certificate,
                              int depth) {
    const struct rekey_certificate_names names = {span_of(&certificate->subject_raw),
                                                  span_of(&certificate->v3_ext)};
    enum rekey_constraints worst = REKEY_CONSTRAINTS_KEPT;

    // RFC 5280 6.1.3 (b): not for a certificate that a CA issued to itself, unless it is the leaf.
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

// mbedTLS calls this for each certificate of the chain that it found, the leaf last. The extended
// key usage of issuers is checked, too, as other libraries do, although RFC 5280 has it only for
// leaves.
static int check(void *ctx, mbedtls_x509_crt *certificate, int depth, uint32_t *flags) {
    struct connection *t = ctx;

    t->chain[depth] = certificate;
    if (mbedtls_x509_crt_check_extended_key_usage(certificate, server_authentication.ptr,
                                                  server_authentication.len) != 0) {
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
        note(t, certificate, depth, 0); // for the text, in case the server does not have the key
    }
    return 0;
}

// Verifies the chain against `anchors`, which may be NULL; `check` verifies the host name. Returns
// 0 with *flags set, or an error of mbedTLS.
static int verify_with(struct connection *t, mbedtls_x509_crt *leaf, mbedtls_x509_crt *anchors,
                       uint32_t *flags) {
    int code;

    *flags = 0;
    code = mbedtls_x509_crt_verify_with_profile(
        leaf, anchors, NULL, &mbedtls_x509_crt_profile_default, NULL, flags, check, t);
    return code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED ? 0 : code;
}

// Looks up the anchors, verifies the chain, and frees the anchors.
static int verify(struct connection *t, mbedtls_x509_crt *leaf, uint32_t *flags) {
    int code = find_anchors(t, leaf);

    if (code == 0) {
        code = verify_with(t, leaf, t->found.raw.p != NULL ? &t->found : NULL, flags);
    }
    mbedtls_x509_crt_free(&t->found); // which also empties it
    return code;
}

// Records that the chain has more issuers than mbedTLS follows.
static void note_length(struct connection *t, const mbedtls_x509_crt *leaf) {
    struct fault *f = &t->fault;

    note(t, leaf, 0, CHAIN);
    f->what = "it has more than " ISSUERS_MAX " issuers "
              "(CPPFLAGS=-DMBEDTLS_X509_MAX_INTERMEDIATE_CA=... raises that); were sent: ";
    for (const mbedtls_x509_crt *each = leaf->next; each != NULL; each = each->next) {
        f->number++;
    }
}

// mbedTLS has verified the chain without anchors; that result is dropped. When mbedTLS calls this
// for the leaf, which is last, the whole chain is there: it is put in order and verified again with
// anchors, and the result is stored in *flags. If the owner of mbedTLS uses owner/tls_hooks.h, only
// this second verification is done.
int rekey_peer_check(void *ctx, mbedtls_x509_crt *certificate, int depth, uint32_t *flags) {
    struct connection *t = ctx;
    struct fault *f = &t->fault;
    int code;

    *flags = 0;
    if (depth > 0) {
        return 0;
    }
    put_in_order(certificate);
    code = verify(t, certificate, flags);
    if (code == 0 && (*flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0 &&
        is_anchor(t, certificate)) {
        mbedtls_x509_crt *rest = certificate->next;

        // The leaf is an anchor itself: verify it without its issuers.
        memset(t->chain, 0, sizeof(t->chain));
        f->flags = ALONE;
        certificate->next = NULL;
        code = verify_with(t, certificate, NULL, flags);
        certificate->next = rest;
        f->flags &= ~ALONE;
    }
    if (code == MBEDTLS_ERR_X509_FATAL_ERROR && f->flags == 0) {
        note_length(t, certificate);
    }
    if (code == 0 && *flags == 0) {
        t->proof = CHAIN_PROVED;
    }
    return code;
}
