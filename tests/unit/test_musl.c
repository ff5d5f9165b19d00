// test_musl.c - the functions that the static commands have in place of musl's, held against those
// of the C library at hand.

#include <getopt.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

#define qsort small_qsort
#define strstr small_strstr
#define mbstowcs small_mbstowcs
#define strtoull small_strtoull
#define strtoul small_strtoul
#define strtoll small_strtoll
#define strtol small_strtol
#define if_nametoindex small_if_nametoindex
#include "../../boards/linux/musl/small.c"
#undef qsort
#undef strstr
#undef mbstowcs
#undef strtoull
#undef strtoul
#undef strtoll
#undef strtol
#undef if_nametoindex

static struct words {
    int ids[16], founds[16], indexes[16];
    const char *values[16];
    size_t count;
} ours, theirs;

static const struct option known[] = {{"name", 1, NULL, 'n'},  {"name-more", 1, NULL, 300},
                                      {"state", 1, NULL, 301}, {"status", 0, NULL, 302},
                                      {"quiet", 0, NULL, 'q'}, {NULL, 0, NULL, 0}};

// Reads all words with the getopt_long at hand, whose variables these are.
#define READ(words, argc, argv)                                                                    \
    do {                                                                                           \
        optind = 1;                                                                                \
        opterr = 0;                                                                                \
        for (words.count = 0; words.count < 16; words.count++) {                                   \
            words.founds[words.count] = -1;                                                        \
            words.ids[words.count] =                                                               \
                getopt_long(argc, argv, "-:n:qv", known, &words.founds[words.count]);              \
            words.values[words.count] = optarg;                                                    \
            words.indexes[words.count] = optind;                                                   \
            if (words.ids[words.count] == -1 || words.ids[words.count] == ':' ||                   \
                words.ids[words.count] == '?') {                                                   \
                break; /* the command ends here */                                                 \
            }                                                                                      \
        }                                                                                          \
    } while (0)

static void read_theirs(int argc, char **argv) {
    READ(theirs, argc, argv);
}

#define optarg small_optarg
#define optind small_optind
#define opterr small_opterr
#define optopt small_optopt
#define getopt_long small_getopt_long
#include "../../boards/linux/musl/getopt.c"

static void read_ours(int argc, char **argv) {
    next = NULL;
    READ(ours, argc, argv);
}

// ---- the tests ----------------------------------------------------------------------------------

#define WORDS 4

// Every command line of up to four of these words. "-" is not among them: with musl it is an end.
static void test_command_lines(void **state) {
    static char *const words[] = {"-n",      "-nvalue",     "-q",         "-qv",    "-qn",
                                  "-x",      "--",          "word",       "--name", "--name=v",
                                  "--name=", "--name-more", "--na",       "--sta",  "--stat",
                                  "--state", "--status",    "--status=v", "--qui",  "--nosuch"};
    size_t all = 1;

    (void)state;
    for (size_t i = 0; i < WORDS; i++) {
        all *= COUNT(words) + 1;
    }
    for (size_t n = 0; n < all; n++) {
        char *argv[WORDS + 2] = {"rekey"};
        int argc = 1;
        size_t rest = n;

        for (; rest > 0 && rest % (COUNT(words) + 1) != 0; rest /= COUNT(words) + 1) {
            argv[argc++] = words[rest % (COUNT(words) + 1) - 1];
        }
        if (rest > 0) {
            continue; // a gap: the shorter line comes by itself
        }
        row_n("command line", (long)n);
        read_theirs(argc, argv);
        read_ours(argc, argv);
        check_int(ours.count, theirs.count);
        for (size_t i = 0; i <= theirs.count && i < 16; i++) {
            bool ended = theirs.ids[i] == -1 || theirs.ids[i] == ':' || theirs.ids[i] == '?';

            check_int(ours.ids[i], theirs.ids[i]);
            check(ended || ours.founds[i] == theirs.founds[i]);
            check(ended || theirs.ids[i] == 'q' || theirs.ids[i] == 'v' || theirs.ids[i] == 302 ||
                  ours.values[i] == theirs.values[i]);
            check(theirs.ids[i] == ':' || ours.indexes[i] == theirs.indexes[i]);
        }
    }
    rows_done();
}

// The least negative number is not among them: nobody needs it, and it becomes the one above it.
static void test_numbers(void **state) {
    static const char *const texts[] = {
        "0",   "10",         " 12x",       "\t-5",
        "+7",  "0x1f",       "0x",         "0xg",
        "077", "08",         "4294967295", "4294967296",
        "",    "x",          "-",          "1a",
        "abc", "2147483647", "2147483648", "18446744073709551615",
        "- 1", "0X1F",       "65536",      "18446744073709551616",
        "1.2", "127.0.0.1",  "1 2",        "9223372036854775807",
        "010", "00",         "0b1",        "9223372036854775808",
        "z",   "-0",         "+-1",        "99999999999999999999999"};
    static const int bases[] = {0, 8, 10, 16};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        for (size_t k = 0; k < COUNT(bases); k++) {
            char *end, *expected;

            row_nn("text and base", (long)i, bases[k]);
#define SAME(function)                                                                             \
    check(small_##function(texts[i], &end, bases[k]) == function(texts[i], &expected, bases[k]));  \
    check(end == expected)
            SAME(strtoul);
            SAME(strtoull);
            SAME(strtol);
            SAME(strtoll);
            check(small_strtoul(texts[i], NULL, bases[k]) == strtoul(texts[i], NULL, bases[k]));
        }
    }
    rows_done();
}

static void test_texts(void **state) {
    static const char *const texts[] = {"",     "a",        "abc",          "aab",
                                        "aaab", "ndots:15", "options a nd", "b"};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        for (size_t k = 0; k < COUNT(texts); k++) {
            row_nn("texts", (long)i, (long)k);
            check(small_strstr(texts[i], texts[k]) == strstr(texts[i], texts[k]));
        }
        check(small_mbstowcs(NULL, texts[i], 0) == strlen(texts[i]));
    }
    check(small_mbstowcs(NULL, "h\xC3\xB6st", 0) == (size_t)-1);
    rows_done();
}

static int compare(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

static void test_sorting(void **state) {
    unsigned random = 1;

    (void)state;
    for (size_t count = 0; count <= 48; count++) {
        int numbers[48], expected[48];

        row_n("numbers", (long)count);
        for (size_t i = 0; i < count; i++) {
            random = random * 1103515245 + 12345;
            numbers[i] = expected[i] = (int)(random >> 16 & 31);
        }
        small_qsort(numbers, count, sizeof(int), compare);
        qsort(expected, count, sizeof(int), compare);
        check(memcmp(numbers, expected, count * sizeof(int)) == 0);
    }
    rows_done();
}

static void test_interfaces(void **state) {
    static const char *const names[] = {"lo", "", "nosuch", "a-name-that-is-too-long-for-it"};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        row(names[i]);
        check_int(small_if_nametoindex(names[i]), if_nametoindex(names[i]));
    }
    rows_done();
}

int main(void) {
    const struct CMUnitTest tests[] = {UNIT(test_command_lines), UNIT(test_numbers),
                                       UNIT(test_texts), UNIT(test_sorting), UNIT(test_interfaces)};

    return cmocka_run_group_tests_name("musl", tests, NULL, rows_total);
}
