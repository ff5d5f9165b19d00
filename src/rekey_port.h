// rekey_port.h - what the core asks of the world: a transport, two clocks, randomness.
// A port implements these; nothing in src/ calls an operating system by any other way. The header
// lives with the core so that src/ looks at nothing above itself. port/template spells each duty
// out.

#ifndef REKEY_PORT_H
#define REKEY_PORT_H

#include "rekey_error.h"
#include "span.h"

#ifdef __cplusplus
extern "C" {
#endif

// What a call returns. Negative values are errors (rekey_error.h).
enum rekey_status {
    REKEY_DONE = 0,   // the call did what it was asked to
    REKEY_WANT_READ,  // nothing was done: call again when the transport can be read
    REKEY_WANT_WRITE, // nothing was done: call again when the transport can be written
    REKEY_WANT_TIME,  // nothing to do until time has passed (rekey_wait_ms)
    REKEY_AGAIN,      // progress was made and there is more to do: call again at once
    REKEY_END,        // read only: the peer ended the stream in an orderly way
};

// A byte stream to one host at a time. No call blocks, and each does a bounded amount of work.
// The same contract holds for TCP, for TLS (which is a transport over a transport), and for a
// test's script, so that they can be stacked.
//
// One rule for a loop: a call that returned REKEY_WANT_READ or REKEY_WANT_WRITE is repeated when
// the transport is ready for that, or when wait_ms has passed; one that returned REKEY_AGAIN at
// once. A call may also come earlier, and then does no harm. REKEY_WANT_READ is not returned while
// bytes that have come already are of use, here or in a transport below: the caller may be one that
// only the next byte wakes.
struct rekey_transport {
    void *ctx; // handed back as the first argument of each call

    // Starts a connection, or goes on with the one that is being made. The core calls it with the
    // same arguments until it returns REKEY_DONE or an error; after an error, or to give up, it
    // calls close. `host` is a name, or an IPv4 or IPv6 address without brackets. `timeout_ms` is
    // what the core will wait in all: a hint for sharing the time among several addresses.
    //
    // A TLS transport that returns REKEY_DONE has verified the peer's chain, its dates, and that
    // subjectAltName names `host`: a name by a dNSName, an address by an iPAddress (RFC 6125,
    // RFC 9110 4.3.4). It sends a name as SNI, an address never (RFC 6066 3). It may resume a
    // session of the same host and port; nothing depends on it.
    //
    // Which fault is which error. Where there are several, any of these is right:
    //   REKEY_E_CERT_ISSUER  no chain of valid signatures leads from the certificate to a trust
    //                        anchor: an unknown issuer, self-signed, a wrong signature
    //   REKEY_E_CERT_NAME    it has names, and none of them is the host
    //   REKEY_E_CERT_DATES   it, or one of its issuers, has expired or is not valid yet
    //   REKEY_E_CERT_OTHER   it is refused for any other reason: no name at all, a key that is
    //                        short, SHA-1, a key usage or name constraint that does not permit it,
    //                        a critical extension that is not known, malformed, or the server did
    //                        not prove that it has the private key
    //   REKEY_E_CLOCK        wall_s is negative, or earlier than when the program was built: the
    //                        clock was never set, and no date can be checked
    //   REKEY_E_NO_ANCHORS   there are no trust anchors
    //   REKEY_E_TLS          all else: an alert, no version or cipher suite in common, what is not
    //                        TLS. Where the stream below failed, its error comes up as it is
    //
    // Returns REKEY_DONE, REKEY_WANT_READ, REKEY_WANT_WRITE, REKEY_AGAIN, or an error of the groups
    // transport and trust, REKEY_E_LIMIT_ARENA or REKEY_E_ENTROPY.
    int (*open)(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms);

    // Takes up to `len` (> 0) bytes and stores in *done how many (> 0 with REKEY_DONE).
    // After REKEY_WANT_READ or REKEY_WANT_WRITE the core repeats the call with the same bytes and
    // length, as TLS needs. REKEY_DONE says that the layer below has these bytes: they go out
    // although no other call is made. The core flushes nothing.
    // After an error the core may still call read, because a server may answer, and refuse, what it
    // has read in part; but not write.
    // Returns REKEY_DONE, REKEY_WANT_READ, REKEY_WANT_WRITE, REKEY_E_IO, REKEY_E_TLS.
    int (*write)(void *ctx, const void *data, size_t len, size_t *done);

    // Stores up to `cap` (> 0) bytes and in *done how many (> 0 with REKEY_DONE).
    // What has come before the connection broke is delivered first, also after a failed write; then
    // the error.
    // REKEY_END is an orderly end and nothing else: FIN for TCP; for TLS a close_notify alert. A
    // TLS stream that ends without one is REKEY_E_END, because an attacker can cut it there.
    // Returns REKEY_DONE, REKEY_WANT_READ, REKEY_WANT_WRITE, REKEY_AGAIN, REKEY_END, REKEY_E_IO,
    // REKEY_E_END, REKEY_E_TLS.
    int (*read)(void *ctx, void *buf, size_t cap, size_t *done);

    // Ends the connection, or the attempt at one, at once. Calling it when nothing is open is
    // allowed. A TLS transport tries to send close_notify once, and waits for nothing; and it
    // zeroizes what it has decrypted, and what it would have encrypted, because keys and tokens are
    // among that.
    void (*close)(void *ctx);

    // The two below may be NULL. A transport that stacks on another one passes both on.

    // Milliseconds until the call that last returned REKEY_WANT_READ or REKEY_WANT_WRITE is to be
    // repeated although nothing has become ready, because another address is then tried, or a time
    // limit of the transport's own ends. UINT32_MAX where there is no such time. The core asks once
    // after each such call; rekey_wait_ms takes it into account.
    uint32_t (*wait_ms)(void *ctx);

    // Says in words why `error`, of open, write or read, came about, in buf[0..cap) (cap > 0) with
    // a NUL; an empty text where there is no more to say, as for an error that it has not returned.
    // Valid after close, too, until the next open. rekey_explain shows it.
    void (*explain)(void *ctx, int error, char *buf, size_t cap);
};

// What may be NULL: `wait`, all functions of `plain` together, and the last two of a transport. All
// else must be there: rekey_init looks.
struct rekey_port {
    struct rekey_transport tls; // an authenticated stream: the only one that a token goes over

    // TCP alone, for the managed identity services of this machine (credential.h). Zeroed where no
    // such credential is used. It may be the stream below `tls`: one of the two is open at a time.
    struct rekey_transport plain;

    void *ctx; // handed to the calls below

    // Milliseconds on a clock that never jumps and counts suspended time where one does
    // (CLOCK_BOOTTIME). Its zero is anywhere.
    uint64_t (*now_ms)(void *ctx);

    // Seconds since 1970 of the wall clock, or a negative number when it was never set. One that
    // may stand at the time of its making, as a clock without a battery, need not be told apart: a
    // TLS transport refuses a time before the build (REKEY_E_CLOCK).
    int64_t (*wall_s)(void *ctx);

    // Fills `buf` with randomness fit for keys. Returns REKEY_DONE or REKEY_E_ENTROPY; a port
    // without a source must return the error.
    int (*entropy)(void *ctx, void *buf, size_t len);

    // Sleeps until the transport is ready for `want` (REKEY_WANT_READ, REKEY_WANT_WRITE), or until
    // `ms` have passed, whichever comes first. Only rekey_run calls it; NULL where that is not
    // used.
    void (*wait)(void *ctx, int want, uint32_t ms);
};

#ifdef __cplusplus
}
#endif

#endif
