/*
 * replay.c — a fuzz target's main() in builds without libFuzzer: every input of a committed corpus (packed.h), once.
 *
 *     fuzz_scan tests/fuzz/corpus/scan
 *     fuzz_scan -- FILE...                     inputs as they are, as libFuzzer leaves what it found
 *
 * A corpus without inputs fails: a test of nothing is none. What an input breaks ends the process; its line is told.
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "tests/fuzz/packed.h"

static int told; /* standard error as it was: a target may lead the descriptor elsewhere */
static char current[4096];
static unsigned count;

int __attribute__((weak)) LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    return 0;
}

static void tell_current(int number)
{
    static const char sentence[] = "replay: this input ended the process: ";
    (void)!write(told, sentence, sizeof sentence - 1);
    (void)!write(told, current, strlen(current));
    (void)!write(told, "\n", 1);
    signal(number, SIG_DFL);
    raise(number);
}

static void fail(const char *what, const char *path)
{
    dprintf(told, "replay: %s %s: %s\n", what, path, strerror(errno));
    exit(1);
}

static void replay_input(const uint8_t *data, size_t bytes)
{
    uint8_t *exact = exact_copy(data, bytes);
    alarm(100); /* a hang fails */
    (void)LLVMFuzzerTestOneInput(exact, bytes);
    free(exact);
    count++;
}

/* One input as it is: what libFuzzer leaves. */
static void replay_file(const char *path)
{
    static uint8_t data[PACKED_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail("cannot open", path);
    size_t bytes = fread(data, 1, sizeof data, file);
    fclose(file);
    snprintf(current, sizeof current, "%s", path);
    replay_input(data, bytes);
}

static void replay_corpus(const char *path)
{
    static uint8_t data[PACKED_BYTES_MAX];
    FILE *lines = fopen(path, "r");
    char *line = NULL, name[PACKED_NAME_MAX];
    size_t capacity = 0;
    if (lines == NULL)
        fail("cannot open", path);
    for (ssize_t length; (length = getline(&line, &capacity, lines)) > 0;) {
        line[length - 1] = '\0';
        size_t bytes = packed_decode(line, name, data);
        snprintf(current, sizeof current, "%s, line %u: %s", path, count + 1, line);
        replay_input(data, bytes);
    }
    free(line);
    fclose(lines);
}

int main(int argc, char **argv)
{
    static const int fatal[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM};
    told = dup(STDERR_FILENO);
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        signal(fatal[i], tell_current);
    (void)LLVMFuzzerInitialize(&argc, &argv);
    if (argc == 2)
        replay_corpus(argv[1]);
    for (int i = 2; argc > 2 && i < argc; i++)
        replay_file(argv[i]);
    dprintf(told, "%u inputs\n", count);
    return count > 0 ? 0 : 1;
}
