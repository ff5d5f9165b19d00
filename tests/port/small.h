// small.h - a transport for use below TLS that needs many calls for every record.

#ifndef SMALL_H
#define SMALL_H

#include "rekey_port.h"

// Accepts and returns one byte at a time, and every second call would block even if `good` is
// ready. Data that is as short as an alert is accepted completely. `which` is 0 or 1.
struct rekey_transport small_pieces(struct rekey_transport good, size_t which);

#endif
