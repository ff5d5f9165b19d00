// anchors.c - for each bundle given: prints a line with the anchors that rekey finds in it, each by
// the SHA-256 of its DER, and the number of certificates that were skipped. test_trust.py compares
// the anchors with those that OpenSSL finds.

#include <stdio.h>

#include "pem_bundle.h"
#include "sha256.h"

static int print(void *arg, struct rekey_span der) {
    unsigned char sha256[32];

    (void)arg;
    rekey_sha256(der, sha256);
    for (size_t i = 0; i < sizeof(sha256); i++) {
        printf("%02x", sha256[i]);
    }
    putchar(' ');
    return 0;
}

int main(int argc, char **argv) {
    static struct rekey_pem_bundle bundle;

    for (int i = 1; i < argc; i++) {
        const struct rekey_anchors anchors = rekey_pem_bundle(&bundle, argv[i]);

        if (anchors.find(anchors.ctx, rekey_span(NULL, 0), print, NULL) != 0) {
            return 1;
        }
        printf("passed over: %u\n", bundle.passed_over);
    }
    return 0;
}
