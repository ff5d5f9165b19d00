// constraints.h - what a certificate says about names: those that an issuer may certify (RFC 5280
// 4.2.1.10), and those that a server's certificate is for (RFC 9525). mbedTLS does not look at the
// former, and is lenient with the latter.

#ifndef REKEY_CONSTRAINTS_H
#define REKEY_CONSTRAINTS_H

#include "span.h"

enum rekey_constraints {
    REKEY_CONSTRAINTS_KEPT,
    REKEY_CONSTRAINTS_BROKEN,
    REKEY_CONSTRAINTS_UNKNOWN // there is a rule that cannot be evaluated
};

// The names of a certificate that constraints are applied to.
struct rekey_certificate_names {
    struct rekey_span subject;    // a Name
    struct rekey_span extensions; // SEQUENCE OF Extension; empty if there are none
};

// Whether an issuer with these extensions may certify these names. dNSName, iPAddress and
// directoryName are evaluated. A constraint of another kind (a mail address, a URI) is unknown if
// the certificate has a name of that kind, and has no effect if it has none.
enum rekey_constraints rekey_constraints_check(struct rekey_span issuer_extensions,
                                               const struct rekey_certificate_names *names);

// Whether the extension is one that these functions understand, by the value of its OID.
bool rekey_constraints_is_name_constraints(struct rekey_span oid);

// Whether there is a subjectAltName.
bool rekey_constraints_has_alternative(struct rekey_span extensions);

// Whether the subjectAltName has `host`, a NUL-terminated host name or IP address: an address only
// as iPAddress, a name only as dNSName. "*." stands for one label, before two or more others.
bool rekey_constraints_host(struct rekey_span extensions, const char *host);

#endif
