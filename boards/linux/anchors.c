// anchors.c - see anchors.h.

#include "anchors.h"

#include <errno.h>
#include <stdio.h>

#include "input.h"
#include "process.h"
#include "text.h"

static int find_given(struct rekey_pem_bundle *bundle, const char *file, struct fault *f) {
    char shown[512], why[128] = "it contains no PEM certificate";

    if (rekey_pem_bundle_usable(bundle)) {
        return 0;
    }
    if (errno != 0) {
        return input_fault(f, REKEY_NOT_TRUSTED, REKEY_E_NO_ANCHORS, "no trust anchors: --ca-file",
                           file, errno);
    }
    if (bundle->passed_over > 0) {
        snprintf(why, sizeof(why),
                 "it contains no usable PEM certificate (damaged, or longer than %d bytes: %u)",
                 REKEY_PEM_CERTIFICATE_MAX, bundle->passed_over);
    }
    return fault_set(f, REKEY_NOT_TRUSTED, REKEY_E_NO_ANCHORS,
                     "no trust anchors: --ca-file '%s': %s",
                     visible(rekey_span(file, strlen(file)), shown, sizeof(shown)), why);
}

int anchors_find(struct rekey_anchors *anchors, struct rekey_pem_bundle *bundle, const char *file,
                 uint64_t until, struct fault *f) {
    static const char *const places[] = {
        "/etc/ssl/certs/ca-certificates.crt", // Debian, Alpine, OpenWrt
        "/etc/pki/tls/certs/ca-bundle.crt",   // Fedora
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/cert.pem", // Alpine
        "/etc/ssl/ca-bundle.pem",
    };
    char tried[512] = "";
    size_t len = 0;

    if (file != NULL) {
        *anchors = rekey_pem_bundle(bundle, file);
        bundle->until = until;
        bundle->unblocked = &process.unblocked;
        return find_given(bundle, file, f);
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        *anchors = rekey_pem_bundle(bundle, places[i]);
        if (rekey_pem_bundle_usable(bundle)) {
            return 0;
        }
        len += (size_t)snprintf(tried + len, sizeof(tried) - len, " %s", places[i]);
    }
    return fault_set(
        f, REKEY_NOT_TRUSTED, REKEY_E_NO_ANCHORS,
        "no trust anchors: install ca-certificates, or give --ca-file FILE (SSL_CERT_FILE); "
        "tried%s",
        tried);
}
