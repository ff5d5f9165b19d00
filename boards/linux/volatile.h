// volatile.h - whether what is written into a directory is gone after a restart.

#ifndef REKEY_COMMAND_VOLATILE_H
#define REKEY_COMMAND_VOLATILE_H

#include <stddef.h>

// NULL if the directory's file system keeps its content, as far as its type tells. Else the reason
// in words, in buf[0..cap): "it is on tmpfs". An overlayfs is judged by the file system of its
// upper directory, where everything that is written goes.
const char *volatile_reason(const char *directory, char *buf, size_t cap);

#endif
