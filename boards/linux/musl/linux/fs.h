// musl brings no headers of the kernel. The one number that port/posix/file.c takes from them:
#define RENAME_NOREPLACE 1
