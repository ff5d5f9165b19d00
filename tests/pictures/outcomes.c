// outcomes.c - prints the outcome that src/rekey.c gives to each error in each phase of an
// operation. A line for each pair: the phase, the error's name ("" for success), the outcome, the
// exit code.

#include <stdio.h>

#include "rekey.c" // included because its outcome_of is private

int main(void) {
    static const struct rekey_read read;
    static const struct {
        const char *name;
        struct rekey client;
    } phases[] = {
        {"reading", {.read = &read}},           {"before", {.read = NULL}},
        {"renewing", {.renewing = true}},       {"sent", {.post_sent = true}},
        {"repeated", {.maybe_executed = true}}, {"polling", {.kind = REKEY_POLL_LOCATION}},
    };
    static const int errors[] = {0,
#define ERROR_VALUE(name, value, text) name,
                                 REKEY_ERRORS(ERROR_VALUE)};

    for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
        for (size_t n = 0; n < sizeof(errors) / sizeof(errors[0]); n++) {
            enum rekey_outcome outcome = outcome_of(&phases[i].client, errors[n]);

            printf("%s,%s,%d,%d\n", phases[i].name, rekey_error_name(errors[n]), (int)outcome,
                   rekey_exit_code(outcome));
        }
    }
    return 0;
}
