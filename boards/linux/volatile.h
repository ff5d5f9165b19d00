// volatile.h - whether a restart empties a directory.

#ifndef REKEY_COMMAND_VOLATILE_H
#define REKEY_COMMAND_VOLATILE_H

#include <stddef.h>

// Returns NULL if the directory's file system keeps its content, as far as its type shows. Else the
// reason in words, in buf[0..cap): "it is on tmpfs". For an overlayfs the file system of its upper
// directory counts, because everything is written there.
const char *volatile_reason(const char *directory, char *buf, size_t cap);

#endif
