// musl has no headers of the kernel. This is the only number that port/posix/file.c needs from
// them:
#define RENAME_NOREPLACE 1
