// rekey_port.h - the functions that the core needs from its platform: a transport, two clocks,
// randomness. A port implements them; nothing in src/ calls an operating system in any other way.
// The header is in src/ so that the core includes nothing from outside of src/. port/template is a
// skeleton to start from.

#ifndef REKEY_PORT_H
#define REKEY_PORT_H

#include "rekey_error.h"
#include "span.h"

#ifdef __cplusplus
extern "C" {
#endif

// The results of a call. Negative values are errors (rekey_error.h).
enum rekey_status {
    REKEY_DONE = 0,   // the call is complete
    REKEY_WANT_READ,  // nothing was done: call again when the transport can be read
    REKEY_WANT_WRITE, // nothing was done: call again when the transport can be written
    REKEY_WANT_TIME,  // nothing to do before rekey_wait_ms has passed
    REKEY_AGAIN,      // progress was made and there is more to do: call again at once
    REKEY_END,        // read only: the peer ended the stream in an orderly way
};

// A byte stream to one host at a time. No call blocks, and each does a bounded amount of work. TCP,
// TLS (a transport over a transport) and the scripts of the tests all keep the same contract, so
// that they can be stacked.
//
// The rule for a loop: after REKEY_WANT_READ or REKEY_WANT_WRITE the call is repeated when the
// transport is ready for that, or when wait_ms has passed; after REKEY_AGAIN it is repeated at
// once. Repeating it earlier does no harm. A call must not return REKEY_WANT_READ while it can
// still use bytes that have already arrived, here or in a transport below, because the caller may
// sleep until the next byte arrives.
struct rekey_transport {
    void *ctx; // the first argument of each call

    // Starts a connection, or continues the one that is being made. The core calls it with the same
    // arguments until it returns REKEY_DONE or an error; after an error, or to give up, the core
    // calls close. `host` is a name, or an IPv4 or IPv6 address without brackets. `timeout_ms` is
    // the time that the core will wait in total: a hint for sharing the time among several
    // addresses.
    //
    // A TLS transport that returns REKEY_DONE has verified the peer's chain, its dates, and that
    // subjectAltName names `host`: a name by a dNSName, an address by an iPAddress (RFC 6125, RFC
    // 9110 4.3.4). It sends a name as SNI, but never an address (RFC 6066 3). It may resume a
    // session of the same host and port; nothing depends on that.
    //
    // The error for each fault. If there are several faults, any of their errors is right:
    //   REKEY_E_CERT_ISSUER  no chain of valid signatures leads from the certificate to a trust
    //                        anchor: an unknown issuer, self-signed, a wrong signature
    //   REKEY_E_CERT_NAME    the certificate has names, and none of them is the host
    //   REKEY_E_CERT_DATES   the certificate, or one of its issuers, has expired or is not yet
    //                        valid
    //   REKEY_E_CERT_OTHER   any other reason to refuse the certificate: no name at all, a short
    //                        key, SHA-1, a key usage or name constraint that does not permit it, an
    //                        unknown critical extension, a malformed certificate, or a server that
    //                        did not prove that it has the private key
    //   REKEY_E_CLOCK        wall_s is negative, or earlier than the build of the program: the
    //                        clock was never set, and no date can be checked
    //   REKEY_E_NO_ANCHORS   there are no trust anchors
    //   REKEY_E_TLS          any other fault: an alert, no common version or cipher suite, bytes
    //                        that are not TLS. If the transport below failed, its error is returned
    //                        unchanged
    //
    // Returns REKEY_DONE, REKEY_WANT_READ, REKEY_WANT_WRITE, REKEY_AGAIN, or an error of the groups
    // transport and trust, REKEY_E_LIMIT_ARENA or REKEY_E_ENTROPY.
    int (*open)(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms);

    // Accepts up to `len` (> 0) bytes and stores in *done how many (> 0 with REKEY_DONE). After
    // REKEY_WANT_READ or REKEY_WANT_WRITE the core repeats the call with the same bytes and length,
    // as TLS needs. REKEY_DONE means that the layer below has these bytes, and sends them even if
    // no other call is made: the core has no call that flushes. After an error the core does not
    // call write again. It may still call read, because a server may refuse a request after it has
    // read only a part of it. Returns REKEY_DONE, REKEY_WANT_READ, REKEY_WANT_WRITE, REKEY_E_IO or
    // REKEY_E_TLS.
    int (*write)(void *ctx, const void *data, size_t len, size_t *done);

    // Stores up to `cap` (> 0) bytes and in *done how many (> 0 with REKEY_DONE). Bytes that
    // arrived before the connection broke are delivered first, also after a failed write; then the
    // error.
    // REKEY_END is an orderly end and nothing else: FIN for TCP; for TLS a close_notify alert. A
    // TLS stream that ends without close_notify is REKEY_E_END, because an attacker may have cut
    // it.
    // Returns REKEY_DONE, REKEY_WANT_READ, REKEY_WANT_WRITE, REKEY_AGAIN, REKEY_END, REKEY_E_IO,
    // REKEY_E_END, REKEY_E_TLS.
    int (*read)(void *ctx, void *buf, size_t cap, size_t *done);

    // Ends the connection, or the attempt to connect, at once. Calling it when nothing is open is
    // allowed. A TLS transport tries once to send close_notify, without waiting. It zeroizes the
    // bytes that it has decrypted and the bytes that it was to encrypt, because they contain keys
    // and tokens.
    void (*close)(void *ctx);

    // The two functions below may be NULL. A transport over another one passes both calls on.

    // Milliseconds after which the call that last returned REKEY_WANT_READ or REKEY_WANT_WRITE must
    // be repeated even if the transport is not ready, because the transport then tries another
    // address, or one of its own time limits ends. UINT32_MAX if there is no such time. The core
    // asks once after each such call; rekey_wait_ms takes it into account.
    uint32_t (*wait_ms)(void *ctx);

    // Stores a text in buf[0..cap) (cap > 0), with a NUL, that says why open, write or read
    // returned `error`; an empty text if there is no more to say, or if they did not return
    // `error`. It can be called until the next open, also after close. rekey_explain uses it.
    void (*explain)(void *ctx, int error, char *buf, size_t cap);
};

// Only these may be NULL: `wait`, all functions of `plain` together, and the last two functions of
// a transport. rekey_init checks this.
struct rekey_port {
    struct rekey_transport tls; // an authenticated stream; bearer tokens are sent only over it

    // TCP without TLS, for the managed identity services of this machine (credential.h). Zero it if
    // no such credential is used. `plain` may be the transport below `tls`: only one of the two is
    // open at a time.
    struct rekey_transport plain;

    void *ctx; // the first argument of the functions below

    // Milliseconds on a clock that never jumps and, if the platform can, counts suspended time
    // (CLOCK_BOOTTIME). It must not wrap during the life of the device.
    uint64_t (*now_ms)(void *ctx);

    // The wall clock in seconds since 1970, or a negative number if it was never set. A clock that
    // restarts at some time in the past, such as one without a battery, needs no special treatment:
    // a TLS transport refuses a time before the build (REKEY_E_CLOCK).
    int64_t (*wall_s)(void *ctx);

    // Fills `buf` with random bytes that are good enough for keys. Returns REKEY_DONE or
    // REKEY_E_ENTROPY; a port without a source of randomness must return the error.
    int (*entropy)(void *ctx, void *buf, size_t len);

    // Sleeps until the transport is ready for `want` (REKEY_WANT_READ, REKEY_WANT_WRITE), or until
    // `ms` have passed, whichever comes first. Only rekey_run calls this function; NULL if
    // rekey_run is not used.
    void (*wait)(void *ctx, int want, uint32_t ms);
};

#ifdef __cplusplus
}
#endif

#endif
