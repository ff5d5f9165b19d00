// option_words.c - see option_words.h.

#include "option_words.h"

#include <stdio.h>

#include "suggest.h"
#include "text.h"

bool usage_error(struct fault *f, const char *format, const char *word, const char *more) {
    char shown[256];

    fault_set(f, REKEY_USAGE, REKEY_E_OPTIONS, format,
              visible(rekey_span(word, strlen(word)), shown, sizeof(shown)), more);
    return false;
}

// A list in a message: "a", "a or b", "a, b or c". `prefix` is put before each name.
struct list {
    char text[256];
    const char *prefix, *last; // the last name is written when another one follows, or at the end
    size_t len, count;
};

static void list_put(struct list *list, const char *between) {
    if (list->last != NULL && list->len < sizeof(list->text)) {
        list->len +=
            (size_t)snprintf(list->text + list->len, sizeof(list->text) - list->len, "%s%s%s",
                             list->len > 0 ? between : "", list->prefix, list->last);
    }
}

static void list_add(struct list *list, const char *name) {
    list_put(list, ", ");
    list->last = name;
    list->count++;
}

static const char *list_end(struct list *list, const char *conjunction) {
    list_put(list, conjunction);
    return list->text;
}

static const char *list_commands(struct list *list, const struct command_row *const *commands) {
    for (size_t i = 0; commands[i] != NULL; i++) {
        list_add(list, commands[i]->name);
    }
    return list_end(list, " or ");
}

bool missing_command(const struct command_row *const *commands, struct fault *f) {
    struct list list = {.prefix = ""};

    return usage_error(f, "a command is missing: %s; see rekey help%s",
                       list_commands(&list, commands), "");
}

bool unknown_command(const struct command_row *const *commands, const char *word, bool help,
                     struct fault *f) {
    struct rekey_span text = rekey_span(word, strlen(word));
    size_t best = SUGGEST_NONE, distance;
    struct list list = {.prefix = ""};
    char shown[128];

    visible(text, shown, sizeof(shown));
    for (size_t i = 0; commands[i] != NULL; i++) {
        distance = suggest_distance(text, commands[i]->name);
        if (distance < best) {
            best = distance;
            list.last = commands[i]->name;
        }
    }
    if (best != SUGGEST_NONE) {
        return usage_error(f, "'%s' is not a command; did you mean %s?", shown, list.last);
    }
    return usage_error(
        f, help ? "'%s' is neither a command nor a page of help: %s" : "'%s' is not a command: %s",
        shown, list_commands(&list, commands));
}

bool unknown_option(struct rekey_span name, struct fault *f) {
    const struct option_row *near = NULL;
    struct list begun = {.prefix = "--"};
    size_t best = SUGGEST_NONE, distance;
    char shown[128];

    visible(name, shown, sizeof(shown));
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = &option_table[i];

        distance = suggest_distance(name, row->name);
        if (distance == 0 && strlen(row->name) > name.len) {
            list_add(&begun, row->name);
            near = row;
        } else if (distance < best && begun.count == 0) {
            best = distance;
            near = row;
        }
    }
    if (begun.count == 1 &&
        (near->id == OPTION_TOKEN_FILE || near->id == OPTION_SECRET_FILE ||
         near->id == OPTION_KEY_VALUE_FILE || near->id == OPTION_PROXY_AUTH_FILE)) {
        return usage_error(
            f,
            "'--%s' is not an option: other users can read the arguments of a process; "
            "write the secret to a file, and give --%s FILE",
            shown, near->name);
    }
    if (begun.count > 0) {
        return usage_error(f, "'--%s' is an abbreviation, which is not accepted: write %s", shown,
                           list_end(&begun, " or "));
    }
    return near != NULL
               ? usage_error(f, "'--%s' is not an option; did you mean --%s?", shown, near->name)
               : usage_error(f, "'--%s' is not an option; see rekey help", shown, "");
}

bool unsupported_option(const struct command_row *command,
                        const struct command_row *const *commands, const struct option_row *row,
                        struct fault *f) {
    struct list list = {.prefix = ""};

    for (size_t i = 0; commands[i] != NULL; i++) {
        if ((commands[i]->accepts & row->group) != 0) {
            list_add(&list, commands[i]->name);
        }
    }
    fault_set(f, REKEY_USAGE, REKEY_E_OPTIONS,
              "--%s is not an option of %s, but of %s; see rekey help %s", row->name, command->name,
              list_end(&list, " and "), command->name);
    return false;
}
