// constraints.c - evaluates name constraints and host names in the DER of the extensions.

#include "constraints.h"

#include <mbedtls/x509.h>

#include "der.h"

// The tags of a GeneralName (RFC 5280 4.2.1.6).
enum { MAIL = 0x81, DNS = 0x82, DIRECTORY = 0xa4, IP = 0x87 };

static const struct rekey_span alternative_name = {"\x55\x1d\x11", 3}; // 2.5.29.17
static const struct rekey_span name_constraints = {"\x55\x1d\x1e", 3}; // 2.5.29.30

bool rekey_constraints_is_name_constraints(struct rekey_span oid) {
    return rekey_span_equal(oid, name_constraints);
}

// Reads extensions from *from up to one with the id `oid`, and stores the content of its octet
// string in *value. Returns false at the end, or at a malformed extension, which mbedTLS has
// refused before.
static bool next_extension(struct rekey_span *from, struct rekey_span oid,
                           struct rekey_span *value) {
    struct rekey_span extension, id;
    struct rekey_der critical;

    while (rekey_der_read_tag(from, REKEY_DER_SEQUENCE, &extension) &&
           rekey_der_read_tag(&extension, REKEY_DER_OID, &id)) {
        if (!rekey_span_equal(id, oid)) {
            continue;
        }
        if (rekey_der_read_tag(&extension, REKEY_DER_OCTETS, value)) {
            return true;
        }
        return rekey_der_read(&extension, &critical) &&
               rekey_der_read_tag(&extension, REKEY_DER_OCTETS, value);
    }
    return false;
}

// The GeneralNames of the subjectAltName; empty if there is none.
static struct rekey_span alternatives(struct rekey_span extensions) {
    struct rekey_span value, names = {NULL, 0};

    if (rekey_der_read_tag(&extensions, REKEY_DER_SEQUENCE, &extensions) &&
        next_extension(&extensions, alternative_name, &value)) {
        rekey_der_read_tag(&value, REKEY_DER_SEQUENCE, &names);
    }
    return names;
}

// Whether `text` ends with `end`; the case of ASCII letters is ignored.
static bool ends_with(struct rekey_span text, struct rekey_span end) {
    return text.len >= end.len &&
           rekey_span_equal_nocase(rekey_span(text.ptr + (text.len - end.len), end.len), end);
}

// `text` without its first label and the dot behind it; empty if there is no dot.
static struct rekey_span parent_of(struct rekey_span text) {
    const char *dot = memchr(text.ptr, '.', text.len);

    return dot != NULL ? rekey_span(dot + 1, text.len - (size_t)(dot + 1 - text.ptr))
                       : rekey_span(text.ptr, 0);
}

// Whether a dNSName is the base or a subdomain of it. A base that begins with a dot is not in RFC
// 5280 but in certificates; it matches subdomains only. A wildcard is excluded if it could match an
// excluded name, and permitted only if everything that it matches is permitted.
static bool dns_within(struct rekey_span base, struct rekey_span name, bool excluded) {
    if (ends_with(name, base) && (name.len == base.len || base.len == 0 || base.ptr[0] == '.' ||
                                  name.ptr[name.len - base.len - 1] == '.')) {
        return true;
    }
    return excluded && name.len > 2 && name.ptr[0] == '*' &&
           rekey_span_equal_nocase(parent_of(name), parent_of(base));
}

// Whether an address is in `base`, an address followed by a mask of the same length.
static bool ip_within(struct rekey_span base, struct rekey_span name) {
    if (base.len != 2 * name.len) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (((base.ptr[i] ^ name.ptr[i]) & base.ptr[name.len + i]) != 0) {
            return false;
        }
    }
    return true;
}

// Whether the name is inside the base of a subtree; both have the same tag.
static bool within(const struct rekey_der *base, const struct rekey_der *name, bool excluded) {
    switch (base->tag) {
    case DNS:
        return dns_within(base->value, name->value, excluded);
    case IP:
        return ip_within(base->value, name->value);
    default:
        return rekey_der_name_within(base->value, name->value);
    }
}

// Whether a base is a GeneralName (RFC 5280 4.2.1.6). The base of an address has 4 or 16 bytes, and
// a mask of the same length.
static bool is_valid(const struct rekey_der *base) {
    switch (base->tag) {
    case 0xa0: // otherName
    case MAIL:
    case DNS:
    case 0xa3: // x400Address
    case DIRECTORY:
    case 0xa5: // ediPartyName
    case 0x86: // uniformResourceIdentifier
    case 0x88: // registeredID
        return true;
    case IP:
        return base->value.len == 8 || base->value.len == 32;
    default:
        return false;
    }
}

// Whether this kind of base can be evaluated.
static bool is_known(const struct rekey_der *base) {
    return base->tag == DNS || base->tag == DIRECTORY || base->tag == IP;
}

// Applies one list of subtrees to one name.
static enum rekey_constraints check_subtrees(struct rekey_span subtrees,
                                             const struct rekey_der *name, bool excluded) {
    bool applies = false, inside = false;
    struct rekey_span subtree;
    struct rekey_der base;

    while (subtrees.len > 0) {
        // A minimum or maximum after the base is not used with these kinds of name (RFC 5280
        // 4.2.1.10).
        if (!rekey_der_read_tag(&subtrees, REKEY_DER_SEQUENCE, &subtree) ||
            !rekey_der_read(&subtree, &base) || subtree.len > 0 || !is_valid(&base)) {
            return REKEY_CONSTRAINTS_UNKNOWN;
        }
        if (base.tag != name->tag) {
            continue;
        }
        if (!is_known(&base)) {
            return REKEY_CONSTRAINTS_UNKNOWN;
        }
        applies = true;
        inside |= within(&base, name, excluded);
    }
    return applies && inside == excluded ? REKEY_CONSTRAINTS_BROKEN : REKEY_CONSTRAINTS_KEPT;
}

// Applies a nameConstraints extension to one name.
static enum rekey_constraints check_name(struct rekey_span constraints,
                                         const struct rekey_der *name) {
    enum rekey_constraints worst = REKEY_CONSTRAINTS_KEPT, result;
    struct rekey_der list;

    if (!rekey_der_read_tag(&constraints, REKEY_DER_SEQUENCE, &constraints)) {
        return REKEY_CONSTRAINTS_UNKNOWN;
    }
    while (constraints.len > 0) {
        if (!rekey_der_read(&constraints, &list) || (list.tag != 0xa0 && list.tag != 0xa1)) {
            return REKEY_CONSTRAINTS_UNKNOWN;
        }
        result = check_subtrees(list.value, name, list.tag == 0xa1);
        worst = result > worst ? result : worst;
    }
    return worst;
}

// Whether a Name has an emailAddress (1.2.840.113549.1.9.1), to which constraints of mail addresses
// apply, too.
static bool has_mail(struct rekey_span name) {
    static const char oid[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01";

    for (size_t i = 0; i + sizeof(oid) - 1 <= name.len; i++) {
        if (memcmp(name.ptr + i, oid, sizeof(oid) - 1) == 0) {
            return true;
        }
    }
    return false;
}

// Applies a nameConstraints extension to all names of a certificate.
static enum rekey_constraints check_names(struct rekey_span constraints,
                                          const struct rekey_certificate_names *names) {
    struct rekey_span rest = alternatives(names->extensions);
    struct rekey_der name = {DIRECTORY, names->subject};
    enum rekey_constraints result = REKEY_CONSTRAINTS_KEPT;

    if (names->subject.len > 2) { // an empty Name is not a name
        result = check_name(constraints, &name);
    }
    if (result == REKEY_CONSTRAINTS_KEPT && has_mail(names->subject)) {
        name = (struct rekey_der){.tag = MAIL};
        result = check_name(constraints, &name);
    }
    while (result == REKEY_CONSTRAINTS_KEPT && rest.len > 0) {
        result = rekey_der_read(&rest, &name) ? check_name(constraints, &name)
                                              : REKEY_CONSTRAINTS_UNKNOWN;
    }
    return result;
}

enum rekey_constraints rekey_constraints_check(struct rekey_span issuer_extensions,
                                               const struct rekey_certificate_names *names) {
    enum rekey_constraints result = REKEY_CONSTRAINTS_KEPT;
    struct rekey_span rest = {NULL, 0}, constraints;

    rekey_der_read_tag(&issuer_extensions, REKEY_DER_SEQUENCE, &rest);
    while (result == REKEY_CONSTRAINTS_KEPT &&
           next_extension(&rest, name_constraints, &constraints)) {
        result = check_names(constraints, names);
    }
    return result;
}

bool rekey_constraints_has_alternative(struct rekey_span extensions) {
    return alternatives(extensions).len > 0;
}

static bool dns_matches(struct rekey_span name, struct rekey_span host) {
    struct rekey_span rest;

    if (rekey_span_equal_nocase(name, host)) {
        return true;
    }
    if (name.len < 2 || name.ptr[0] != '*' || name.ptr[1] != '.') {
        return false;
    }
    rest = parent_of(name);
    return parent_of(rest).len > 0 && host.ptr[0] != '.' &&
           rekey_span_equal_nocase(rest, parent_of(host));
}

bool rekey_constraints_host(struct rekey_span extensions, const char *host) {
    struct rekey_span rest = alternatives(extensions);
    char address[16];
    const size_t address_len = mbedtls_x509_crt_parse_cn_inet_pton(host, address);
    struct rekey_der name;

    while (rekey_der_read(&rest, &name)) {
        if (address_len > 0
                ? name.tag == IP && rekey_span_equal(name.value, rekey_span(address, address_len))
                : name.tag == DNS && dns_matches(name.value, rekey_span(host, strlen(host)))) {
            return true;
        }
    }
    return false;
}
