// test_error.c - rekey_error.h: the list of errors is closed and consistent. Every error has its
// own negative value, its name and its own text, lies in the group of hundreds that its name
// belongs to, and the values of a group follow one another.

#include "rekey_config.h"
#include "rekey_error.h"
#include "support.h"

static const struct {
    const char *name;
    int value;
    const char *text;
} errors[] = {
#define ERROR_ROW(name, value, text) {#name, value, text},
    REKEY_ERRORS(ERROR_ROW)
#undef ERROR_ROW
};

static bool starts_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

static void test_values(void **state) {
    int before = -99;

    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        int value = errors[i].value;

        row(errors[i].name);
        check(value <= -100 && value > -1000);
        // the next of its group, or the first of the next one
        check(value == before - 1 || value == (before / 100 - 1) * 100);
        for (size_t k = 0; k < i; k++) {
            check(errors[k].value != value);
            check(strcmp(errors[k].text, errors[i].text) != 0);
        }
        before = value;
    }
    row("as in the enumeration");
    check_int(REKEY_E_SUBSCRIPTION, -100);
    check_int(REKEY_E_SAVE, -901);
    rows_done();
}

static void test_texts(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        const char *text = rekey_error_text(errors[i].value);
        size_t len = strlen(text);

        row(errors[i].name);
        check(strcmp(text, errors[i].text) == 0);
        check(len > 0 && len < 128);
        check(strcmp(text, "unknown error") != 0);
        check(strcmp(rekey_error_name(errors[i].value), errors[i].name) == 0);
        check(len > 0 && text[len - 1] != '.' && text[len - 1] != ' ');
        for (size_t k = 0; k < len; k++) {
            check(text[k] >= ' ' && text[k] <= '~');
        }
    }
    rows_done();
}

static bool listed(int value) {
    for (size_t i = 0; i < COUNT(errors); i++) {
        if (errors[i].value == value) {
            return true;
        }
    }
    return false;
}

// Numbers that are not in the list.
static void test_no_error(void **state) {
    (void)state;
    for (int value = -1100; value <= 110; value++) {
        if (!listed(value)) {
            const char *macro = "x";

            row_n("value", value);
            check(strcmp(rekey_error_text(value), "unknown error") == 0);
            check(strcmp(rekey_error_name(value), "") == 0);
            check_int(rekey_error_limit(value, &macro), 0);
            check(strcmp(macro, "") == 0);
        }
    }
    row("the ends of an int");
    check(strcmp(rekey_error_text(INT32_MIN), "unknown error") == 0);
    check(strcmp(rekey_error_text(INT32_MAX), "unknown error") == 0);
    rows_done();
}

// The beginning of a name gives its group; the first entry that fits counts.
static void test_groups(void **state) {
    static const struct {
        const char *start;
        int group;
    } groups[] = {
        {"REKEY_E_LIMIT_", 7}, {"REKEY_E_URL_", 6},  {"REKEY_E_CERT_", 3},
        {"REKEY_E_JSON", 5},   {"REKEY_E_POLL_", 6},
    };
    bool seen[10] = {false};

    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        int group = -errors[i].value / 100;

        row(errors[i].name);
        seen[group] = true;
        for (size_t k = 0; k < COUNT(groups); k++) {
            if (starts_with(errors[i].name, groups[k].start)) {
                check_int(group, groups[k].group);
            }
        }
        check_int(starts_with(errors[i].name, "REKEY_E_LIMIT_"), group == 7);
        check_int(starts_with(errors[i].text, "limit: "), group == 7);
        check_int(strstr(errors[i].text, "REKEY_") != NULL, group == 7); // the macro to raise
    }
    for (int group = 1; group <= 9; group++) {
        row_n("group", group);
        check(seen[group]);
    }
    rows_done();
}

// Each limit error gives the macro that its text names, and its value. REKEY_ARENA_SIZE is a
// port's.
static void test_limits(void **state) {
    static const struct {
        const char *macro;
        unsigned long value;
    } macros[] = {
#define MACRO_ROW(macro) {#macro, macro}
        MACRO_ROW(REKEY_URL_MAX),     MACRO_ROW(REKEY_TOKEN_MAX), MACRO_ROW(REKEY_KEY_VALUE_MAX),
        MACRO_ROW(REKEY_STAGING_MAX), MACRO_ROW(REKEY_HEAD_MAX),  MACRO_ROW(REKEY_FIELDS_MAX),
        MACRO_ROW(REKEY_INTERIM_MAX), MACRO_ROW(REKEY_BODY_MAX),  MACRO_ROW(REKEY_JSON_TOKENS),
        MACRO_ROW(REKEY_JSON_DEPTH),
#undef MACRO_ROW
    };
    size_t with_macro = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        const char *named = strstr(errors[i].text, "REKEY_");
        const char *macro = "x";
        unsigned long value = rekey_error_limit(errors[i].value, &macro);

        row(errors[i].name);
        if (named == NULL || errors[i].value == REKEY_E_LIMIT_ARENA) {
            check_int(value, 0);
            check(strcmp(macro, "") == 0);
            continue;
        }
        with_macro++;
        check_span(rekey_span(macro, strlen(macro)),
                   rekey_span(named, strspn(named, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_")));
        for (size_t k = 0; k < COUNT(macros); k++) {
            if (strcmp(macro, macros[k].macro) == 0) {
                check_int(value, macros[k].value);
            }
        }
    }
    row("all of them");
    check_int(with_macro, COUNT(macros) + 2); // two limits are named twice
    rows_done();
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        UNIT(test_values), UNIT(test_texts),  UNIT(test_no_error),
        UNIT(test_groups), UNIT(test_limits),
    };

    return cmocka_run_group_tests_name("error", tests, NULL, rows_total);
}
