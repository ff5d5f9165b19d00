// decisions.c - who answers the questions of the model. Depth first: a run is repeated with the
// same answers up to one that is then another, until all combinations within the budget of adverse
// answers were given. The answers that are not 0 make a script, which can be printed and played
// again; each is named by its question, and by which of the questions of its kind it answers.

#include <stdio.h>
#include <stdlib.h>

#include "model.h"

#define PATH_MAX_LEN 4096
#define NAMES_MAX 20 // with a NULL at the end

static const struct {
    const char *tag, *answers[NAMES_MAX];
} names[TAGS] = {
    [GAP] = {"gap", {"10 min", "35 min", "25 h", "30 s"}},
    [FOLLOW] = {"follow", {"no", "sync"}},
    [FILES] = {"files",
               {"stay", "state lost", "operation lost", "key lost", "state and operation lost",
                "previous lost", "restored as before the last run", "other key by hand"}},
    [CLOCK] = {"clock", {"runs", "+2 h", "-2 h", "+10 min", "+3 days", "reboot"}},
    [FOREIGN] = {"foreign", {"nothing", "primary", "secondary"}},
    [VERB] = {"verb", {"rotate", "rollback"}},
    [OPTIONS] = {"options",
                 {"usual", "no hook", "timeout 60", "timeout 7200", "min-age 0", "settle 0"}},
    [STORE] = {"store",
               {"done", "error", "error with effect", "power lost after", "power lost half-way",
                "error half-way"}},
    [UNDELETE] = {"undelete", {"no", "operation is back"}},
    [OPEN] = {"open", {"done", "no connection", "not trusted"}},
    [POST] = {"post",
              {"200", "202 async, executed", "202 location, runs", "202 async, fails",
               "202 no url, runs", "202 foreign url, runs", "403", "429", "500, executed",
               "500, runs", "lost, executed", "lost, runs", "power lost, executed",
               "power lost, runs", "401", "hangs, runs", "503"}},
    [DELAY] = {"delay", {"3 s", "never", "100 s", "15 min", "25 min", "29:45", "29:59"}},
    [LATER] = {"later", {"no", "31 min", "45 min", "3 h"}},
    [LIST] = {"list",
              {"current", "403", "null", "equal", "401", "reset", "403 from now", "reset from now",
               "429 for 90 s", "late", "late from now", "old by one", "old by two", "old for 90 s",
               "old for 40 min", "old for 4 h"}},
    [POLL] = {"poll",
              {"truth", "404 from now", "401", "reset from now", "403", "running from now",
               "power lost"}},
    [SHOW] = {"show", {"a scoring URI", "http", "none", "403"}},
    [SCORE] = {"score", {"truth", "400", "404 from now", "429 from now", "500 from now", "hangs"}},
    [HOOK_RUN] = {"hook", {"runs", "fails", "power lost", "takes 90 s", "takes 40 min"}},
    [STOP] = {"stop", {"no", "power lost", "SIGTERM"}},
};

bool kind, tracing, adverse;
uint64_t asked[TAGS];
char classes[32];

static struct {
    int len, at; // answers in the arrays; the next one
    uint8_t value[PATH_MAX_LEN], count[PATH_MAX_LEN];
    int left, run;
    uint16_t nth[TAGS]; // questions of each kind so far, in this run
    struct script script;
    const struct script *played; // NULL: none
} path;

const char *tag_name(enum tag tag) {
    return names[tag].tag;
}

const char *answer_name(enum tag tag, int value) {
    return names[tag].answers[value];
}

void begin_path(void) {
    path.len = 0;
}

// Those that were not asked in the last run are none of the path any more.
bool next_path(void) {
    path.len = path.at;
    while (path.len > 0) {
        int last = path.len - 1;

        if (path.value[last] + 1 < path.count[last]) {
            path.value[last]++;
            return true;
        }
        path.len--;
    }
    return false;
}

void begin_answers(const struct script *before, int number, int left) {
    path.at = 0;
    path.left = left;
    path.run = number;
    path.script = *before;
    memset(path.nth, 0, sizeof(path.nth));
}

struct script answers(void) {
    return path.script;
}

int adverse_left(void) {
    return path.left;
}

void play_script(const struct script *script) {
    path.played = script;
}

static int played(enum tag tag) {
    for (int i = 0; i < path.played->n; i++) {
        const struct decision *d = &path.played->decisions[i];

        if (d->run == path.run && d->tag == tag && d->nth == path.nth[tag]) {
            return d->value;
        }
    }
    return 0;
}

static void note(enum tag tag, int value, int cost) {
    if (value == 0) {
        return;
    }
    path.left -= cost;
    adverse |= cost > 0;
    TRACE("[%s: %s]", names[tag].tag, names[tag].answers[value]);
    if (path.script.n < SCRIPT_MAX) {
        path.script.decisions[path.script.n++] = (struct decision){
            (uint8_t)path.run, (uint8_t)tag, (uint8_t)value, (uint8_t)cost, path.nth[tag]};
    }
}

int choose(enum tag tag, int count, int cost) {
    int value = 0;

    if (kind) {
        return 0;
    }
    path.nth[tag]++;
    if (path.played != NULL) {
        value = played(tag);
    } else if (count > 1 && cost <= path.left) {
        if (path.at == PATH_MAX_LEN) {
            fputs("a run asks more than PATH_MAX_LEN (decisions.c) questions\n", stderr);
            exit(2);
        }
        asked[tag]++;
        if (path.at == path.len) {
            path.value[path.len] = 0;
            path.count[path.len++] = (uint8_t)count;
        }
        value = path.value[path.at++];
    }
    note(tag, value, cost);
    return value;
}

// ---- scripts ------------------------------------------------------------------------------------

// post=lost, runs; delay=25 min | list=403@2
void print_script(const struct script *script) {
    int number = 1;
    const char *before = "";

    for (int i = 0; i < script->n; i++) {
        const struct decision *d = &script->decisions[i];

        for (; number < d->run; number++) {
            printf(" |");
            before = " ";
        }
        printf("%s%s=%s", before, names[d->tag].tag, names[d->tag].answers[d->value]);
        if (d->nth > 1) {
            printf("@%d", d->nth);
        }
        before = "; ";
    }
}

static bool parse_decision(const char *tag, const char *answer, struct decision *d) {
    while (d->tag < TAGS && strcmp(names[d->tag].tag, tag) != 0) {
        d->tag++;
    }
    while (d->tag < TAGS && names[d->tag].answers[d->value] != NULL &&
           strcmp(names[d->tag].answers[d->value], answer) != 0) {
        d->value++;
    }
    return d->tag < TAGS && names[d->tag].answers[d->value] != NULL;
}

bool parse_script(const char *text, struct script *script) {
    int number = 1;

    for (script->n = 0; *text != '\0'; number += *text == '|', text += *text != '\0') {
        struct decision *d = &script->decisions[script->n];
        char tag[16], answer[40];
        int len = (int)strcspn(text, ";|");

        *d = (struct decision){.run = (uint8_t)number, .nth = 1};
        if (sscanf(text, " %15[^=;|]=%39[^;|@]@%hu", tag, answer, &d->nth) >= 2) {
            for (size_t end = strlen(answer); end > 0 && answer[end - 1] == ' ';) {
                answer[--end] = '\0';
            }
            if (!parse_decision(tag, answer, d) || ++script->n == SCRIPT_MAX) {
                fprintf(stderr, "-p: '%.*s' is none of the decisions, or one too many\n", len,
                        text);
                return false;
            }
        }
        text += len;
    }
    return true;
}
