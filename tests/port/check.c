// check.c - the table of the checks, and what is printed of each.

#include "check.h"
#include "checks.h"

#include <stdio.h>

// What a check needs; where it is not there, the check is not applicable.
enum need {
    ANY,
    IS_TLS,
    IS_PLAIN,
    TWO_LINES,
    TWO_ADDRESSES,
    HANGING,
    HANGING_AND_TWO,
    A_WAIT,
    RANDOM
};

static const struct row {
    const char *name;
    void (*check)(struct run *run);
    enum need need;
} rows[] = {
    {"clock", check_clock, ANY},
    {"entropy", check_entropy, RANDOM},
    {"wait", check_wait, A_WAIT},
    {"open", check_open, ANY},
    {"refused", check_refused, ANY},
    {"reset-at-once", check_reset_at_once, ANY},
    {"no-answer", check_hole, ANY},
    {"no-lookup", check_hanging_lookup, HANGING},
    {"no-handshake", check_silent, IS_TLS},
    {"second-address", check_second_address, TWO_ADDRESSES},
    {"close-anywhere", check_close_anywhere, ANY},
    {"close-is-seen", check_close_is_seen, ANY},
    {"close-beside-lookup", check_close_beside_lookup, HANGING_AND_TWO},
    {"echo", check_echo, ANY},
    {"one-byte-at-a-time", check_trickle, ANY},
    {"large-read", check_large_read, ANY},
    {"large-write", check_large_write, ANY},
    {"close-blocked", check_close_blocked, ANY},
    {"written-is-sent", check_flush, TWO_LINES},
    {"idle", check_idle, A_WAIT},
    {"two-at-once", check_two, TWO_LINES},
    {"end", check_end, ANY},
    {"end-without-fin", check_notify, IS_TLS},
    {"cut", check_cut, IS_TLS},
    {"cut-record", check_half, IS_TLS},
    {"reset-after-data", check_reset_after, ANY},
    {"answer-while-writing", check_answer, ANY},
    {"garbage", check_garbage, IS_TLS},
    {"changed-record", check_changed, IS_TLS},
    {"plaintext", check_plaintext, IS_TLS},
    {"wrong-name", check_wrong_name, IS_TLS},
    {"expired", check_expired, IS_TLS},
    {"not-yet-valid", check_not_yet, IS_TLS},
    {"untrusted", check_untrusted, IS_TLS},
    {"impostor", check_impostor, IS_TLS},
    {"self-signed", check_self_signed, IS_TLS},
    {"address", check_address, ANY},
    {"no-iPAddress", check_no_address, IS_TLS},
};

static const char *const sentences[] = {
#define SENTENCE_TEXT(name, text) text,
    SENTENCES(SENTENCE_TEXT)
#undef SENTENCE_TEXT
};

// NULL, or why a check is not applicable.
static const char *lacks(const struct rekey_port_check *check, enum need need) {
    switch (need) {
    case IS_TLS:
        return check->is_tls ? NULL : "not TLS";
    case IS_PLAIN:
        return check->is_tls ? "TLS" : NULL;
    case TWO_LINES:
        return check->ports[1] != NULL ? NULL : "no second connection";
    case TWO_ADDRESSES:
        return check->two != NULL ? NULL : "no name with two addresses";
    case HANGING_AND_TWO:
        if (check->ports[1] == NULL) {
            return "no second connection";
        }
        return check->hanging != NULL ? NULL : "no lookup that hangs";
    case HANGING:
        return check->hanging != NULL ? NULL : "no lookup that hangs";
    case A_WAIT:
        return check->ports[0]->wait != NULL ? NULL : "no wait function";
    case RANDOM:
        return check->ports[0]->entropy != NULL ? NULL : "no entropy function";
    default:
        return NULL;
    }
}

static void print(const struct rekey_port_check *check, const char *mark, const char *name,
                  const char *text) {
    char line[400];

    snprintf(line, sizeof(line), "%-8s %-20s %s\n", mark, name, text);
    check->print(check->print_ctx, line);
}

int rekey_port_check(const struct rekey_port_check *check) {
    int faulty = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct run run = {.check = check};
        const char *missing = lacks(check, rows[i].need);

        if (missing != NULL) {
            print(check, "-", rows[i].name, missing);
            continue;
        }
        print(check, "checking", rows[i].name, "");
        rows[i].check(&run);
        print(check, run.count == 0 ? "passed" : "BROKEN", rows[i].name, "");
        for (size_t j = 0; j < run.count; j++) {
            print(check, "", "sentence", sentences[run.places[j].sentence]);
            print(check, "", "because", run.places[j].where);
        }
        faulty += run.count > 0;
    }
    return faulty;
}
