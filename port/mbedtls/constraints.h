// constraints.h - checks the names in certificates: the names that an issuer may certify (RFC 5280
// 4.2.1.10), and the names that a server's certificate is for (RFC 9525). mbedTLS does not check
// the former, and is lenient with the latter.

#ifndef REKEY_CONSTRAINTS_H
#define REKEY_CONSTRAINTS_H

#include "span.h"

enum rekey_constraints {
    REKEY_CONSTRAINTS_KEPT,
    REKEY_CONSTRAINTS_BROKEN,
    REKEY_CONSTRAINTS_UNKNOWN // a constraint cannot be evaluated
};

// The parts of a certificate that contain names for the constraints.
struct rekey_certificate_names {
    struct rekey_span subject;    // a Name
    struct rekey_span extensions; // SEQUENCE OF Extension; empty if there are none
};

// Whether an issuer with these extensions may certify these names. Constraints of the kinds
// dNSName, iPAddress and directoryName are evaluated. A constraint of another kind (a mail address,
// a URI) gives REKEY_CONSTRAINTS_UNKNOWN if the certificate has a name of that kind, and otherwise
// has no effect.
enum rekey_constraints rekey_constraints_check(struct rekey_span issuer_extensions,
                                               const struct rekey_certificate_names *names);

// Whether `oid`, the value of an extension's OID, is that of the name constraints.
bool rekey_constraints_is_name_constraints(struct rekey_span oid);

// Whether the extensions contain a subjectAltName.
bool rekey_constraints_has_alternative(struct rekey_span extensions);

// Whether the subjectAltName contains `host`, a NUL-terminated host name or IP address: an address
// only as iPAddress, a name only as dNSName. "*." at the start of a dNSName matches one label, and
// two or more labels must follow it.
bool rekey_constraints_host(struct rekey_span extensions, const char *host);

#endif
