// sentences.h - the sentences of src/rekey_port.h that a check can find broken, word for word.
// run.py compares them with that header.

#ifndef SENTENCES_H
#define SENTENCES_H

// clang-format off
#define SENTENCES(X) \
    X(STREAM, "A byte stream to one host at a time.") \
    X(BLOCKS, "No call blocks, and each does a bounded amount of work.") \
    X(WANT_READ, "nothing was done: call again when the transport can be read") \
    X(WANT_WRITE, "nothing was done: call again when the transport can be written") \
    X(AGAIN, "progress was made and there is more to do: call again at once") \
    X(OPEN, "Starts a connection, or goes on with the one that is being made.") \
    X(OPEN_RESULT, "Returns REKEY_DONE, REKEY_WANT_READ, REKEY_WANT_WRITE, REKEY_AGAIN, or an error of the groups transport and trust, REKEY_E_LIMIT_ARENA or REKEY_E_ENTROPY.") \
    X(SHARE, "`timeout_ms` is what the core will wait in all: a hint for sharing the time among several addresses.") \
    X(VERIFIED, "A TLS transport that returns REKEY_DONE has verified the peer's chain, its dates, and that subjectAltName names `host`: a name by a dNSName, an address by an iPAddress (RFC 6125, RFC 9110 4.3.4).") \
    X(WRITE, "Takes up to `len` (> 0) bytes and stores in *done how many (> 0 with REKEY_DONE).") \
    X(WRITE_RESULT, "Returns REKEY_DONE, REKEY_WANT_READ, REKEY_WANT_WRITE, REKEY_E_IO, REKEY_E_TLS.") \
    X(READ, "Stores up to `cap` (> 0) bytes and in *done how many (> 0 with REKEY_DONE).") \
    X(READ_RESULT, "Returns REKEY_DONE, REKEY_WANT_READ, REKEY_WANT_WRITE, REKEY_AGAIN, REKEY_END, REKEY_E_IO, REKEY_E_END, REKEY_E_TLS.") \
    X(END, "REKEY_END is an orderly end and nothing else: FIN for TCP; for TLS a close_notify alert.") \
    X(CUT, "A TLS stream that ends without one is REKEY_E_END, because an attacker can cut it there.") \
    X(CLOSE, "Ends the connection, or the attempt at one, at once.") \
    X(CLOSE_NOTHING, "Calling it when nothing is open is allowed.") \
    X(WAIT_MS, "Milliseconds until the call that last returned REKEY_WANT_READ or REKEY_WANT_WRITE is to be repeated although nothing has become ready, because another address is then tried, or a time limit of the transport's own ends.") \
    X(EXPLAIN, "Says in words why `error`, of open, write or read, came about, in buf[0..cap) (cap > 0) with a NUL;") \
    X(EXPLAIN_CLOSED, "Valid after close, too, until the next open.") \
    X(NOW, "Milliseconds on a clock that never jumps and counts suspended time where one does (CLOCK_BOOTTIME).") \
    X(ENTROPY, "Fills `buf` with randomness fit for keys.") \
    X(WAIT, "Sleeps until the transport is ready for `want` (REKEY_WANT_READ, REKEY_WANT_WRITE), or until `ms` have passed, whichever comes first.") \
    X(FLUSH, "REKEY_DONE says that the layer below has these bytes: they go out although no other call is made.") \
    X(DELIVER, "What has come before the connection broke is delivered first, also after a failed write; then the error.") \
    X(NOTIFY, "A TLS transport tries to send close_notify once, and waits for nothing; and it zeroizes what it has decrypted, and what it would have encrypted, because keys and tokens are among that.") \
    X(ADDRESS, "`host` is a name, or an IPv4 or IPv6 address without brackets.") \
    X(FAULT_ISSUER, "REKEY_E_CERT_ISSUER no chain of valid signatures leads from the certificate to a trust anchor: an unknown issuer, self-signed, a wrong signature") \
    X(FAULT_NAME, "REKEY_E_CERT_NAME it has names, and none of them is the host") \
    X(FAULT_DATES, "REKEY_E_CERT_DATES it, or one of its issuers, has expired or is not valid yet") \
    X(FAULT_OTHER, "Which fault is which error. Where there are several, any of these is right:") \
    X(FAULT_TLS, "REKEY_E_TLS all else: an alert, no version or cipher suite in common, what is not TLS.") \
    X(CLOCK, "REKEY_E_CLOCK wall_s is negative, or earlier than when the program was built: the clock was never set, and no date can be checked")
// clang-format on

enum sentence {
#define SENTENCE_ENUM(name, text) SAYS_##name,
    SENTENCES(SENTENCE_ENUM)
#undef SENTENCE_ENUM
        SENTENCE_COUNT
};

#endif
