// suggest.c - see suggest.h.

#include "suggest.h"

#define LETTERS 32 // the longest word that is compared

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

// The "optimal string alignment" distance: Levenshtein's, with exchanged neighbours as one edit.
// rows[i][j] is the distance of the first i letters of the word from the first j of the other one.
static size_t count_edits(struct rekey_span word, struct rekey_span known) {
    size_t rows[LETTERS + 1][LETTERS + 1];

    for (size_t i = 0; i <= word.len; i++) {
        for (size_t j = 0; j <= known.len; j++) {
            bool same = i > 0 && j > 0 && word.ptr[i - 1] == known.ptr[j - 1];

            if (i == 0 || j == 0) {
                rows[i][j] = i + j;
                continue;
            }
            rows[i][j] =
                least(rows[i - 1][j - 1] + !same, least(rows[i - 1][j], rows[i][j - 1]) + 1);
            if (i > 1 && j > 1 && word.ptr[i - 1] == known.ptr[j - 2] &&
                word.ptr[i - 2] == known.ptr[j - 1]) {
                rows[i][j] = least(rows[i][j], rows[i - 2][j - 2] + 1);
            }
        }
    }
    return rows[word.len][known.len];
}

size_t suggest_distance(struct rekey_span word, const char *name) {
    struct rekey_span known = rekey_span(name, strlen(name));
    size_t common = least(word.len, known.len), edits;

    if (word.len == 0 || word.len > LETTERS || known.len > LETTERS) {
        return SUGGEST_NONE;
    }
    if (memcmp(word.ptr, known.ptr, common) == 0) {
        return 0;
    }
    edits = count_edits(word, known);
    return edits * 3 <= word.len ? edits : SUGGEST_NONE;
}
