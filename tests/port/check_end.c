// check_end.c - checks the end of a stream: the result of each kind of end, and the bytes before
// it.

#include "checks.h"

#define REQUEST 1048576u // bytes of a request that the peer does not read to its end

// Reads the block that comes before every end. Returns the result that ended the stream.
static int read_block(struct line *l, enum sentence missing) {
    unsigned char buf[2 * BLOCK];
    size_t len;
    int result = receive(l, buf, sizeof(buf), &len, LONG_MS);

    if (len < BLOCK || !is_pattern(buf, 0, BLOCK)) {
        broken(l->run, missing, "%d bytes of %d were delivered, then %d", (int)len, BLOCK, result);
    } else if (len > BLOCK) {
        broken(l->run, SAYS_STREAM, "%d bytes more than were sent whole", (int)(len - BLOCK));
    }
    return result;
}

static int read_from(struct run *run, enum listener listener, enum sentence missing) {
    struct line l = line_of(run, 0);
    int result = REKEY_E_IO;

    if (opened(&l, listener)) {
        result = read_block(&l, missing);
        hang_up(&l);
    }
    return result;
}

// Checks that `result`, after `what` was read, is not an orderly end.
static void check_no_end(struct run *run, int result, enum sentence sentence, const char *what) {
    if (result == REKEY_END) {
        broken(run, sentence, "%s was REKEY_END", what);
    } else if (result >= 0) {
        broken(run, SAYS_STREAM, "%s was not noticed within %d ms", what, LONG_MS);
    }
}

void check_end(struct run *run) {
    int result = read_from(run, PEER_FEW, SAYS_DELIVER);

    if (result != REKEY_END) {
        broken(run, SAYS_END, "an orderly end was %d", result);
    }
}

// The peer sends close_notify, and TCP stays open.
void check_notify(struct run *run) {
    int result = read_from(run, PEER_NOTIFY, SAYS_DELIVER);

    if (result != REKEY_END) {
        broken(run, SAYS_END, "close_notify was %d", result);
    }
}

void check_cut(struct run *run) {
    int result = read_from(run, PEER_CUT, SAYS_DELIVER);

    if (result != REKEY_E_END) {
        broken(run, SAYS_CUT, "FIN without close_notify was %d", result);
    }
}

void check_half(struct run *run) {
    int result = read_from(run, PEER_HALF, SAYS_DELIVER);

    if (result != REKEY_E_END) {
        broken(run, SAYS_CUT, "FIN in the middle of a record was %d", result);
    }
}

// The reset arrives before the data is read.
void check_reset_after(struct run *run) {
    struct line l = line_of(run, 0);
    char text[16];
    size_t len;

    if (!opened(&l, PEER_RESET_AFTER)) {
        return;
    }
    if (receive(&l, text, 1, &len, LONG_MS) != REKEY_DONE) {
        broken(run, SAYS_STREAM, "the first byte of the peer did not come");
    }
    send_all(&l, "!", 1, LONG_MS);
    if (run->check->ports[1] != NULL) {
        struct line reporter = line_of(run, 1);

        report(&reporter, PEER_REPORT_END, text);
    } else {
        let_pass(&l, SHORT_MS);
    }
    check_no_end(run, read_block(&l, SAYS_DELIVER), SAYS_END, "a reset");
    hang_up(&l);
}

// The peer answers before it has read the request, and closes. Later writes fail; the bytes of the
// answer can still be read.
void check_answer(struct run *run) {
    struct line l = line_of(run, 0);
    const uint64_t until = now(run) + LONG_MS;
    size_t done;
    int result;

    if (!opened(&l, PEER_ANSWER)) {
        return;
    }
    for (size_t sent = 0; sent < REQUEST; sent += done) {
        done = 0;
        result = call_write(&l, scratch, SCRATCH, &done);
        if (result < 0 || (result > 0 && !pause_until(&l, result, until))) {
            break;
        }
    }
    result = read_block(&l, SAYS_DELIVER);
    if (!run->check->is_tls && !run->check->loses_resets) { // TLS has sent close_notify
        check_no_end(run, result, SAYS_DELIVER, "a reset that a write has met");
    }
    hang_up(&l);
}

void check_garbage(struct run *run) {
    check_no_end(run, read_from(run, PEER_GARBAGE, SAYS_DELIVER), SAYS_END,
                 "plaintext between records");
}

void check_changed(struct run *run) {
    check_no_end(run, read_from(run, PEER_CHANGED, SAYS_DELIVER), SAYS_END, "a changed record");
}
