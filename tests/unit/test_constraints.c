// test_constraints.c - constraints.h: the names that an issuer may certify, and the host that a
// certificate is for.

#include "build_der.h"
#include "constraints.h"

#define KEPT REKEY_CONSTRAINTS_KEPT
#define BROKEN REKEY_CONSTRAINTS_BROKEN
#define UNKNOWN REKEY_CONSTRAINTS_UNKNOWN

// Addresses in the rows are hexadecimal.
static struct rekey_span unhex(struct rekey_span digits) {
    static char bytes[64];

    for (size_t i = 0; i < digits.len / 2; i++) {
        bytes[i] = (char)(rekey_hex_value(digits.ptr[2 * i]) * 16 +
                          rekey_hex_value(digits.ptr[2 * i + 1]));
    }
    return rekey_span(bytes, digits.len / 2);
}

// A GeneralName: d for a host name, i for an address, m for a mail address, u for a URI, n for a
// directory name, r for a registered id; then a colon and the value.
static struct rekey_span general_name(struct rekey_span spec) {
    const struct rekey_span value = rekey_span(spec.ptr + 2, spec.len - 2);
    char directory[100] = "";

    switch (spec.ptr[0]) {
    case 'd':
        return element(0x82, value, none());
    case 'i':
        return element(0x87, unhex(value), none());
    case 'm':
        return element(0x81, value, none());
    case 'u':
        return element(0x86, value, none());
    case 'n':
        memcpy(directory, value.ptr, value.len);
        return element(0xa4, name(directory), none());
    default:
        return element(0x88, value, none());
    }
}

// A list without tag and length: GeneralNames, or subtrees with each of them.
static struct rekey_span list_of(const char *spec, bool subtrees) {
    static char list[1024];
    size_t len = 0;

    for (;;) {
        struct rekey_span one;

        spec += strspn(spec, " ");
        if (*spec == '\0' || *spec == ';') {
            return rekey_span(list, len);
        }
        one = general_name(part(&spec, " ;"));
        if (subtrees) {
            one = element(0x30, one, none());
        }
        assert_true(len + one.len <= sizeof(list));
        memcpy(list + len, one.ptr, one.len);
        len += one.len;
    }
}

static struct rekey_span extension(const char *oid, bool critical, struct rekey_span value) {
    const struct rekey_span flag = critical ? element(1, text("\xff"), none()) : none();
    struct rekey_span inside = element(0, flag, element(4, value, none()));

    inside = rekey_span(inside.ptr + (inside.len >= 132 ? 4 : 2),
                        inside.len - (inside.len >= 132 ? 4 : 2));
    return element(0x30, element(6, text(oid), none()), inside);
}

// Extensions with a nameConstraints: the permitted, then ';', then the excluded.
static struct rekey_span constraints(const char *spec, bool critical) {
    const char *semicolon = strchr(spec, ';');
    struct rekey_span permitted = none(), excluded = none();

    if (semicolon != spec && *spec != '\0') {
        permitted = element(0xa0, list_of(spec, true), none());
    }
    if (semicolon != NULL) {
        excluded = element(0xa1, list_of(semicolon + 1, true), none());
    }
    return element(0x30, extension("\x55\x1d\x0f", true, element(3, text("\x01\x06"), none())),
                   extension("\x55\x1d\x1e", critical, element(0x30, permitted, excluded)));
}

// Extensions with a subjectAltName behind another one.
static struct rekey_span alternatives(const char *spec) {
    const struct rekey_span other =
        extension("\x55\x1d\x0e", false, element(4, text("id"), none()));

    return element(0x30, other,
                   extension("\x55\x1d\x11", false, element(0x30, list_of(spec, false), none())));
}

static const struct {
    const char *name, *constraints, *subject, *names;
    enum rekey_constraints expected;
} rows[] = {
    {"no subtrees", "", "/Npx", "d:example.com", KEPT},
    {"permitted: the name", "d:example.com", "", "d:example.com", KEPT},
    {"permitted: below", "d:example.com", "", "d:a.b.example.com", KEPT},
    {"permitted: another case", "d:Example.COM", "", "d:a.exAmple.com", KEPT},
    {"permitted: another name", "d:example.com", "", "d:example.org", BROKEN},
    {"permitted: no label border", "d:example.com", "", "d:anexample.com", BROKEN},
    {"permitted: above", "d:www.example.com", "", "d:example.com", BROKEN},
    {"permitted: with a dot, below", "d:.example.com", "", "d:a.example.com", KEPT},
    {"permitted: with a dot, itself", "d:.example.com", "", "d:example.com", BROKEN},
    {"permitted: all", "d:", "", "d:example.com", KEPT},
    {"permitted: one of two", "d:example.org d:example.com", "", "d:example.com", KEPT},
    {"permitted: the first of two", "d:example.com d:example.org", "", "d:example.com", KEPT},
    {"excluded: the first of two", ";d:example.com d:example.org", "", "d:example.com", BROKEN},
    {"permitted: one name of two", "d:example.com", "", "d:example.com d:example.org", BROKEN},
    {"permitted: one name of two, first", "d:example.com", "", "d:example.org d:example.com",
     BROKEN},
    {"permitted: wildcard below", "d:example.com", "", "d:*.example.com", KEPT},
    {"permitted: wildcard above", "d:www.example.com", "", "d:*.example.com", BROKEN},
    {"permitted: address only", "d:example.com", "", "i:7f000001", KEPT},
    {"permitted: no name at all", "d:example.com", "/Npexample.org", "", KEPT},
    {"excluded: the name", ";d:example.com", "", "d:example.com", BROKEN},
    {"excluded: below", ";d:example.com", "", "d:a.example.com", BROKEN},
    {"excluded: another case", ";d:EXAMPLE.com", "", "d:a.example.com", BROKEN},
    {"excluded: another name", ";d:example.com", "", "d:example.org", KEPT},
    {"excluded: no label border", ";d:example.com", "", "d:anexample.com", KEPT},
    {"excluded: above", ";d:www.example.com", "", "d:example.com", KEPT},
    {"excluded: all", ";d:", "", "d:example.com", BROKEN},
    {"excluded: what a wildcard may be", ";d:www.example.com", "", "d:*.example.com", BROKEN},
    {"excluded: no wildcard may be", ";d:a.b.example.com", "", "d:*.example.com", KEPT},
    {"excluded: a wildcard's parent", ";d:example.com", "", "d:*.example.com", BROKEN},
    {"excluded: the shortest wildcard", ";d:a.c", "", "d:*.c", BROKEN},
    {"excluded: a wildcard of nothing", ";d:com", "", "d:*.", KEPT},
    {"excluded: another parent", ";d:www.example.org", "", "d:*.example.com", KEPT},
    {"excluded: one of two", ";d:example.org d:example.com", "", "d:example.com", BROKEN},
    {"excluded: the second name", ";d:example.com", "", "d:example.org d:example.com", BROKEN},
    {"permitted, but excluded", "d:example.com;d:a.example.com", "", "d:a.example.com", BROKEN},
    {"permitted, not excluded", "d:example.com;d:a.example.com", "", "d:b.example.com", KEPT},
    {"neither permitted nor excluded", "d:example.com;d:a.example.com", "", "d:example.org",
     BROKEN},

    {"address: permitted", "i:7f000000ff000000", "", "i:7f000001", KEPT},
    {"address: not permitted", "i:0a000000ff000000", "", "i:7f000001", BROKEN},
    {"address: one bit beside", "i:7f000000fffffffe", "", "i:7f000002", BROKEN},
    {"address: one bit within", "i:7f000000fffffffe", "", "i:7f000001", KEPT},
    {"address: all", "i:0000000000000000", "", "i:7f000001", KEPT},
    {"address: bits outside the mask", "i:7f0000ffffff0000", "", "i:7f000001", KEPT},
    {"address: excluded", ";i:7f000000ff000000", "", "i:7f000001", BROKEN},
    {"address: not excluded", ";i:0a000000ff000000", "", "i:7f000001", KEPT},
    {"address: name only", "i:0a000000ff000000", "", "d:example.com", KEPT},
    {"address: IPv6 for IPv4", "i:0000000000000000", "", "i:00000000000000000000000000000001",
     BROKEN},
    {"address: IPv6", "i:fd000000000000000000000000000000ff000000000000000000000000000000", "",
     "i:fd000000000000000000000000000001", KEPT},
    {"address: another IPv6", "i:fd000000000000000000000000000000ff000000000000000000000000000000",
     "", "i:fe800000000000000000000000000001", BROKEN},
    {"address: excluded IPv6, IPv4",
     ";i:fd000000000000000000000000000000ff000000000000000000000000000000", "", "i:7f000001", KEPT},
    {"address: mask is missing", "i:7f000000", "", "i:7f000001", UNKNOWN},
    {"address: mask is missing, another name", "i:7f000000", "", "d:example.com", UNKNOWN},
    {"address of the name is too long", ";i:7f000000ff000000", "", "i:7f00000100", KEPT},

    {"directory: permitted", "n:/CpUS", "/CpUS/Npx", "d:a.example", KEPT},
    {"directory: itself", "n:/CpUS/Npx", "/CpUS/Nux", "d:a.example", KEPT},
    {"directory: not permitted", "n:/CpUS", "/CpDE/Npx", "d:a.example", BROKEN},
    {"directory: no subject", "n:/CpUS", "", "d:a.example", KEPT},
    {"directory: excluded", ";n:/CpUS", "/CpUS/Npx", "d:a.example", BROKEN},
    {"directory: not excluded", ";n:/CpUS", "/CpDE", "d:a.example", KEPT},
    {"directory: an alternative name", "n:/CpUS", "/CpUS", "n:/CpDE", BROKEN},
    {"directory: a good alternative name", "n:/CpUS", "/CpUS", "n:/CpUS/Npx", KEPT},

    {"mail: none", "m:example.com", "/Npx", "d:a.example", KEPT},
    {"mail: in the subject", "m:example.com", "/Eia@example.com", "d:a.example", UNKNOWN},
    {"mail: an alternative name", ";m:example.com", "", "d:a.example m:a@example.com", UNKNOWN},
    {"mail: another attribute of PKCS #9", "m:example.com", "/Uia@example.com", "d:a.example",
     KEPT},
    {"mail in the subject, no constraint", "d:a.example", "/Eia@example.com", "d:a.example", KEPT},
    {"URI: none", "u:.example.com", "", "d:a.example", KEPT},
    {"URI: an alternative name", "u:.example.com", "", "u:https://a.example.com/", UNKNOWN},
    {"URI, no constraint", "d:a.example", "", "d:a.example u:https://b.example/", KEPT},
    {"registered id", ";r:x", "", "d:a.example r:x", UNKNOWN},
};

static void test_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int critical = 0; critical < 2; critical++) {
            struct rekey_certificate_names names;
            struct rekey_span issuer;

            row(rows[i].name);
            built_len = 0;
            issuer = guarded_copy(constraints(rows[i].constraints, critical == 1));
            names.subject = guarded_copy(name(rows[i].subject));
            names.extensions = guarded_copy(alternatives(rows[i].names));
            check_int(rekey_constraints_check(issuer, &names), rows[i].expected);
        }
    }
    rows_done();
}

// The extension as bytes, and what of it cannot be evaluated for a host name.
static void test_malformed(void **state) {
    static const struct {
        const char *name;
        struct rekey_span value;
        enum rekey_constraints expected;
    } values[] = {
        {"empty sequence", BYTES("\x30\x00"), KEPT},
        {"no sequence", BYTES("\x04\x00"), UNKNOWN},
        {"nothing", BYTES(""), UNKNOWN},
        {"longer than it is", BYTES("\x30\x05\xa0\x00"), UNKNOWN},
        {"another tag", BYTES("\x30\x02\xa2\x00"), UNKNOWN},
        {"a byte", BYTES("\x30\x01\xa0"), UNKNOWN},
        {"an empty list", BYTES("\x30\x02\xa0\x00"), KEPT},
        {"a list of a byte", BYTES("\x30\x03\xa0\x01\x30"), UNKNOWN},
        {"a subtree that is none", BYTES("\x30\x04\xa0\x02\x04\x00"), UNKNOWN},
        {"a subtree without a base", BYTES("\x30\x04\xa0\x02\x30\x00"), UNKNOWN},
        {"a base that is no GeneralName", BYTES("\x30\x06\xa0\x04\x30\x02\x89\x00"), UNKNOWN},
        {"a base that is cut off", BYTES("\x30\x06\xa0\x04\x30\x02\x82\x05"), UNKNOWN},
        {"a minimum",
         BYTES("\x30\x0a\xa0\x08\x30\x06\x82\x01"
               "e\x80\x01\x00"),
         UNKNOWN},
        {"a byte behind the base",
         BYTES("\x30\x08\xa0\x06\x30\x04\x82\x01"
               "e\x80"),
         UNKNOWN},
        {"good, then none",
         BYTES("\x30\x09\xa0\x07\x30\x03\x82\x01"
               "e\x04\x00"),
         UNKNOWN},
        {"permitted, excluded, another", BYTES("\x30\x06\xa0\x00\xa1\x00\xa2\x00"), UNKNOWN},
        {"twice permitted",
         BYTES("\x30\x0e\xa0\x05\x30\x03\x82\x01"
               "e\xa0\x05\x30\x03\x82\x01"
               "f"),
         BROKEN},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        struct rekey_certificate_names names;
        struct rekey_span issuer;

        row(values[i].name);
        built_len = 0;
        issuer =
            guarded_copy(element(0x30, extension("\x55\x1d\x1e", false, values[i].value), none()));
        names.subject = name("");
        names.extensions = alternatives("d:a.e");
        check_int(rekey_constraints_check(issuer, &names), values[i].expected);
    }
    row("names that are cut off");
    built_len = 0;
    {
        struct rekey_certificate_names names = {name(""), none()};

        names.extensions = element(0x30,
                                   extension("\x55\x1d\x11", false,
                                             text("\x30\x05\x82\x01"
                                                  "e\x82\x09")),
                                   none());
        check_int(rekey_constraints_check(constraints("d:e", false), &names), UNKNOWN);
    }
    row("a name of a byte");
    {
        struct rekey_certificate_names names = {name(""), none()};

        names.extensions =
            element(0x30, extension("\x55\x1d\x11", false, text("\x30\x01\x82")), none());
        check_int(rekey_constraints_check(constraints("d:e", false), &names), UNKNOWN);
        check(rekey_constraints_has_alternative(names.extensions));
    }
    row("a subject that is no Name");
    {
        struct rekey_certificate_names names = {BYTES("\x30\x01\x31"), none()};

        check_int(rekey_constraints_check(constraints("n:/CpUS", false), &names), BROKEN);
    }
    row("no extensions");
    {
        struct rekey_certificate_names names = {name("/Npx"), none()};

        check_int(rekey_constraints_check(none(), &names), KEPT);
        check_int(rekey_constraints_check(constraints("d:e", false), &names), KEPT);
        check_int(rekey_constraints_check(constraints("n:/CpUS", false), &names), BROKEN);
    }
    row("two of them");
    {
        struct rekey_certificate_names names = {name(""), alternatives("d:a.e")};
        struct rekey_span two =
            element(0,
                    extension("\x55\x1d\x1e", false,
                              element(0x30, element(0xa0, list_of("d:e", true), none()), none())),
                    extension("\x55\x1d\x1e", true,
                              element(0x30, element(0xa0, list_of("d:f", true), none()), none())));

        check_int(rekey_constraints_check(
                      element(0x30, rekey_span(two.ptr + 2, two.len - 2), none()), &names),
                  BROKEN);
    }
    rows_done();
}

// Each tag that the base of a subtree can have: those of GeneralName have no effect on a name of
// another kind.
static void test_kinds(void **state) {
    static const unsigned char kinds[] = {0xa0, 0x81, 0x82, 0xa3, 0xa4, 0xa5, 0x86, 0x87};
    static const char address[8] = {0};

    (void)state;
    for (unsigned tag = 0; tag < 256; tag++) {
        struct rekey_certificate_names names = {BYTES("\x30\x00"), none()};
        struct rekey_span value;

        row_n("tag", (long)tag);
        built_len = 0;
        names.extensions = alternatives("r:x");
        value = element(0x30, element(tag, rekey_span(address, 8), none()), none());
        value = element(0x30, element(0xa0, value, none()), none());
        value = element(0x30, extension("\x55\x1d\x1e", true, value), none());
        check_int(rekey_constraints_check(value, &names),
                  memchr(kinds, (int)tag, sizeof(kinds)) != NULL ? KEPT : UNKNOWN);
    }
    rows_done();
}

static void test_hosts(void **state) {
    static const struct {
        const char *names, *host;
        bool matches;
    } hosts[] = {
        {"d:example.com", "example.com", true},
        {"d:EXAMPLE.com", "example.COM", true},
        {"d:example.org d:example.com", "example.com", true},
        {"d:example.com", "www.example.com", false},
        {"d:www.example.com", "example.com", false},
        {"d:*.example.com", "www.example.com", true},
        {"d:*.EXAMPLE.com", "www.example.com", true},
        {"d:*.example.com", "example.com", false},
        {"d:*.example.com", "a.b.example.com", false},
        {"d:*.example.com", ".example.com", false},
        {"d:*.com", "example.com", false},
        {"d:*.example.c", "www.example.c", true},
        {"d:*.", "example.", false},
        {"d:*", "localhost", false},
        {"d:*.localhost", "a.localhost", false},
        {"d:w*.example.com", "www.example.com", false},
        {"d:www.*.com", "www.example.com", false},
        {"d:**.example.com", "www.example.com", false},
        {"d:*.example.com.", "www.example.com", false},
        {"d:localhost", "localhost", true},
        {"i:7f000001", "127.0.0.1", true},
        {"i:7f000002", "127.0.0.1", false},
        {"d:a.example i:7f000001", "127.0.0.1", true},
        {"d:127.0.0.1", "127.0.0.1", false},
        {"d:*.0.0.1", "127.0.0.1", false},
        {"u:127.0.0.1", "127.0.0.1", false},
        {"u:example.com", "example.com", false},
        {"m:example.com", "example.com", false},
        {"i:00000000000000000000000000000001", "::1", true},
        {"i:00000000000000000000000000000001", "0:0::0:1", true},
        {"i:00000000000000000000000000000002", "::1", false},
        {"i:00000001", "::1", false},
        {"i:6578616d706c652e636f6d", "example.com", false}, // "example.com"
        {"", "example.com", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++) {
        struct rekey_span extensions;

        row_n(hosts[i].names, (long)i);
        built_len = 0;
        extensions = guarded_copy(alternatives(hosts[i].names));
        check_int(rekey_constraints_host(extensions, hosts[i].host), hosts[i].matches);
        check_int(rekey_constraints_has_alternative(extensions), hosts[i].names[0] != '\0');
    }
    row("no extensions");
    check(!rekey_constraints_has_alternative(none()));
    check(!rekey_constraints_host(none(), "example.com"));
    rows_done();
}

static void test_oid(void **state) {
    (void)state;
    row("2.5.29.30");
    check(rekey_constraints_is_name_constraints(text("\x55\x1d\x1e")));
    check(!rekey_constraints_is_name_constraints(text("\x55\x1d\x24")));
    check(!rekey_constraints_is_name_constraints(text("\x55\x1d")));
    rows_done();
}

int main(void) {
    static const struct CMUnitTest tests[] = {UNIT(test_rows), UNIT(test_malformed),
                                              UNIT(test_kinds), UNIT(test_hosts), UNIT(test_oid)};

    return cmocka_run_group_tests_name("constraints", tests, NULL, rows_total);
}
