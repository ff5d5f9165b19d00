// der.h - reads elements of DER (X.690) without parsing a whole certificate, and compares names
// (RFC 5280 7.1). Used for trust anchors and name constraints.

#ifndef REKEY_DER_H
#define REKEY_DER_H

#include "span.h"

enum {
    REKEY_DER_INTEGER = 0x02,
    REKEY_DER_BITS = 0x03,
    REKEY_DER_OCTETS = 0x04,
    REKEY_DER_OID = 0x06,
    REKEY_DER_UTF8 = 0x0c,
    REKEY_DER_PRINTABLE = 0x13,
    REKEY_DER_SEQUENCE = 0x30,
    REKEY_DER_SET = 0x31,
    REKEY_DER_VERSION = 0xa0 // [0] of a certificate
};

struct rekey_der {
    unsigned char tag;
    struct rekey_span value;
};

// Stores the first element of *from in *out, and moves *from behind it. Returns false if there is
// no element, or if it is longer than *from; *from is then unchanged.
bool rekey_der_read(struct rekey_span *from, struct rekey_der *out);

// The same for an element with the tag `tag`. Returns false if the element has another tag.
bool rekey_der_read_tag(struct rekey_span *from, unsigned char tag, struct rekey_span *value);

// The subject of a certificate: a whole Name, with tag and length. The certificate may be cut off
// behind the subject. Empty if the certificate is malformed before that.
struct rekey_span rekey_der_subject(struct rekey_span certificate);

// Whether two Names are equal, compared as in mbedTLS: a PrintableString can equal a UTF8String,
// and in both the case of ASCII letters is ignored.
bool rekey_der_same_name(struct rekey_span a, struct rekey_span b);

// Whether `name` begins with all components of `base`, so that it is in that subtree of a
// directory.
bool rekey_der_name_within(struct rekey_span base, struct rekey_span name);

#endif
