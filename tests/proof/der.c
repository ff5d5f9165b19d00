// der.c - proofs about port/anchors/der.c: an element lies within the bytes from which it was
// taken, in a certificate of any length.

#include "../../port/anchors/der.c"

#include "span_contracts.h"

void take(void) {
    struct rekey_span text = any_text(SIZE_MAX >> 16), from = text;
    struct rekey_der element = {0, {NULL, 0}};

    if (rekey_der_read(&from, &element)) {
        PROVE(lies_in(element.value, text) && lies_in(from, text));
        PROVE(from.len < text.len && from.ptr == element.value.ptr + element.value.len);
        PROVE(from.ptr + from.len == text.ptr + text.len);
    } else {
        PROVE(from.ptr == text.ptr && from.len == text.len);
    }
    REACHED(element.value.len == 70000);
}

void subject(void) {
    struct rekey_span text = any_text(TEXT_MAX), subject = rekey_der_subject(text);

    PROVE(subject.len == 0 || (lies_in(subject, text) && subject.ptr[0] == REKEY_DER_SEQUENCE));
    REACHED(subject.len == 3);
}
