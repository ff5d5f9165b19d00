// fuzz_constraints.c - names and constraints in DER. The first two bytes say where the input is
// divided into the extensions of an issuer, and the subject and the extensions of a certificate.

#include "constraints.h"
#include "der.h"
#include "fuzz.h"

static void check_names(struct rekey_span a, struct rekey_span b) {
    const bool same = rekey_der_same_name(a, b);

    MUST(same == rekey_der_same_name(b, a));
    MUST(same == (rekey_der_name_within(a, b) && rekey_der_name_within(b, a)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rekey_certificate_names names;
    struct rekey_span issuer, rest, subject;
    enum rekey_constraints result;

    if (size < 2) {
        return 0;
    }
    rest = rekey_span((const char *)data + 2, size - 2);
    issuer = rekey_span(rest.ptr, data[0] < rest.len ? data[0] : rest.len);
    rest = rekey_span(rest.ptr + issuer.len, rest.len - issuer.len);
    names.subject = rekey_span(rest.ptr, data[1] < rest.len ? data[1] : rest.len);
    names.extensions = rekey_span(rest.ptr + names.subject.len, rest.len - names.subject.len);

    result = rekey_constraints_check(issuer, &names);
    MUST(result == REKEY_CONSTRAINTS_KEPT || result == REKEY_CONSTRAINTS_BROKEN ||
         result == REKEY_CONSTRAINTS_UNKNOWN);
    // A certificate cannot break the constraints of an issuer that has none.
    MUST(rekey_constraints_check(rekey_span(NULL, 0), &names) == REKEY_CONSTRAINTS_KEPT);
    if (rekey_constraints_host(names.extensions, "example.com") ||
        rekey_constraints_host(names.extensions, "127.0.0.1")) {
        MUST(rekey_constraints_has_alternative(names.extensions));
    }
    MUST(!rekey_constraints_host(names.extensions, "example.com") ||
         names.extensions.len > sizeof("*.com"));
    check_names(issuer, names.subject);
    check_names(names.subject, names.subject);
    subject = rekey_der_subject(rest);
    MUST(fuzz_inside(subject, rest));
    check_names(subject, names.subject);
    return 0;
}
