// constraints.c - proofs about port/mbedtls/constraints.c, with der.c replaced by what
// tests/proof/der.c proves of it.

#include "../../port/mbedtls/constraints.c"

#include "span_contracts.h"

bool rekey_der_read(struct rekey_span *from, struct rekey_der *out) {
    size_t head = nondet_size(), len = nondet_size();

    PROVE(READABLE(*from));
    if (nondet_bool()) {
        return false;
    }
    ASSUME(head >= 2 && head <= from->len && len <= from->len - head);
    out->tag = (unsigned char)from->ptr[0];
    out->value = rekey_span(from->ptr + head, len);
    *from = rekey_span(from->ptr + head + len, from->len - head - len);
    return true;
}

bool rekey_der_read_tag(struct rekey_span *from, unsigned char tag, struct rekey_span *value) {
    struct rekey_span rest = *from;
    struct rekey_der element;

    if (!rekey_der_read(&rest, &element) || element.tag != tag) {
        return false;
    }
    *from = rest;
    *value = element.value;
    return true;
}

bool rekey_der_name_within(struct rekey_span base, struct rekey_span name) {
    PROVE(READABLE(base) && READABLE(name));
    return nondet_bool();
}

void *memchr(const void *block, int byte, size_t len) {
    const unsigned char *at = block;

    PROVE(__CPROVER_r_ok(block, len));
    for (size_t i = 0; i < len; i++) {
        if (at[i] == (unsigned char)byte) {
            return (void *)(at + i);
        }
    }
    return NULL;
}

// An address is within a subtree exactly if all bits of the mask agree.
void address(void) {
    struct rekey_span base = any_text(32), name = any_text(16);
    size_t at = nondet_size();
    bool inside = ip_within(base, name);

    PROVE(!inside || base.len == 2 * name.len);
    PROVE(!inside || at >= name.len ||
          (base.ptr[at] & base.ptr[name.len + at]) == (name.ptr[at] & base.ptr[name.len + at]));
    REACHED(inside && name.len == 16);
    REACHED(!inside && name.len == 4 && base.len == 8);
}

// A host name: a wildcard needs two labels after it, so that "*.com" matches nothing.
void host(void) {
    struct rekey_span name = any_text(TEXT_MAX), host = any_text(TEXT_MAX);
    size_t dots = 0;

    ASSUME(host.len > 0);
    for (size_t i = 0; i < TEXT_MAX; i++) {
        dots += i < name.len && name.ptr[i] == '.';
    }
    if (dns_matches(name, host)) {
        PROVE(name.len == host.len || (name.ptr[0] == '*' && dots >= 2 && host.ptr[0] != '.'));
    }
    (void)dns_within(name, host, nondet_bool());
    REACHED(dots == 1);
}

// One list of subtrees against one name: if there is a subtree of the name's kind, there is an
// answer.
void subtrees(void) {
    struct rekey_der name = {nondet_uchar(), any_text(TEXT_MAX)};
    struct rekey_span list = any_text(TEXT_MAX);
    enum rekey_constraints result = check_subtrees(list, &name, nondet_bool());

    PROVE(result == REKEY_CONSTRAINTS_KEPT || result == REKEY_CONSTRAINTS_BROKEN ||
          result == REKEY_CONSTRAINTS_UNKNOWN);
    PROVE(list.len > 0 || result == REKEY_CONSTRAINTS_KEPT);
    REACHED(result == REKEY_CONSTRAINTS_BROKEN);
}

// The extension to find, among others.
void extension(void) {
    struct rekey_span from = any_text(TEXT_MAX), all = from, value = {NULL, 0};

    if (next_extension(&from, name_constraints, &value)) {
        PROVE(lies_in(value, all) && lies_in(from, all) && from.len < all.len);
    }
    REACHED(value.len == 2);
}
