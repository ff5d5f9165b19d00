// test_der.c - elements of DER, the subject of a certificate, and the comparison of names.

#include "build_der.h"

static void test_take(void **state) {
    static const struct {
        const char *name;
        struct rekey_span text;
        int tag; // -1: there is no element
        const char *value;
        size_t rest;
    } rows[] = {
        {"short", BYTES("\x04\x02zz"), 4, "zz", 0},
        {"empty value", BYTES("\x05\x00more"), 5, "", 4},
        {"one is left", BYTES("\x30\x01z\x04"), 0x30, "z", 1},
        {"length of one byte", BYTES("\x04\x81\x02zz"), 4, "zz", 0},
        {"length of two bytes", BYTES("\x04\x82\x00\x02zz"), 4, "zz", 0},
        {"nothing", BYTES(""), -1, NULL, 0},
        {"no length", BYTES("\x04"), -1, NULL, 1},
        {"too long", BYTES("\x04\x03zz"), -1, NULL, 4},
        {"no end", BYTES("\x04\x80zz\0\0"), -1, NULL, 6},
        {"length is cut", BYTES("\x04\x82\x01"), -1, NULL, 3},
        {"length of five bytes", BYTES("\x04\x85\0\0\0\0\x01z"), -1, NULL, 8},
        {"length beyond all", BYTES("\x04\x84\xff\xff\xff\xffz"), -1, NULL, 7},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rekey_span from, value;
        struct rekey_der out = {0};

        row(rows[i].name);
        from = guarded_copy(rows[i].text);
        if (check_int(rekey_der_read(&from, &out), rows[i].tag >= 0) && rows[i].tag >= 0) {
            check_int(out.tag, rows[i].tag);
            check_span(out.value, text(rows[i].value));
        }
        check_int(from.len, rows[i].rest);
        from = guarded_copy(rows[i].text);
        check_int(rekey_der_read_tag(&from, 4, &value), rows[i].tag == 4);
        check_int(from.len, rows[i].tag == 4 ? rows[i].rest : rows[i].text.len);
    }
    rows_done();
}

static void test_names(void **state) {
    static const struct {
        const char *a, *b;
        bool same, within; // within: b begins with a
    } rows[] = {
        {"", "", true, true},
        {"/NpRoot", "/NpRoot", true, true},
        {"/NpRoot", "/NuRoot", true, true},
        {"/NuRoot", "/NpROOT", true, true},
        {"/Nproot", "/NpRoot", true, true},
        {"/CpUS/NpRoot", "/CuUS/Nuroot", true, true},
        {"/CpUS+NpRoot", "/CpUS+NuRoot", true, true},
        {"/NiRoot", "/NiRoot", true, true},
        {"/NtRoot", "/NtRoot", true, true},
        {"/NiRoot", "/Niroot", false, false}, // as mbedTLS: only those two kinds
        {"/NiRoot", "/NpRoot", false, false},
        {"/NtRoot", "/NuRoot", false, false},
        {"/NuStra\xc3\x9f"
         "e",
         "/NuSTRA\xc3\x9f"
         "E",
         true, true},
        {"/Nu\xc3\xa4", "/Nu\xc3\x84", false, false},
        {"/NpRoot", "/OpRoot", false, false},
        {"/NpRoot", "/NpRoots", false, false},
        {"/NpRoot", "/NpRoo", false, false},
        {"/NpA  B", "/NpA B", false, false}, // no folding of blanks
        {"/CpUS", "/CpUS/NpRoot", false, true},
        {"", "/CpUS", false, true},
        {"/CpUS/NpRoot", "/CpUS", false, false},
        {"/CpUS/NpRoot", "/NpRoot/CpUS", false, false},
        {"/CpUS+NpRoot", "/CpUS/NpRoot", false, false},
        {"/CpUS/NpRoot", "/CpUS+NpRoot", false, false},
        {"/CpUS+NpRoot", "/NpRoot+CpUS", false, false},
        {"/CpUS", "/CpUS+NpRoot", false, false},
        {"/CpUS+NpRoot", "/CpUS", false, false},
        {"/CpUS", "/CpDE/NpRoot", false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rekey_span a, b;

        row_n(rows[i].a, (long)i);
        built_len = 0;
        a = guarded_copy(name(rows[i].a));
        b = guarded_copy(name(rows[i].b));
        check_int(rekey_der_same_name(a, b), rows[i].same);
        check_int(rekey_der_same_name(b, a), rows[i].same);
        check_int(rekey_der_name_within(a, b), rows[i].within);
    }
    rows_done();
}

// Bytes behind a value, or another element in place of a Name, make two names unequal.
static void test_odd_names(void **state) {
    const struct rekey_span cn = BYTES("\x06\x03\x55\x04\x03");
    struct rekey_span value, plain, odd;

    (void)state;
    row("a byte behind the value");
    built_len = 0;
    value = element(0x0c, text("x"), none());
    plain = element(0x30, element(0x31, element(0x30, cn, value), none()), none());
    check(rekey_der_same_name(plain, name("/Nux")));
    value = element(0x0c, text("x"), none());
    odd = rekey_span(value.ptr, value.len + 1);
    built[built_len++] = 5;
    odd = element(0x30, element(0x31, element(0x30, cn, odd), none()), none());
    check(!rekey_der_same_name(plain, odd));
    check(!rekey_der_same_name(odd, plain));
    check(!rekey_der_name_within(odd, odd));
    row("a byte behind the attributes");
    value = element(0x0c, text("x"), none());
    odd = element(0x30, cn, value);
    odd = rekey_span(odd.ptr, odd.len + 1);
    built[built_len++] = 0x30;
    odd = element(0x30, element(0x31, odd, none()), none());
    check(!rekey_der_same_name(odd, plain));
    check(!rekey_der_same_name(plain, odd));
    row("a byte behind the components");
    value = element(0x0c, text("x"), none());
    odd = element(0x31, element(0x30, cn, value), none());
    odd = rekey_span(odd.ptr, odd.len + 1);
    built[built_len++] = 0x31;
    odd = element(0x30, odd, none());
    check(!rekey_der_same_name(odd, plain));
    check(!rekey_der_same_name(plain, odd));
    row("a SET");
    check(!rekey_der_same_name(element(0x31, none(), none()), name("")));
    check(!rekey_der_same_name(name(""), element(0x31, none(), none())));
    rows_done();
}

// Each byte of a name changed, and each end: never equal, never beyond the end.
static void test_damaged_names(void **state) {
    struct rekey_span good, copy;

    (void)state;
    row("cut off");
    built_len = 0;
    good = name("/CpUS/NuRoot+Opx");
    for (size_t n = 0; n < good.len; n++) {
        row_n("cut off at", (long)n);
        copy = guarded_copy(rekey_span(good.ptr, n));
        check(!rekey_der_same_name(copy, good));
        check(!rekey_der_same_name(good, copy));
    }
    for (size_t n = 0; n < good.len; n++) {
        row_n("changed at", (long)n);
        copy = guarded_copy(good);
        ((char *)copy.ptr)[n] ^= 0x40;
        check(!rekey_der_same_name(copy, good));
        check(!rekey_der_same_name(good, copy));
    }
    rows_done();
}

// A certificate up to its subject, with and without a version.
static struct rekey_span certificate(bool version, const char *subject, const char *behind) {
    const struct rekey_span empty = element(0x30, none(), none());
    struct rekey_span head =
        version ? element(0xa0, element(2, text("\x02"), none()), none()) : none();
    struct rekey_span inside = element(2, text("\x01"), none());

    inside = element(0, head, inside);
    inside = rekey_span(inside.ptr + 2, inside.len - 2);
    inside = element(0, inside, empty); // signature
    inside = element(0, rekey_span(inside.ptr + 2, inside.len - 2), name("/Npissuer"));
    inside = element(0, rekey_span(inside.ptr + 2, inside.len - 2), empty); // validity
    inside = element(0, rekey_span(inside.ptr + 2, inside.len - 2), name(subject));
    inside = element(0x30, rekey_span(inside.ptr + 2, inside.len - 2), text(behind));
    return element(0x30, inside, none());
}

static void test_subject(void **state) {
    static const struct {
        const char *name;
        bool version;
        const char *subject, *behind;
    } rows[] = {
        {"version 3", true, "/NpRoot", "key and more"},
        {"version 1", false, "/NpRoot", ""},
        {"empty", true, "", "x"},
        {"long", true, "/CpUS/Opan organization with a name/Npand a common name", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rekey_span whole, subject;

        row(rows[i].name);
        built_len = 0;
        whole = guarded_copy(certificate(rows[i].version, rows[i].subject, rows[i].behind));
        subject = rekey_der_subject(whole);
        check_span(subject, name(rows[i].subject));
    }
    built_len = 0;
    for (size_t n = 0; n <= 4; n++) {
        struct rekey_span whole = certificate(true, "/NpRoot", "key"), subject;

        row_n("of what is behind it, so much is cut off", (long)n);
        subject = rekey_der_subject(guarded_copy(rekey_span(whole.ptr, whole.len - n)));
        check_span(subject, n <= 3 ? name("/NpRoot") : rekey_span(NULL, 0));
        built_len = 0;
    }
    row("cut off");
    built_len = 0;
    for (size_t n = 0; n < 40; n++) {
        struct rekey_span whole = certificate(true, "/NpRoot", "x"), subject;

        row_n("cut off at", (long)n);
        subject = rekey_der_subject(guarded_copy(rekey_span(whole.ptr, n)));
        check(subject.ptr == NULL && subject.len == 0);
        built_len = 0;
    }
    for (size_t n = 0; n < 33; n++) { // the elements of the certificate up to its subject
        struct rekey_span whole = certificate(true, "/NpRoot", ""), subject;

        row_n("its content is cut off at", (long)n);
        whole = element(0x30, element(0x30, rekey_span(whole.ptr + 4, n), none()), none());
        subject = rekey_der_subject(guarded_copy(whole));
        check(subject.ptr == NULL && subject.len == 0);
        built_len = 0;
    }
    rows_done();
}

int main(void) {
    static const struct CMUnitTest tests[] = {UNIT(test_take), UNIT(test_names),
                                              UNIT(test_odd_names), UNIT(test_damaged_names),
                                              UNIT(test_subject)};

    return cmocka_run_group_tests_name("der", tests, NULL, rows_total);
}
