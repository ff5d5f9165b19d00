// check.c - the table of the checks, and the output for each.

#include "check.h"
#include "checks.h"

#include <stdio.h>

// What a check needs. If something is missing, the check is not applicable.
enum need {
    ANY = 0,
    IS_TLS = 1,
    TWO_LINES = 2,
    TWO_ADDRESSES = 4,
    HANGING = 8,
    A_WAIT = 16,
    A_CLOCK = 32,
    RANDOM = 64
};

static const struct row {
    const char *name;
    void (*check)(struct run *run);
    int needs;
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
    {"close-beside-lookup", check_close_beside_lookup, HANGING | TWO_LINES},
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
    {"no-clock", check_no_clock, IS_TLS | A_CLOCK},
    {"wrong-name", check_wrong_name, IS_TLS},
    {"expired", check_expired, IS_TLS},
    {"not-yet-valid", check_not_yet, IS_TLS},
    {"untrusted", check_untrusted, IS_TLS},
    {"impostor", check_impostor, IS_TLS},
    {"self-signed", check_self_signed, IS_TLS},
    {"no-authority", check_no_authority, IS_TLS},
    {"address", check_address, ANY},
    {"no-iPAddress", check_no_address, IS_TLS},
};

static const char *const sentences[] = {
#define SENTENCE_TEXT(name, text) text,
    SENTENCES(SENTENCE_TEXT)
#undef SENTENCE_TEXT
};

// NULL, or the reason why a check is not applicable.
static const char *lacks(const struct rekey_port_check *check, int needs) {
    const struct {
        enum need need;
        bool have;
        const char *text;
    } each[] = {
        {IS_TLS, check->is_tls, "not TLS"},
        {TWO_LINES, check->ports[1] != NULL, "no second connection"},
        {TWO_ADDRESSES, check->two != NULL, "no name with two addresses"},
        {HANGING, check->hanging != NULL, "no lookup that hangs"},
        {A_WAIT, check->ports[0]->wait != NULL, "no wait function"},
        {A_CLOCK, check->forget_clock != NULL, "no clock to forget"},
        {RANDOM, check->ports[0]->entropy != NULL, "no entropy function"},
    };

    for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
        if ((needs & (int)each[i].need) != 0 && !each[i].have) {
            return each[i].text;
        }
    }
    return NULL;
}

static void print(const struct rekey_port_check *check, const char *mark, const char *name,
                  const char *text) {
    char line[400];

    snprintf(line, sizeof(line), "%-8s %-20s %s\n", mark, name, text);
    check->print(check->print_ctx, line);
}

// Without the peer most checks would report the port as broken.
static bool has_peer(const struct rekey_port_check *check) {
    struct run run = {.check = check};
    struct line l = line_of(&run, 0);
    int result = connect_to(&l, check->host, PEER_FEW, LONG_MS);

    hang_up(&l);
    return result != REKEY_E_CONNECT;
}

int rekey_port_check(const struct rekey_port_check *check) {
    int faulty = 0;

    if (!has_peer(check)) {
        char line[400];

        snprintf(line, sizeof(line),
                 "no peer at %s:%u (is peer.py running, and is this the first port that it "
                 "printed?)\n",
                 check->host, (unsigned)check->first_port);
        check->print(check->print_ctx, line);
        return 1;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct run run = {.check = check};
        const char *missing = lacks(check, rows[i].needs);

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
