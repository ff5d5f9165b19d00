// small.h - a transport for the place below TLS: every record takes many calls.

#ifndef SMALL_H
#define SMALL_H

#include "rekey_port.h"

// Takes and gives one byte at a time, and every second call would block, though `good` is ready.
// What is as short as an alert is taken whole. `which` is 0 or 1.
struct rekey_transport small_pieces(struct rekey_transport good, size_t which);

#endif
