// connection.h - the state of one connection that tls.c, peer.c and peer_fault.c share. It is
// stored in the bytes of struct rekey_tls.

#ifndef REKEY_MBEDTLS_CONNECTION_H
#define REKEY_MBEDTLS_CONNECTION_H

#include "library.h"
#include "tls.h"

// Faults for which mbedTLS has no flag.
#define NO_NAME (1u << 20)         // a leaf without subjectAltName
#define NOT_PERMITTED (1u << 21)   // name constraints of an issuer are broken
#define NOT_EVALUATED (1u << 22)   // ... or cannot be evaluated
#define UNUSABLE (1u << 23)        // the leaf cannot be parsed
#define UNUSABLE_ISSUER (1u << 24) // an issuer that was sent, or a trust anchor, cannot be parsed
#define MESSAGE (1u << 25)         // the message with the certificates is malformed, or too long
#define NO_PROOF (1u << 26)        // the server's signature is wrong
#define CHAIN (1u << 27)           // there are too many issuers
#define ALONE (1u << 31)           // not a fault: the leaf is a trust anchor itself

#define TEXT_OF(macro) TEXT(macro)
#define TEXT(value) #value
#define ISSUERS_MAX TEXT_OF(MBEDTLS_X509_MAX_INTERMEDIATE_CA)

// Why the peer was not trusted, with data of the certificate that was at fault.
struct fault {
    uint32_t flags;   // MBEDTLS_X509_BADCERT_..., and the flags above
    const char *what; // what is wrong with the certificate, in words; or NULL
    unsigned number;  // a number that belongs to `what`
    char issuer[112];
    unsigned char sha256[32]; // of that certificate
    mbedtls_x509_time from, to;
    int64_t clock; // the device's clock at the check, in seconds since 1970
};

// How far the server has proved its identity: nothing; its chain was verified in this handshake
// state; the proof of its key comes in the next state; both are done.
enum proof { NOTHING_PROVED, CHAIN_PROVED, KEY_NEXT, KEY_PROVED };

struct connection {
    struct rekey_transport lower;
    const struct rekey_port *port;
    struct rekey_anchors anchors;
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
    mbedtls_x509_crt found;      // anchors, while a chain is verified; otherwise empty
    mbedtls_ssl_session session; // if have_session: for `keep`, or for `host` and `tcp_port`
    int64_t session_s;           // when the session was saved, by the wall clock
    char host[254];
    uint16_t tcp_port;
    uint8_t phase, proof;
    bool lower_waits; // the transport below returned REKEY_WANT_READ in this call
    bool set_up, have_session;
    bool keeps;       // the session of this connection is to be kept
    bool exhausted;   // an allocation has failed on this connection
    bool ended;       // the transport below has ended
    size_t needed;    // the memory with which that allocation would have succeeded; or 0
    int lower_error;  // the last error of the transport below, of the anchors or of entropy; or 0
    int code;         // the last error of mbedTLS, also of an earlier connection; or 0
    const char *said; // the meaning of that error, in words; or ""
    struct fault fault;
    // While a chain is verified (peer.c): its certificates from the leaf to the anchor; and the
    // subject of a certificate that cannot be parsed, with the reason.
    const mbedtls_x509_crt *chain[MBEDTLS_X509_MAX_INTERMEDIATE_CA + 2];
    struct rekey_span unusable;
    const char *unusable_why;
};

#endif
