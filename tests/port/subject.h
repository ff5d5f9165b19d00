// subject.h - the code that the programs share which check a port of rekey on this machine.

#ifndef SUBJECT_H
#define SUBJECT_H

#include "check.h"

#define HOST "localhost"
#define ADDRESS "127.0.0.1"
#define HOLE "127.0.0.2" // peer.py accepts no connection there
#define TWO "two.localhost"
#define HANGING "hanging.localhost"
#define OTHER "other.example" // the name in the certificate that is for another host

// The addresses of a name; none for an unknown name, or for HANGING.
#define SUBJECT_ADDRESSES 2
size_t subject_addresses(const char *name, const char *addresses[SUBJECT_ADDRESSES]);

// Returns a variant of the transport that breaks a sentence; sound.c returns it unchanged.
struct rekey_transport subject_break(struct rekey_transport good, size_t which);

// Waits until `fd` is ready for `want`, or `ms` have passed.
void subject_wait(int fd, int want, uint32_t ms);

// Prints to standard output, at once.
void subject_print(void *ctx, const char *text);

// Runs the checks with both ports, and prints to standard output. argv[1] is the first port of
// peer.py; `large` and `forget_clock` as in check.h. Returns the exit code: 0, or 1 if a sentence
// is broken.
int subject_check(const struct rekey_port ports[2], bool is_tls, uint32_t large,
                  void (*forget_clock)(bool), char **argv);

#endif
