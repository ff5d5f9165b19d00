// support.c - the rows, the checks and the guarded buffers of support.h.
// On POSIX a buffer is a mapping whose last page must not be accessed; on other systems it is a
// piece of a static arena between two canaries. The number of buffers at a time is small and fixed,
// so that the tests need no allocator.

#include "support.h"

#if defined(__unix__)
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#endif

#define FILL 0xA5
#define CANARY 0x5C
#define CANARY_SIZE 16
#define BUFFERS 16
#define FAILURES_SHOWN 30

static struct {
    const char *name;
    long numbers[2];
    int number_count;
    unsigned failures; // of this test
    bool done;
} current;

static unsigned long row_total, check_total;

// ---- checks -------------------------------------------------------------------------------------

static bool failed(const char *file, int line) {
#if defined(__unix__)
    if (getenv("REKEY_FIRST_FAILURE") != NULL) { // tests/mutate only needs the first failure
        _exit(1);
    }
#endif
    current.failures++;
    if (current.failures > FAILURES_SHOWN) {
        return false;
    }
    print_error("%s:%d: row \"%s\"", file, line, current.name);
    for (int i = 0; i < current.number_count; i++) {
        print_error(" %ld", current.numbers[i]);
    }
    print_error(": ");
    return true;
}

// Converts to decimal without printf, because that of a small C library may not support 64 bits.
static const char *decimal(int64_t value, char buf[21]) {
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    size_t at = 20;

    buf[at] = '\0';
    do {
        buf[--at] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        buf[--at] = '-';
    }
    return buf + at;
}

static void print_span(const char *label, struct rekey_span text) {
    print_error("  %s %lu bytes: ", label, (unsigned long)text.len);
    for (size_t i = 0; i < text.len && i < 200; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        print_error(c >= ' ' && c <= '~' ? "%c" : "\\x%02x", (unsigned)c);
    }
    print_error("\n");
}

bool check_condition(bool held, const char *what, const char *file, int line) {
    check_total++;
    if (!held && failed(file, line)) {
        print_error("does not hold: %s\n", what);
    }
    return held;
}

bool check_integer(int64_t actual, int64_t expected, const char *what, const char *file, int line) {
    char a[21], b[21];

    check_total++;
    if (actual != expected && failed(file, line)) {
        print_error("%s is %s, not %s\n", what, decimal(actual, a), decimal(expected, b));
    }
    return actual == expected;
}

bool check_bytes(struct rekey_span actual, struct rekey_span expected, const char *what,
                 const char *file, int line) {
    bool held = rekey_span_equal(actual, expected);

    check_total++;
    if (!held && failed(file, line)) {
        print_error("%s\n", what);
        print_span("is ", actual);
        print_span("not", expected);
    }
    return held;
}

// ---- buffers that end at a guard ----------------------------------------------------------------

static struct buffer {
    unsigned char *start;
    size_t len;
} buffers[BUFFERS];
static size_t buffer_count;

static void no_room(size_t len) {
    print_error("support.c: no room for a guarded buffer of %lu bytes\n", (unsigned long)len);
    fail();
}

#if defined(__unix__)

#define BUFFER_SIZE 16384

static unsigned char *regions[BUFFERS]; // each is mapped once, and kept
static size_t region_size;              // without the guard page

static unsigned char *place(size_t len) {
    unsigned char *region = regions[buffer_count];

    if (region == NULL) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        void *map;

        region_size = (BUFFER_SIZE + page - 1) / page * page;
        map = mmap(NULL, region_size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                   -1, 0);
        if (map == MAP_FAILED || mprotect((char *)map + region_size, page, PROT_NONE) != 0) {
            no_room(len);
        }
        region = regions[buffer_count] = map;
    }
    return len + CANARY_SIZE <= region_size ? region + region_size - len : NULL;
}

#else

#define ARENA_SIZE 8192

static union {
    unsigned char bytes[ARENA_SIZE];
    int align;
} arena;

static unsigned char *place(size_t len) {
    size_t at = 0;

    if (buffer_count > 0) {
        const struct buffer *last = &buffers[buffer_count - 1];

        at = (size_t)(last->start - arena.bytes) + last->len + CANARY_SIZE;
        at = (at + 15) / 16 * 16;
    }
    if (len > ARENA_SIZE || at + len + 2 * CANARY_SIZE > ARENA_SIZE) {
        return NULL;
    }
    memset(arena.bytes + at + CANARY_SIZE + len, CANARY, CANARY_SIZE);
    return arena.bytes + at + CANARY_SIZE;
}

#endif

void *guarded(size_t len) {
    unsigned char *start = buffer_count < BUFFERS ? place(len) : NULL;

    if (start == NULL) {
        no_room(len);
        return NULL;
    }
    memset(start - CANARY_SIZE, CANARY, CANARY_SIZE);
    memset(start, FILL, len);
    buffers[buffer_count++] = (struct buffer){start, len};
    return start;
}

struct rekey_span guarded_copy(struct rekey_span text) {
    char *copy = guarded(text.len);

    if (text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    return rekey_span(copy, text.len);
}

static bool canary_alive(const unsigned char *at) {
    for (size_t i = 0; i < CANARY_SIZE; i++) {
        if (at[i] != CANARY) {
            return false;
        }
    }
    return true;
}

// One check for each buffer, so that the number of checks is the same on every system.
static bool alive(const struct buffer *b) {
#if !defined(__unix__)
    if (!canary_alive(b->start + b->len)) {
        return false;
    }
#endif
    return canary_alive(b->start - CANARY_SIZE);
}

void guarded_check(void) {
    for (size_t i = 0; i < buffer_count; i++) {
        check(alive(&buffers[i]));
    }
}

// ---- rows ---------------------------------------------------------------------------------------

static void next_row(const char *name, int number_count, long n, long m) {
    guarded_check();
    row_total++;
    buffer_count = 0;
    current.name = name;
    current.number_count = number_count;
    current.numbers[0] = n;
    current.numbers[1] = m;
}

void row(const char *name) {
    next_row(name, 0, 0, 0);
}

void row_n(const char *name, long n) {
    next_row(name, 1, n, 0);
}

void row_nn(const char *name, long n, long m) {
    next_row(name, 2, n, m);
}

void rows_done(void) {
    guarded_check();
    current.done = true;
    if (current.failures > 0) {
        print_error("%u checks failed\n", current.failures);
        fail();
    }
}

int rows_begin(void **state) {
    (void)state;
    buffer_count = 0;
    current.name = "before the first row";
    current.number_count = 0;
    current.failures = 0;
    current.done = false;
    return 0;
}

// A test that crashed, or that does not end with rows_done, is detected here.
int rows_end(void **state) {
    (void)state;
    buffer_count = 0;
    if (!current.done) {
        failed(__FILE__, __LINE__);
        print_error("the test ended here\n");
    }
    return current.done ? 0 : -1;
}

int rows_total(void **state) {
    (void)state;
    print_message("%lu rows, %lu checks\n", row_total, check_total);
    return 0;
}
