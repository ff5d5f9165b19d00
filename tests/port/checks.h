// checks.h - the checks, each a row of the table in check.c.

#ifndef CHECKS_H
#define CHECKS_H

#include "calls.h"

// check_port.c: the rest of a port
void check_clock(struct run *run);
void check_entropy(struct run *run);
void check_wait(struct run *run);

// check_open.c: opening and closing
void check_open(struct run *run);
void check_refused(struct run *run);
void check_reset_at_once(struct run *run);
void check_hole(struct run *run);
void check_hanging_lookup(struct run *run);
void check_silent(struct run *run);
void check_second_address(struct run *run);
void check_close_anywhere(struct run *run);
void check_close_is_seen(struct run *run);
void check_close_beside_lookup(struct run *run);

// check_stream.c: bytes in both directions
void check_echo(struct run *run);
void check_trickle(struct run *run);
void check_large_read(struct run *run);
void check_large_write(struct run *run);
void check_close_blocked(struct run *run);
void check_flush(struct run *run);
void check_idle(struct run *run);
void check_two(struct run *run);

// check_end.c: how a stream ends
void check_end(struct run *run);
void check_notify(struct run *run);
void check_cut(struct run *run);
void check_half(struct run *run);
void check_reset_after(struct run *run);
void check_answer(struct run *run);
void check_garbage(struct run *run);
void check_changed(struct run *run);

// check_trust.c: the identity of the peer
void check_plaintext(struct run *run);
void check_no_clock(struct run *run);
void check_wrong_name(struct run *run);
void check_expired(struct run *run);
void check_not_yet(struct run *run);
void check_untrusted(struct run *run);
void check_impostor(struct run *run);
void check_self_signed(struct run *run);
void check_no_authority(struct run *run);
void check_address(struct run *run);
void check_no_address(struct run *run);

#endif
