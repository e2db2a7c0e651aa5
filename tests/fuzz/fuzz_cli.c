/*
 * fuzz_cli.c — settlectl's main() in this process, with any arguments, on a small data directory. Words end at newlines; behind
 * a byte 0 stands settle.json, behind another one standard input.
 *
 * It runs in a temporary directory, and no word is let through that names a place outside of it. Beside the data directory lie
 * a key, a seal, events and a statement. What must hold: an exit status that is documented; a sentence on standard error where
 * it is 2 or more; with --json nothing but JSON, a value a line; a question changes no file. `bench` and `tail --follow` are
 * taken apart and not run. What a command wrote is put back.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memfd_create */
#endif
#include <cjson/cJSON.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/history.h"
#include "tests/lib/tempdir.h"
#include "tests/lib/tree.h"
#include "tools/command.h"

int settlectl_main(int argc, char **argv); /* tools/settlectl.c */

#define WORDS_MAX 24
#define OUTPUT_MAX ((size_t)1 << 20)

static char base[TEMPDIR_PATH_BYTES], work[TEMPDIR_PATH_BYTES], parent[TEMPDIR_BYTES];
static char *base_listing;
static int told = STDERR_FILENO; /* where this target's own messages go */

#define MUST_TELL(condition)                                                                                           \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            dprintf(told, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                      \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* ---- Standard input, output and error, in memory ------------------------------------------------------------------------ */

static int streams[3];

static void stream_fill(int fd, const void *bytes, size_t count)
{
    MUST_TELL(ftruncate(streams[fd], 0) == 0 && pwrite(streams[fd], bytes, count, 0) == (ssize_t)count);
    MUST_TELL(lseek(streams[fd], 0, SEEK_SET) == 0 && dup2(streams[fd], fd) == fd);
}

/* What was written; terminated. */
static size_t stream_read(int fd, char *ret_text)
{
    ssize_t count = pread(streams[fd], ret_text, OUTPUT_MAX - 1, 0);
    MUST_TELL(count >= 0);
    ret_text[count] = '\0';
    return (size_t)count;
}

static void streams_make(void)
{
    static const char *const names[3] = {"stdin", "stdout", "stderr"};
    told = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
    if (told < 0) /* closed by libFuzzer */
        told = STDERR_FILENO;
    for (int fd = 0; fd < 3; fd++) {
        int memory = memfd_create(names[fd], MFD_CLOEXEC);
        MUST_TELL(memory >= 0);
        streams[fd] = fcntl(memory, F_DUPFD_CLOEXEC, 110);
        close(memory);
        MUST_TELL(streams[fd] >= 0);
    }
}

/* ---- The directory ------------------------------------------------------------------------------------------------------ */

static int run(int argc, char **argv, const void *input, size_t input_bytes)
{
    stream_fill(STDIN_FILENO, input, input_bytes);
    stream_fill(STDOUT_FILENO, "", 0);
    stream_fill(STDERR_FILENO, "", 0);
    rewind(stdin);
    int exit_status = settlectl_main(argc, argv);
    fflush(stdout);
    fflush(stderr);
    return exit_status;
}

static void run_words(const char *const *words)
{
    char *argv[12] = {strdup("settlectl")};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = strdup(words[argc - 1]);
    MUST_TELL(run(argc, argv, "", 0) == 0);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
}

static void put_file(const char *name, const char *text)
{
    tree_write(name, 0, text, strlen(text));
}

static void make_base(void)
{
    MUST_TELL(mkdir(base, 0700) == 0 && chdir(base) == 0 && mkdir("data", 0700) == 0);
    image_store(&base_images[CLOSED], "data");
    run_words((const char *[]){"-D", "data", "seal", "--new-key", "key", NULL});
    run_words((const char *[]){"-D", "data", "seal", "--key", "key", "-o", "a.seal", NULL});
    put_file("events", "{\"type\":\"deposit\",\"user\":7,\"asset\":1,\"amount\":\"1\",\"ts\":5}\n"
                       "{\"type\":\"asset\",\"asset\":\"NEW\",\"id\":77,\"scale\":2}\nwrong\n");
    put_file("statement.csv", "user,asset,balance\n1,1,5\n2,1,0.5\nexternal,1,-7\n");
    put_file("events.csv", "event_id,user,asset,amount\nx,1,1,1\n");
}

static void make_work(void)
{
    MUST_TELL(chdir(parent) == 0);
    if (access(work, F_OK) == 0)
        tempdir_remove(work);
    tree_copy(base, work);
    MUST_TELL(chdir(work) == 0);
}

static void remove_all(void)
{
    (void)!chdir("/");
    tempdir_remove(parent);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct rlimit size = {8 << 20, 8 << 20}; /* init --segment-size would fill the memory */
    (void)argc, (void)argv;
    history_make();
    tempdir_make(parent);
    atexit(remove_all);
    tempdir_join(base, parent, "base");
    tempdir_join(work, parent, "work");
    streams_make();
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &size);
    setenv("SETTLE_DATA", "data", 1);
    setenv("TZ", "UTC", 1);
    make_base();
    make_work();
    base_listing = tree_listing("data");
    (void)dup2(told, STDERR_FILENO); /* libFuzzer takes it from here (-close_fd_mask=3) */
    return 0;
}

/* ---- One command line ------------------------------------------------------------------------------------------------- */

/* Names a place below the working directory, whatever part of the word is a path. */
static bool is_harmless(const char *word)
{
    if (strstr(word, "..") != NULL || strlen(word) > 200)
        return false;
    for (const char *at = word; (at = strchr(at, '/')) != NULL; at++)
        if (at == word || strchr("=/", at[-1]) != NULL || (word[0] == '-' && word[1] != '-'))
            return false;
    return true;
}

enum effect { ASKS, WRITES, NOT_RUN };

/* What the words ask for; as settlectl will take them. */
static enum effect effect_of(int argc, char **argv, bool *ret_only_json)
{
    static const char *const writers[] = {"init", "ingest", "logs", "replay", "seal", "archive"};
    static const char *const plain[] = {"export", "help", "completion", "version"};
    struct invocation invocation = {.command = NULL};
    char fault[512];
    enum effect effect = ASKS;
    bool is_good = invocation_init(&invocation, argc, argv, fault, sizeof fault);
    *ret_only_json = invocation.as_json;
    if (is_good && invocation.command != NULL) {
        const char *name = invocation.command->name;
        for (size_t i = 0; i < sizeof writers / sizeof *writers; i++)
            effect = strcmp(name, writers[i]) == 0 ? WRITES : effect;
        if (invocation_option(&invocation, OPTION_OUTPUT) != NULL ||
            invocation_option(&invocation, OPTION_LOG_DIR) != NULL)
            effect = WRITES;
        if (strcmp(name, "bench") == 0 || invocation_option(&invocation, OPTION_FOLLOW) != NULL)
            effect = NOT_RUN;
        for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
            *ret_only_json &= strcmp(name, plain[i]) != 0;
        *ret_only_json &= invocation_option(&invocation, OPTION_HELP) == NULL &&
                          invocation_option(&invocation, OPTION_OUTPUT) == NULL;
    }
    invocation_deinit(&invocation);
    return effect;
}

static void check_json_lines(char *text)
{
    for (char *line = text, *end; *line != '\0'; line = end + 1) {
        end = strchr(line, '\n');
        MUST_TELL(end != NULL || strlen(text) == OUTPUT_MAX - 1);
        if (end == NULL)
            break;
        *end = '\0';
        cJSON *json = cJSON_ParseWithOpts(line, NULL, 1);
        if (json == NULL)
            dprintf(told, "no JSON: %s\n", line);
        MUST_TELL(json != NULL);
        cJSON_Delete(json);
    }
}

static void check_outcome(int exit_status, bool only_json)
{
    static char text[OUTPUT_MAX];
    MUST_TELL(exit_status >= 0 && exit_status <= 5);
    size_t error_bytes = stream_read(STDERR_FILENO, text);
    MUST_TELL(exit_status < 2 || error_bytes > 5);
    if (!only_json)
        return;
    check_json_lines(text);
    (void)stream_read(STDOUT_FILENO, text);
    check_json_lines(text);
}

static void check_unchanged(void)
{
    static unsigned runs;
    if (++runs % 64 != 0 && getenv("FUZZ_EVERY") == NULL)
        return;
    char *listing = tree_listing("data");
    if (strcmp(listing, base_listing) != 0)
        dprintf(told, "a question changed files:\n%s\nwas:\n%s\n", listing, base_listing);
    MUST_TELL(strcmp(listing, base_listing) == 0);
    free(listing);
}

/* The part of the input up to a byte 0. */
static struct input take_part(struct input *input)
{
    const uint8_t *zero = input->at < input->end ? memchr(input->at, 0, (size_t)(input->end - input->at)) : NULL;
    struct input part = {input->at, zero != NULL ? zero : input->end};
    input->at = zero != NULL ? zero + 1 : input->end;
    return part;
}

static void run_and_check(int argc, char **argv, struct input config, struct input input)
{
    bool only_json = false, has_config = config.at < config.end;
    enum effect effect = effect_of(argc, argv, &only_json);
    if (effect == NOT_RUN)
        return;
    if (has_config)
        tree_write("data/settle.json", 0, config.at, (size_t)(config.end - config.at));
    int exit_status = run(argc, argv, input.at, (size_t)(input.end - input.at));
    check_outcome(exit_status, only_json);
    if (has_config)
        MUST_TELL(unlink("data/settle.json") == 0);
    if (effect == WRITES)
        make_work();
    else
        check_unchanged();
}

/* In place of the command, which measures for minutes. */
int cmd_bench(struct invocation *invocation)
{
    (void)invocation;
    return EXIT_DONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input input = {data, data + bytes}, line = take_part(&input), config = take_part(&input);
    char *words[WORDS_MAX + 2] = {exact_copy("settlectl", 10)};
    int count = 1;
    bool harmless = true;
    while (line.at < line.end && count <= WORDS_MAX) {
        const uint8_t *newline = memchr(line.at, '\n', (size_t)(line.end - line.at)),
                      *end = newline != NULL ? newline : line.end;
        char *word = calloc(1, (size_t)(end - line.at) + 1);
        MUST_TELL(word != NULL);
        memcpy(word, line.at, (size_t)(end - line.at));
        harmless &= is_harmless(word);
        words[count++] = word;
        line.at = newline != NULL ? newline + 1 : line.end;
    }
    if (harmless)
        run_and_check(count, words, config, input);
    for (int i = 0; i < count; i++)
        free(words[i]);
    return 0;
}
