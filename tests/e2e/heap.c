// heap.c - LD_PRELOAD: counts the calls of malloc and its family between main and exit. At exit it
// writes "heap allocations: N" to the destination that the environment variable HEAP_REPORT names:
// a descriptor if it is a number, else a file. N counts every call of the family, including free,
// in the process that entered main, but not in its children (the command looks names up in a
// child).

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// dlsym may allocate before the real functions are known. It gets these bytes, which are never
// freed.
static _Alignas(16) char early[8192];
static size_t early_used;

static volatile unsigned long calls;
static volatile pid_t owner; // the process that is in main; 0 before and after
static int (*real_main)(int, char **, char **);

static void count(void) {
    if (owner != 0 && getpid() == owner) {
        __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    }
}

static void *early_memory(size_t size) {
    size_t at = early_used;

    if (size > sizeof(early) - 16 || at > sizeof(early) - 16 - size) {
        errno = ENOMEM;
        return NULL;
    }
    early_used = (at + size + 15) & ~(size_t)15;
    return early + at;
}

static int is_early(const void *p) {
    return (const char *)p >= early && (const char *)p < early + sizeof(early);
}

// Sets real_NAME, once. During the call of dlsym it stays NULL.
#define FIND(name)                                                                                 \
    do {                                                                                           \
        static int finding;                                                                        \
        if (real_##name == NULL && !finding) {                                                     \
            finding = 1;                                                                           \
            *(void **)&real_##name = dlsym(RTLD_NEXT, #name);                                      \
            finding = 0;                                                                           \
        }                                                                                          \
    } while (0)

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void *(*real_reallocarray)(void *, size_t, size_t);
static void *(*real_memalign)(size_t, size_t);
static void *(*real_aligned_alloc)(size_t, size_t);
static int (*real_posix_memalign)(void **, size_t, size_t);
static void (*real_free)(void *);

void *malloc(size_t size) {
    count();
    FIND(malloc);
    return real_malloc != NULL ? real_malloc(size) : early_memory(size);
}

void *calloc(size_t n, size_t size) {
    count();
    FIND(calloc);
    if (real_calloc != NULL) {
        return real_calloc(n, size);
    }
    return size != 0 && n > sizeof(early) / size ? NULL : early_memory(n * size);
}

// An early block grows by a copy. The copy includes bytes behind the block, which does no harm.
static void *grow_early(void *p, size_t size) {
    void *copy = malloc(size);
    size_t there = (size_t)(early + sizeof(early) - (char *)p);

    if (copy != NULL) {
        memmove(copy, p, size < there ? size : there);
    }
    return copy;
}

void *realloc(void *p, size_t size) {
    count();
    FIND(realloc);
    if (is_early(p)) {
        return grow_early(p, size);
    }
    return real_realloc != NULL ? real_realloc(p, size) : early_memory(size);
}

void *reallocarray(void *p, size_t n, size_t size) {
    count();
    FIND(reallocarray);
    return real_reallocarray != NULL ? real_reallocarray(p, n, size) : NULL;
}

void *memalign(size_t alignment, size_t size) {
    count();
    FIND(memalign);
    return real_memalign != NULL ? real_memalign(alignment, size) : NULL;
}

void *aligned_alloc(size_t alignment, size_t size) {
    count();
    FIND(aligned_alloc);
    return real_aligned_alloc != NULL ? real_aligned_alloc(alignment, size) : NULL;
}

int posix_memalign(void **p, size_t alignment, size_t size) {
    count();
    FIND(posix_memalign);
    return real_posix_memalign != NULL ? real_posix_memalign(p, alignment, size) : ENOMEM;
}

void free(void *p) {
    count();
    FIND(free);
    if (real_free != NULL && !is_early(p)) {
        real_free(p);
    }
}

// Runs at exit, both after a return from main and after exit(), but not in a child that was forked
// from within main.
__attribute__((destructor)) static void report(void) {
    const char *where = getenv("HEAP_REPORT");
    char text[64], *end;
    int len, fd;

    if (real_main == NULL || (owner != 0 && owner != getpid()) || where == NULL) {
        return;
    }
    owner = 0;
    len = snprintf(text, sizeof(text), "heap allocations: %lu\n", calls);
    fd = (int)strtol(where, &end, 10);
    if (*end != '\0' || end == where) {
        fd = open(where, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    }
    if (fd < 0 || write(fd, text, (size_t)len) != len) {
        _exit(99); // a missing report must be noticed
    }
}

static int counted_main(int argc, char **argv, char **environment) {
    int code;

    owner = getpid();
    code = real_main(argc, argv, environment);
    if (owner == getpid()) {
        owner = 0; // calls by exit itself do not count
    }
    return code;
}

int __libc_start_main(int (*entry)(int, char **, char **), int argc, char **argv,
                      void (*init)(void), void (*fini)(void), void (*rtld_fini)(void),
                      void *stack_end);

int __libc_start_main(int (*entry)(int, char **, char **), int argc, char **argv,
                      void (*init)(void), void (*fini)(void), void (*rtld_fini)(void),
                      void *stack_end) {
    int (*start)(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void),
                 void (*)(void), void *);

    *(void **)&start = dlsym(RTLD_NEXT, "__libc_start_main");
    real_main = entry;
    return start(counted_main, argc, argv, init, fini, rtld_fini, stack_end);
}
