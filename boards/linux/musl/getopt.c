// getopt.c - getopt_long for the static commands, in place of musl's, which brings its messages,
// and with them stdio, along. It does what options.c asks for: words are taken in their order (a
// '-' in front of the short names), there are no messages, and a value that is missing is ':'.

#include <getopt.h>
#include <stdbool.h>
#include <string.h>

char *optarg;
int optind = 1, opterr, optopt;

static const char *next; // of a word with several short options; NULL: a new word

// The value of an option: what is behind it in its word, or else the next word.
static int take_value(int argc, char *const *argv, char *inside, int id) {
    optarg = inside;
    if (optarg == NULL) {
        optarg = optind < argc ? argv[optind] : NULL;
        optind++; // also where it is missing
    }
    return optarg != NULL ? id : ':';
}

// "--name" or "--name=value". The beginning of a name stands for the only name that begins so.
static int take_long(int argc, char *const *argv, const struct option *options, int *found) {
    const char *name = argv[optind++] + 2;
    size_t len = strcspn(name, "=");
    char *value = name[len] == '=' ? (char *)name + len + 1 : NULL;
    int match = -1, matches = 0;

    for (int i = 0; options[i].name != NULL; i++) {
        if (strncmp(options[i].name, name, len) == 0) {
            match = i;
            matches++;
            if (options[i].name[len] == '\0') {
                matches = 1;
                break;
            }
        }
    }
    if (matches != 1 || (value != NULL && options[match].has_arg == 0)) {
        return '?';
    }
    *found = match;
    return options[match].has_arg == 0 ? options[match].val
                                       : take_value(argc, argv, value, options[match].val);
}

int getopt_long(int argc, char *const *argv, const char *names, const struct option *options,
                int *found) {
    const char *word = optind < argc ? argv[optind] : NULL, *name;

    if (next == NULL) {
        if (word == NULL) {
            return -1;
        }
        if (word[0] != '-' || word[1] == '\0') {
            optarg = argv[optind++];
            return 1;
        }
        if (word[1] == '-') {
            if (word[2] != '\0') {
                return take_long(argc, argv, options, found);
            }
            optind++;
            return -1;
        }
        next = word + 1;
    }
    optopt = (unsigned char)*next++;
    name = optopt != ':' && optopt != '-' ? strchr(names, optopt) : NULL;
    if (name != NULL && name[1] == ':') {
        char *inside = *next != '\0' ? (char *)next : NULL;

        next = NULL;
        optind++;
        return take_value(argc, argv, inside, optopt);
    }
    if (*next == '\0') {
        next = NULL;
        optind++;
    }
    return name != NULL ? optopt : '?';
}
