// sentences.h - the sentences of src/rekey_port.h that a check can find broken, word for word.
// table.py compares them with that header.

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
    X(VERIFIED, "A TLS transport that returns REKEY_DONE has verified the peer's chain, host name and dates.") \
    X(WRITE, "Takes up to `len` (> 0) bytes and stores in *done how many (> 0 with REKEY_DONE).") \
    X(WRITE_RESULT, "Returns REKEY_DONE, REKEY_WANT_READ, REKEY_WANT_WRITE, REKEY_E_IO, REKEY_E_TLS.") \
    X(READ, "Stores up to `cap` (> 0) bytes and in *done how many (> 0 with REKEY_DONE).") \
    X(READ_RESULT, "Returns REKEY_DONE, REKEY_WANT_READ, REKEY_WANT_WRITE, REKEY_AGAIN, REKEY_END, REKEY_E_IO, REKEY_E_END, REKEY_E_TLS.") \
    X(END, "REKEY_END is an orderly end and nothing else: FIN for TCP; for TLS a close_notify alert.") \
    X(CUT, "A TLS stream that ends without one is REKEY_E_END, because an attacker can cut it there.") \
    X(CLOSE, "Ends the connection, or the attempt at one, at once.") \
    X(CLOSE_NOTHING, "Calling it when nothing is open is allowed.") \
    X(WAIT_MS, "Milliseconds until the call that last returned REKEY_WANT_READ or REKEY_WANT_WRITE is to be repeated although nothing has become ready, because another address is then tried, or a time limit of the transport's own ends.") \
    X(EXPLAIN, "Says in words why `error`, of open, write or read, came about, in buf[0..cap) (cap > 0) with a NUL; an empty text where there is no more to say.") \
    X(EXPLAIN_CLOSED, "Valid after close, too, until the next open.") \
    X(NOW, "Milliseconds on a clock that never jumps and counts suspended time where one does (CLOCK_BOOTTIME).") \
    X(ENTROPY, "Fills `buf` with randomness fit for keys.") \
    X(WAIT, "Sleeps until the transport is ready for `want` (REKEY_WANT_READ, REKEY_WANT_WRITE), or until `ms` have passed, whichever comes first.") \
    X(FLUSH, "FLUSH-SENTENCE") \
    X(READ_ON, "READ-ON-SENTENCE") \
    X(DELIVER, "DELIVER-SENTENCE") \
    X(NOTIFY, "NOTIFY-SENTENCE") \
    X(FAULT, "FAULT-SENTENCE") \
    X(CLOCK, "CLOCK-SENTENCE") \
    X(ADDRESS, "ADDRESS-SENTENCE")
// clang-format on

enum sentence {
#define SENTENCE_ENUM(name, text) SAYS_##name,
    SENTENCES(SENTENCE_ENUM)
#undef SENTENCE_ENUM
        SENTENCE_COUNT
};

#endif
