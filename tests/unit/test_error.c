// test_error.c - rekey_error.h: the list of errors is closed and consistent. Every error has its own
// negative value and its own text, lies in the group of hundreds that its name belongs to, and the values
// of a group follow one another.

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
        check(len > 0 && text[len - 1] != '.' && text[len - 1] != ' ');
        for (size_t k = 0; k < len; k++) {
            check(text[k] >= ' ' && text[k] <= '~');
        }
    }
    rows_done();
}

static void test_no_error(void **state) {
    static const int values[] = {0, 1, 100, -1, -99, -112, -199, -902, -1000, INT32_MAX, INT32_MIN};

    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        row_n("value", values[i]);
        check(strcmp(rekey_error_text(values[i]), "unknown error") == 0);
    }
    rows_done();
}

// What a name begins with says which group it is in; the first that fits counts.
static void test_groups(void **state) {
    static const struct {
        const char *start;
        int group;
    } groups[] = {
        {"REKEY_E_LIMIT_", 7}, {"REKEY_E_URL_", 6}, {"REKEY_E_CERT_", 3}, {"REKEY_E_JSON", 5},
        {"REKEY_E_POLL_", 6},
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

int main(void) {
    static const struct CMUnitTest tests[] = {
        UNIT(test_values),
        UNIT(test_texts),
        UNIT(test_no_error),
        UNIT(test_groups),
    };

    return cmocka_run_group_tests_name("error", tests, NULL, rows_total);
}
