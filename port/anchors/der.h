// der.h - what trust anchors and name constraints take from DER (X.690) without parsing a whole
// certificate, and the comparison of names (RFC 5280 7.1).

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

// Takes the first element of *from into *out, and moves *from behind it. False if there is none, or
// it does not fit; *from then is as it was.
bool rekey_der_take(struct rekey_span *from, struct rekey_der *out);

// The same, and whether it has that tag.
bool rekey_der_take_tag(struct rekey_span *from, unsigned char tag, struct rekey_span *value);

// The subject of a certificate: a whole Name, with tag and length. The certificate may be cut off
// behind it. Empty if it is malformed before that.
struct rekey_span rekey_der_subject(struct rekey_span certificate);

// Whether two Names are equal as mbedTLS compares them: a PrintableString equals a UTF8String, and
// in these two ASCII letters of either case are equal.
bool rekey_der_same_name(struct rekey_span a, struct rekey_span b);

// Whether `name` begins with all of `base`: it is in that subtree of a directory.
bool rekey_der_name_within(struct rekey_span base, struct rekey_span name);

#endif
