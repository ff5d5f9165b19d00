// fuzz_pem.c - PEM: whatever comes first, a valid block after it is found; a block has the same
// length with and without a buffer; and nothing is written beyond the buffer.

#include "fuzz.h"
#include "pem.h"

#define CAP 64
#define GOOD "\n-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char good[] = GOOD;
    unsigned char der[CAP + 1];
    struct rekey_pem pem, counts;
    enum rekey_pem_event event = REKEY_PEM_MORE;

    der[CAP] = 0x5a;
    rekey_pem_init(&pem, der, CAP);
    rekey_pem_init(&counts, NULL, SIZE_MAX);
    for (size_t i = 0; i < size + sizeof(good) - 1; i++) {
        const char c = i < size ? (char)data[i] : good[i - size];
        enum rekey_pem_event counted = rekey_pem_push(&counts, c);

        event = rekey_pem_push(&pem, c);
        MUST(der[CAP] == 0x5a);
        MUST(strlen(pem.label) < sizeof(pem.label));
        if (event == REKEY_PEM_BLOCK) {
            MUST(counted == REKEY_PEM_BLOCK && counts.len == pem.len && pem.len > 0 &&
                 pem.len <= CAP);
        } else if (counted == REKEY_PEM_BLOCK) {
            MUST(event == REKEY_PEM_FAULTY && counts.len > CAP);
        } else {
            MUST(event == counted);
        }
    }
    MUST(event == REKEY_PEM_BLOCK && pem.len == 5 && memcmp(der, "hello", 5) == 0);
    MUST(rekey_pem_is_certificate(&pem) && rekey_pem_end(&pem) == REKEY_PEM_MORE);
    return 0;
}
