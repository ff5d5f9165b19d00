// operation_file.c - proofs about boards/linux/operation_file.c: how a line of an operation file or
// of a rotation's state is taken.

#include "../../boards/linux/operation_file.c"

#include "span_contracts.h"

void *memchr(const void *block, int byte, size_t len) {
    const unsigned char *at = block;

    PROVE(len == 0 || __CPROVER_r_ok(block, len));
    for (size_t i = 0; i < len; i++) {
        if (at[i] == (unsigned char)byte) {
            return (void *)(at + i);
        }
    }
    return NULL;
}

// A line that is accepted is complete: the name, a space, the value and a line end, with no line
// end before that.
void line(void) {
    struct rekey_span text = any_text(TEXT_MAX), rest = text, value = {NULL, 0};
    char name[9];
    size_t name_len = nondet_size(), at = nondet_size();

    ASSUME(name_len <= 8);
    for (size_t i = 0; i < 8; i++) {
        name[i] = nondet_char();
        ASSUME(i >= name_len || (name[i] != '\0' && name[i] != '\n'));
    }
    name[name_len] = '\0';
    if (read_line(&rest, name, &value)) {
        PROVE(lies_in(value, text) && value.ptr == text.ptr + name_len + 1);
        PROVE(text.ptr[name_len] == ' ' && value.ptr[value.len] == '\n');
        PROVE(at >= name_len || text.ptr[at] == name[at]);
        PROVE(at >= value.len || value.ptr[at] != '\n');
        PROVE(rest.ptr == value.ptr + value.len + 1 && rest.ptr + rest.len == text.ptr + text.len);
    } else {
        PROVE(rest.ptr == text.ptr && rest.len == text.len);
    }
    REACHED(value.len == TEXT_MAX - 10);
}
