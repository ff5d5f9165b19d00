// pem.c - proofs about port/anchors/pem.c, for texts of any length, by induction: `byte` proves
// that one byte keeps the invariant below, from any state in which it is true.

#include "../../port/anchors/pem.c"

#include "span_contracts.h"

struct rekey_pem nondet_pem(void);

void *memchr(const void *text, int byte, size_t len) {
    size_t at = nondet_size();

    (void)byte;
    PROVE(len == 0 || __CPROVER_r_ok(text, len));
    return at < len ? (char *)text + at : NULL;
}

// Padding ends the group of four in which it begins.
static bool padding_holds(const struct rekey_pem *p) {
    return p->padding == 0 || (p->padding <= 2 && p->quantum == 0) ||
           (p->padding == 1 && p->quantum == 3);
}

static bool invariant(const struct rekey_pem *p) {
    return p->marked < sizeof(p->mark) && p->label[sizeof(p->label) - 1] == '\0' &&
           p->begun + (sizeof(BEGIN) - 1) + (sizeof(DASHES) - 1) <= sizeof(p->mark) &&
           p->quantum < 4 && padding_holds(p) &&
           (p->marked == 0 || (p->begun == 0 && may_be_marker(p)));
}

static void any_state(struct rekey_pem *p) {
    struct rekey_span buffer = any_text(SIZE_MAX >> 16);

    *p = nondet_pem();
    p->der = nondet_bool() ? NULL : (unsigned char *)buffer.ptr;
    p->cap = buffer.len;
    ASSUME(invariant(p));
    ASSUME(p->len < SIZE_MAX - 3); // no text has that many bytes
}

void init(void) {
    struct rekey_pem p;

    rekey_pem_init(&p, NULL, nondet_size());
    PROVE(invariant(&p));
}

void byte(void) {
    struct rekey_pem p;
    size_t before;
    enum rekey_pem_event event;

    any_state(&p);
    before = p.len;
    event = rekey_pem_push(&p, nondet_char());
    PROVE(invariant(&p));
    PROVE(event == REKEY_PEM_MORE || event == REKEY_PEM_BLOCK || event == REKEY_PEM_FAULTY);
    PROVE(event != REKEY_PEM_BLOCK ||
          (p.len > 0 && p.len <= p.cap && p.len == before && !p.inside));
    PROVE(event == REKEY_PEM_MORE || p.marked == 0);
    REACHED(event == REKEY_PEM_BLOCK && p.label[30] != '\0');
    REACHED(event == REKEY_PEM_FAULTY && p.begun == 31);
}

void take(void) {
    struct rekey_pem p;
    struct rekey_span text = any_text(8);
    size_t before, taken;

    any_state(&p);
    if (nondet_bool()) {
        rekey_pem_skip(&p);
    }
    before = p.len;
    taken = rekey_pem_push_many(&p, text.ptr, text.len);
    PROVE(taken <= text.len);
    PROVE(invariant(&p));
    PROVE(p.len == before || p.len <= p.cap);
    REACHED(p.len == before + 6);
}

void end(void) {
    struct rekey_pem p;
    enum rekey_pem_event event;

    any_state(&p);
    event = rekey_pem_end(&p);
    PROVE(event == REKEY_PEM_MORE || event == REKEY_PEM_FAULTY);
    (void)rekey_pem_is_certificate(&p);
    PROVE(invariant(&p));
}
