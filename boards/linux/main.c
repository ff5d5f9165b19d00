// main.c - the command `rekey`: finds the command in a table and runs it. The exit code is the
// outcome (docs/service.md 7.1). Everything is in static memory; nothing is on the heap.

#include "command/commands.h"
#include "help.h"
#include "options.h"
#include "outcome.h"
#include "output.h"
#include "process.h"

#define ROW(name) &command_##name,
static const struct command_row *const commands[] = {REKEY_COMMANDS(ROW) NULL};
#undef ROW

// --help and --version have no last line, because nothing was tried.
static int print(const struct options *o) {
    if (o->help) {
        help_print(commands, o);
    } else {
        help_print_version();
    }
    if (out_flush()) {
        return REKEY_SUCCEEDED;
    }
    say("error: standard output could not be written");
    return outcome_finish(REKEY_LOCAL);
}

int main(int argc, char **argv) {
    static struct options options;
    struct fault fault;

    process_begin();
    if (!options_parse(&options, commands, argc, argv, &fault)) {
        say("error: %s", fault.text);
        return outcome_finish(fault.outcome);
    }
    if (options.help || options.version) {
        return print(&options);
    }
    hold_lines(options.quiet);
    return options.command->run(&options);
}
