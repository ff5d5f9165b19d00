// small.h - a transport to put below TLS: every record needs many calls.

#ifndef SMALL_H
#define SMALL_H

#include "rekey_port.h"

// Accepts and returns one byte at a time, and every second call would block although `good` is
// ready. A write that is no longer than an alert is accepted as a whole. `which` is 0 or 1.
struct rekey_transport small_pieces(struct rekey_transport good, size_t which);

#endif
