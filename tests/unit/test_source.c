/* test_source.c — one input of ingest: files, FIFOs, devices, standard input; waiting, seeking, ends and errors. */
#include "ingest/source.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/lib/expect.h"
#include "tests/lib/plain.h"
#include "tests/lib/tempdir.h"

SETTLE_SUITE(source);

static char base[TEMPDIR_BYTES], path[TEMPDIR_PATH_BYTES];
static struct source source;

static void begin(const char *content)
{
    tempdir_make(base);
    tempdir_join(path, base, "input");
    if (content == NULL)
        return;
    FILE *stream = fopen(path, "w");
    CHECK(stream != NULL && fputs(content, stream) >= 0 && fclose(stream) == 0);
}

static void expect_read(size_t room, const char *expected)
{
    char buffer[64];
    size_t bytes = 99;
    bool is_end = true;
    EXPECT_OK(source_read(&source, buffer, room, &bytes, &is_end, &test_error));
    cr_assert_eq(bytes, strlen(expected));
    cr_assert(memcmp(buffer, expected, bytes) == 0);
    cr_assert_not(is_end);
}

static void expect_end(void)
{
    char buffer[8];
    size_t bytes = 99;
    bool is_end = false;
    EXPECT_OK(source_read(&source, buffer, sizeof buffer, &bytes, &is_end, &test_error));
    cr_assert_eq(bytes, 0);
    cr_assert(is_end);
}

static void expect_nothing_yet(void)
{
    char buffer[8];
    size_t bytes = 99;
    bool is_end = true;
    EXPECT_OK(source_read(&source, buffer, sizeof buffer, &bytes, &is_end, &test_error));
    cr_assert_eq(bytes, 0);
    cr_assert_not(is_end);
}

Test(source, a_file_is_read_to_its_end)
{
    begin("0123456789");
    EXPECT_OK(source_open(path, &source, &test_error));
    cr_assert(source.is_file);
    cr_assert_eq(source.bytes, 10);
    cr_assert(source_wait(&source, 0));
    expect_read(4, "0123");
    expect_read(64, "456789");
    expect_end();
    source_close(&source);
    source_close(&source);
    tempdir_remove(base);
}

Test(source, a_file_can_be_read_from_a_position)
{
    begin("ab\ncd\n");
    int last_byte = 99;
    EXPECT_OK(source_open(path, &source, &test_error));
    EXPECT_OK(source_seek(&source, 3, &last_byte, &test_error));
    cr_assert_eq(last_byte, '\n');
    expect_read(64, "cd\n");
    EXPECT_OK(source_seek(&source, 4, &last_byte, &test_error));
    cr_assert_eq(last_byte, 'c');
    EXPECT_OK(source_seek(&source, 0, &last_byte, &test_error));
    cr_assert_eq(last_byte, -1);
    expect_read(1, "a");
    EXPECT_OK(source_seek(&source, 6, &last_byte, &test_error));
    expect_end();
    last_byte = 99;
    EXPECT_STATUS(source_seek(&source, 7, &last_byte, &test_error), SETTLE_E_INVALID);
    cr_assert_eq(last_byte, 99);
    cr_assert_not_null(strstr(test_error.text, "shorter than the 7 bytes"), "%s", test_error.text);
    source_close(&source);
    tempdir_remove(base);
}

Test(source, standard_input_begins_where_it_stands)
{
    begin("0123456789");
    int fd = open(path, O_RDONLY), last_byte;
    CHECK(fd >= 0 && dup2(fd, STDIN_FILENO) == 0 && close(fd) == 0);
    CHECK(lseek(STDIN_FILENO, 4, SEEK_SET) == 4);
    uint64_t bytes;
    bool is_known;
    EXPECT_OK(source_measure("-", &bytes, &is_known, &test_error));
    cr_assert(is_known);
    cr_assert_eq(bytes, 6);
    EXPECT_OK(source_open("-", &source, &test_error));
    cr_assert_eq(source.bytes, 6);
    EXPECT_OK(source_seek(&source, 2, &last_byte, &test_error));
    cr_assert_eq(last_byte, '5');
    expect_read(64, "6789");
    source_close(&source);
    cr_assert_neq(fcntl(STDIN_FILENO, F_GETFD), -1, "standard input stays open");
    tempdir_remove(base);
}

Test(source, what_is_no_input_is_an_error)
{
    begin(NULL);
    uint64_t bytes;
    bool is_known;
    EXPECT_STATUS(source_open(path, &source, &test_error), SETTLE_E_NOT_FOUND);
    cr_assert_eq(test_error.cause_errno, ENOENT);
    cr_assert_str_eq(test_error.file, path);
    EXPECT_STATUS(source_measure(path, &bytes, &is_known, &test_error), SETTLE_E_NOT_FOUND);
    EXPECT_STATUS(source_open(base, &source, &test_error), SETTLE_E_ACCESS);
    cr_assert_eq(test_error.cause_errno, EISDIR);
    EXPECT_STATUS(source_measure(base, &bytes, &is_known, &test_error), SETTLE_E_ACCESS);
    EXPECT_STATUS(source_open("", &source, &test_error), SETTLE_E_NOT_FOUND);
    char long_path[5000];
    memset(long_path, 'x', sizeof long_path);
    long_path[sizeof long_path - 1] = '\0';
    EXPECT_STATUS(source_open(long_path, &source, &test_error), SETTLE_E_INVALID);
    close(STDIN_FILENO);
    EXPECT_STATUS(source_open("-", &source, &test_error), SETTLE_E_IO);
    EXPECT_STATUS(source_measure("-", &bytes, &is_known, &test_error), SETTLE_E_IO);
    tempdir_remove(base);
}

Test(source, a_fifo_says_nothing_before_its_writer_comes_and_ends_when_it_goes)
{
    begin(NULL);
    CHECK(mkfifo(path, 0600) == 0);
    uint64_t bytes = 99;
    bool is_known = true;
    EXPECT_OK(source_measure(path, &bytes, &is_known, &test_error));
    cr_assert_not(is_known);
    cr_assert_eq(bytes, 0);
    EXPECT_OK(source_open(path, &source, &test_error));
    cr_assert_not(source.is_file);
    cr_assert_not(source_wait(&source, 20), "no writer yet is not the end");
    int writer = open(path, O_WRONLY);
    CHECK(writer >= 0);
    cr_assert_not(source_wait(&source, 20));
    expect_nothing_yet();
    CHECK(write(writer, "abc", 3) == 3);
    cr_assert(source_wait(&source, 1000));
    expect_read(64, "abc");
    cr_assert_not(source_wait(&source, 0));
    close(writer);
    cr_assert(source_wait(&source, 1000));
    expect_end();
    source_close(&source);
    tempdir_remove(base);
}

Test(source, a_pipe_on_standard_input_keeps_its_flags)
{
    int ends[2];
    CHECK(pipe(ends) == 0 && dup2(ends[0], STDIN_FILENO) == 0);
    EXPECT_OK(source_open("-", &source, &test_error));
    cr_assert_eq(fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK, 0, "others share them");
    cr_assert_not(source_wait(&source, 0));
    CHECK(write(ends[1], "x", 1) == 1);
    cr_assert(source_wait(&source, 0));
    expect_read(64, "x");
    source_close(&source);
    close(ends[0]);
    close(ends[1]);
}

Test(source, a_device_is_an_input)
{
    EXPECT_OK(source_open("/dev/null", &source, &test_error));
    cr_assert_not(source.is_file);
    cr_assert(source_wait(&source, 0));
    expect_end();
    source_close(&source);
}

static void on_alarm(int number)
{
    (void)number;
}

Test(source, a_signal_ends_the_wait)
{
    int ends[2];
    CHECK(pipe(ends) == 0 && dup2(ends[0], STDIN_FILENO) == 0);
    EXPECT_OK(source_open("-", &source, &test_error));
    struct sigaction action = {.sa_handler = on_alarm};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    struct itimerval soon = {.it_value = {.tv_usec = 50000}};
    CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    cr_assert_not(source_wait(&source, 50000), "and not only after its 50 seconds");
    close(ends[0]);
    close(ends[1]);
}
