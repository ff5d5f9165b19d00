// sentences.h - the sentences of src/rekey_port.h that the checks test, word for word. run.py
// compares them with that header.

#ifndef SENTENCES_H
#define SENTENCES_H

// clang-format off
#define SENTENCES(X) \
    X(STREAM, "A byte stream to one host at a time.") \
    X(BLOCKS, "No call blocks, and each does a bounded amount of work.") \
    X(WANT_READ, "nothing was done: call again when the transport can be read") \
    X(WANT_WRITE, "nothing was done: call again when the transport can be written") \
    X(AGAIN, "progress was made and there is more to do: call again at once") \
    X(OPEN, "Starts a connection, or continues the one that is being made.") \
    X(OPEN_RESULT, "Returns REKEY_DONE, REKEY_WANT_READ, REKEY_WANT_WRITE, REKEY_AGAIN, or an error of the groups transport and trust, REKEY_E_LIMIT_ARENA or REKEY_E_ENTROPY.") \
    X(SHARE, "`timeout_ms` is the time that the core will wait in total: a hint for sharing the time among several addresses.") \
    X(VERIFIED, "A TLS transport that returns REKEY_DONE has verified the peer's chain, its dates, and that subjectAltName names `host`: a name by a dNSName, an address by an iPAddress (RFC 6125, RFC 9110 4.3.4).") \
    X(WRITE, "Accepts up to `len` (> 0) bytes and stores in *done how many (> 0 with REKEY_DONE).") \
    X(WRITE_RESULT, "Returns REKEY_DONE, REKEY_WANT_READ, REKEY_WANT_WRITE, REKEY_E_IO or REKEY_E_TLS.") \
    X(READ, "Stores up to `cap` (> 0) bytes and in *done how many (> 0 with REKEY_DONE).") \
    X(READ_RESULT, "Returns REKEY_DONE, REKEY_WANT_READ, REKEY_WANT_WRITE, REKEY_AGAIN, REKEY_END, REKEY_E_IO, REKEY_E_END, REKEY_E_TLS.") \
    X(END, "REKEY_END is an orderly end and nothing else: FIN for TCP; for TLS a close_notify alert.") \
    X(CUT, "A TLS stream that ends without close_notify is REKEY_E_END, because an attacker may have cut it.") \
    X(CLOSE, "Ends the connection, or the attempt to connect, at once.") \
    X(CLOSE_NOTHING, "Calling it when nothing is open is allowed.") \
    X(WAIT_MS, "Milliseconds after which the call that last returned REKEY_WANT_READ or REKEY_WANT_WRITE must be repeated even if the transport is not ready, because the transport then tries another address, or one of its own time limits ends.") \
    X(EXPLAIN, "Stores a text in buf[0..cap) (cap > 0), with a NUL, that says why open, write or read returned `error`;") \
    X(EXPLAIN_CLOSED, "It can be called until the next open, also after close.") \
    X(NOW, "Milliseconds on a clock that never jumps and, if the platform can, counts suspended time (CLOCK_BOOTTIME).") \
    X(ENTROPY, "Fills `buf` with random bytes that are good enough for keys.") \
    X(WAIT, "Sleeps until the transport is ready for `want` (REKEY_WANT_READ, REKEY_WANT_WRITE), or until `ms` have passed, whichever comes first.") \
    X(FLUSH, "REKEY_DONE means that the layer below has these bytes, and sends them even if no other call is made: the core has no call that flushes.") \
    X(DELIVER, "Bytes that arrived before the connection broke are delivered first, also after a failed write; then the error.") \
    X(NOTIFY, "A TLS transport tries once to send close_notify, without waiting. It zeroizes the bytes that it has decrypted and the bytes that it was to encrypt, because they contain keys and tokens.") \
    X(ADDRESS, "`host` is a name, or an IPv4 or IPv6 address without brackets.") \
    X(FAULT_ISSUER, "REKEY_E_CERT_ISSUER no chain of valid signatures leads from the certificate to a trust anchor: an unknown issuer, self-signed, a wrong signature") \
    X(FAULT_NAME, "REKEY_E_CERT_NAME the certificate has names, and none of them is the host") \
    X(FAULT_DATES, "REKEY_E_CERT_DATES the certificate, or one of its issuers, has expired or is not yet valid") \
    X(FAULT_OTHER, "The error for each fault. If there are several faults, any of their errors is right:") \
    X(FAULT_TLS, "REKEY_E_TLS any other fault: an alert, no common version or cipher suite, bytes that are not TLS.") \
    X(CLOCK, "REKEY_E_CLOCK wall_s is negative, or earlier than the build of the program: the clock was never set, and no date can be checked")
// clang-format on

enum sentence {
#define SENTENCE_ENUM(name, text) SAYS_##name,
    SENTENCES(SENTENCE_ENUM)
#undef SENTENCE_ENUM
        SENTENCE_COUNT
};

#endif
