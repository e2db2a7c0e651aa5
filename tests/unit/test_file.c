/* test_file.c — system calls on files: modes, owners, links, short and interrupted transfers, failed syncs, the
 * lock. */
#define _GNU_SOURCE /* told_calls.h */
#include "journal/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/child.h"
#include "tests/lib/expect.h"
#include "tests/lib/tempdir.h"
#include "tests/unit/told_calls.h"

#define FOREIGN_UID 12345

/* ---- Every test has a directory -------------------------------------------------------------------------------- */

static char root[TEMPDIR_BYTES];
static int root_fd = -1;

static void begin(void)
{
    tempdir_make(root);
    root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(root_fd, 0);
    memset(&told, 0, sizeof(told));
}

static void end(void)
{
    memset(&told, 0, sizeof(told));
    close(root_fd);
    tempdir_remove(root);
    leaks_check();
}

TestSuite(file, .init = begin, .fini = end, .timeout = 240);

static const char *path_of(const char *name)
{
    static char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, root, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");
    cr_assert_not_null(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

/* The content, terminated; up to 255 bytes. */
static const char *content_of(const char *name)
{
    static char text[256];
    FILE *file = fopen(path_of(name), "r");
    cr_assert_not_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    cr_assert_eq(fclose(file), 0);
    return text;
}

static struct stat stat_of(const char *name)
{
    struct stat st;
    cr_assert_eq(lstat(path_of(name), &st), 0, "%s: %s", name, strerror(errno));
    return st;
}

static int opened(const char *name, enum file_mode mode)
{
    int fd = -1;
    EXPECT_OK(file_open_at(root_fd, name, mode, &fd, &test_error));
    cr_assert_geq(fd, 0);
    return fd;
}

/* The call, which gets &refused for its descriptor, fails with the status, names `name`, and leaves it alone. */
#define EXPECT_REFUSED(call, status, name)                                                                             \
    do {                                                                                                               \
        int refused = -77;                                                                                             \
        EXPECT_STATUS(call, status);                                                                                   \
        cr_assert_eq(refused, -77, "%s touched the descriptor", #call);                                                \
        cr_assert_str_eq(test_error.file, name);                                                                       \
        cr_assert_str_neq(test_error.text, "");                                                                        \
    } while (0)

/* ---- Directories ----------------------------------------------------------------------------------------------- */

Test(file, a_directory_is_created_0700_whatever_the_umask)
{
    static const mode_t umasks[] = {0, 022, 077, 0177, 0777};
    for (size_t i = 0; i < sizeof(umasks) / sizeof(umasks[0]); i++) {
        char name[16];
        snprintf(name, sizeof(name), "dir%zu", i);
        int fd;
        mode_t before = umask(umasks[i]);
        EXPECT_OK(dir_open_at(root_fd, name, true, &fd, &test_error));
        umask(before);
        cr_assert_eq(stat_of(name).st_mode, S_IFDIR | 0700, "umask %o", umasks[i]);
        cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        file_close(fd);
    }
}

Test(file, a_directory_is_created_0700_without_proc_too)
{
    told.no_proc = true;
    int fd;
    mode_t before = umask(0277);
    EXPECT_OK(dir_open_at(root_fd, "dir", true, &fd, &test_error));
    umask(before);
    file_close(fd);
    cr_assert_eq(stat_of("dir").st_mode, S_IFDIR | 0700);
}

Test(file, a_directory_that_is_there_keeps_its_mode)
{
    cr_assert_eq(mkdir(path_of("there"), 0755), 0);
    cr_assert_eq(chmod(path_of("there"), 0755), 0);
    int fd;
    EXPECT_OK(dir_open(path_of("there"), true, &fd, &test_error));
    file_close(fd);
    cr_assert_eq(told.synced, stat_of(".").st_ino, "whoever made it may have been killed before its sync");
    told.synced = 0;
    EXPECT_OK(dir_open(path_of("there"), false, &fd, &test_error));
    file_close(fd);
    cr_assert_eq(told.synced, 0, "a reader promises nothing");
    cr_assert_eq(stat_of("there").st_mode, S_IFDIR | 0755);
}

Test(file, a_new_directory_is_durable_in_its_parent)
{
    int fd;
    EXPECT_OK(dir_open(path_of("one"), true, &fd, &test_error));
    cr_assert_eq(told.synced, stat_of(".").st_ino);
    told.synced = 0;
    int inner;
    EXPECT_OK(dir_open_at(fd, "two", true, &inner, &test_error));
    cr_assert_eq(told.synced, stat_of("one").st_ino);
    file_close(inner);
    file_close(fd);
    told.synced = 0;
    cr_assert_eq(chdir(root), 0);
    EXPECT_OK(dir_open("three", true, &fd, &test_error));
    cr_assert_eq(told.synced, stat_of(".").st_ino);
    file_close(fd);
}

Test(file, a_missing_directory_is_not_found)
{
    EXPECT_REFUSED(dir_open(path_of("none"), false, &refused, &test_error), SETTLE_E_NOT_FOUND, path_of("none"));
    EXPECT_REFUSED(dir_open_at(root_fd, "none", false, &refused, &test_error), SETTLE_E_NOT_FOUND, "none");
    EXPECT_REFUSED(dir_open(path_of("none/inner"), true, &refused, &test_error), SETTLE_E_NOT_FOUND,
                   path_of("none/inner"));
    EXPECT_REFUSED(dir_open("", true, &refused, &test_error), SETTLE_E_NOT_FOUND, "");
    cr_assert_not(file_exists_at(root_fd, "none"));
}

Test(file, a_directory_is_no_symbolic_link_not_even_before_a_slash)
{
    cr_assert_eq(mkdir(path_of("real"), 0700), 0);
    cr_assert_eq(symlinkat("real", root_fd, "link"), 0);
    int fd;
    EXPECT_OK(dir_open(path_of("real//"), false, &fd, &test_error));
    file_close(fd);
    static const char *const names[] = {"link", "link/", "link///"};
    for (size_t i = 0; i < 3; i++) {
        for (int create = 0; create < 2; create++)
            EXPECT_REFUSED(dir_open(path_of(names[i]), create, &refused, &test_error), SETTLE_E_ACCESS,
                           path_of("link"));
    }
    EXPECT_REFUSED(dir_open_at(root_fd, "link", true, &refused, &test_error), SETTLE_E_ACCESS, "link");
}

Test(file, a_file_is_no_directory)
{
    write_file("plain", "x");
    EXPECT_REFUSED(dir_open(path_of("plain"), true, &refused, &test_error), SETTLE_E_ACCESS, path_of("plain"));
    EXPECT_REFUSED(dir_open(path_of("plain/inner"), true, &refused, &test_error), SETTLE_E_ACCESS,
                   path_of("plain/inner"));
}

Test(file, names_that_are_too_long_are_invalid)
{
    char longer[5000];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    int fd = -77;
    EXPECT_STATUS(dir_open(longer, true, &fd, &test_error), SETTLE_E_INVALID);
    EXPECT_STATUS(dir_open_at(root_fd, longer, true, &fd, &test_error), SETTLE_E_INVALID);
    EXPECT_STATUS(file_open_at(root_fd, longer, FILE_CREATE, &fd, &test_error), SETTLE_E_INVALID);
    cr_assert_eq(fd, -77);
}

Test(file, names_are_listed_sorted_and_again)
{
    char **names = NULL;
    size_t count = 99;
    EXPECT_OK(dir_list(root_fd, "root", &mem_libc, &names, &count, &test_error));
    cr_assert_eq(count, 0);
    dir_list_free(names, count, &mem_libc);
    for (int i = 0; i < 40; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%02d", i * 17 % 40);
        write_file(name, "");
    }
    for (int round = 0; round < 2; round++) {
        EXPECT_OK(dir_list(root_fd, "root", &mem_libc, &names, &count, &test_error));
        cr_assert_eq(count, 40);
        for (size_t i = 0; i < count; i++) {
            char name[24];
            snprintf(name, sizeof(name), "%02zu", i);
            cr_assert_str_eq(names[i], name);
        }
        dir_list_free(names, count, &mem_libc);
    }
    char **untouched = (char **)root;
    int plain = opened("00", FILE_READ);
    EXPECT_STATUS(dir_list(plain, "00", &mem_libc, &untouched, &count, &test_error), SETTLE_E_ACCESS);
    cr_assert(untouched == (char **)root && count == 40);
    file_close(plain);
}

/* ---- Opening files --------------------------------------------------------------------------------------------- */

Test(file, a_file_is_created_0600_whatever_the_umask)
{
    static const mode_t umasks[] = {0, 022, 077, 0777};
    static const enum file_mode modes[] = {FILE_CREATE, FILE_CREATE_OR_WRITE};
    for (size_t i = 0; i < 8; i++) {
        char name[16];
        snprintf(name, sizeof(name), "file%zu", i);
        mode_t before = umask(umasks[i % 4]);
        int fd = opened(name, modes[i / 4]);
        umask(before);
        cr_assert_eq(stat_of(name).st_mode, S_IFREG | 0600, "umask %o", umasks[i % 4]);
        cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        EXPECT_OK(file_write(fd, name, 0, "x", 1, &test_error));
        file_close(fd);
    }
}

Test(file, modes_of_opening)
{
    EXPECT_REFUSED(file_open_at(root_fd, "a", FILE_READ, &refused, &test_error), SETTLE_E_NOT_FOUND, "a");
    EXPECT_REFUSED(file_open_at(root_fd, "a", FILE_WRITE, &refused, &test_error), SETTLE_E_NOT_FOUND, "a");
    cr_assert_not(file_exists_at(root_fd, "a"));
    int fd = opened("a", FILE_CREATE);
    EXPECT_OK(file_write(fd, "a", 0, "text", 4, &test_error));
    file_close(fd);
    cr_assert(file_exists_at(root_fd, "a"));
    EXPECT_REFUSED(file_open_at(root_fd, "a", FILE_CREATE, &refused, &test_error), SETTLE_E_EXISTS, "a");

    cr_assert_eq(chmod(path_of("a"), 0640), 0);
    static const enum file_mode modes[] = {FILE_READ, FILE_WRITE, FILE_CREATE_OR_WRITE};
    for (size_t i = 0; i < 3; i++) {
        fd = opened("a", modes[i]);
        char text[4];
        EXPECT_OK(file_read_zeros(fd, "a", 0, text, 4, &test_error));
        cr_assert_arr_eq(text, "text", 4);
        EXPECT_STATUS(file_write(fd, "a", 0, "text", 4, &test_error), i == 0 ? SETTLE_E_IO : SETTLE_OK);
        file_close(fd);
    }
    cr_assert_eq(stat_of("a").st_mode, S_IFREG | 0640, "only a new file gets its mode");
}

Test(file, nothing_but_a_regular_file_is_opened)
{
    write_file("real", "x");
    cr_assert_eq(symlinkat("real", root_fd, "link"), 0);
    cr_assert_eq(symlinkat("nowhere", root_fd, "dangling"), 0);
    cr_assert_eq(mkfifo(path_of("fifo"), 0600), 0);
    cr_assert_eq(mkdir(path_of("folder"), 0700), 0);
    static const char *const names[] = {"link", "dangling", "fifo", "folder"};
    static const enum file_mode modes[] = {FILE_READ, FILE_WRITE, FILE_CREATE_OR_WRITE};
    for (size_t i = 0; i < 12; i++) {
        const char *name = names[i / 3];
        EXPECT_REFUSED(file_open_at(root_fd, name, modes[i % 3], &refused, &test_error), SETTLE_E_ACCESS, name);
        EXPECT_REFUSED(file_open_at(root_fd, name, FILE_CREATE, &refused, &test_error), SETTLE_E_EXISTS, name);
    }
    cr_assert_not(file_exists_at(root_fd, "nowhere"));
    cr_assert(file_exists_at(root_fd, "dangling"));
}

Test(file, what_others_may_write_to_is_refused)
{
    static const unsigned refused_modes[] = {0620, 0602, 0622, 0666, 0777},
                          good_modes[] = {0600, 0640, 0604, 0644, 0700};
    write_file("a", "x");
    cr_assert_eq(mkdir(path_of("folder"), 0700), 0);
    for (size_t i = 0; i < 5; i++) {
        cr_assert_eq(chmod(path_of("a"), refused_modes[i]), 0);
        cr_assert_eq(chmod(path_of("folder"), refused_modes[i] | 0100), 0);
        EXPECT_REFUSED(file_open_at(root_fd, "a", FILE_READ, &refused, &test_error), SETTLE_E_ACCESS, "a");
        EXPECT_REFUSED(file_open_at(root_fd, "a", FILE_CREATE_OR_WRITE, &refused, &test_error), SETTLE_E_ACCESS, "a");
        EXPECT_REFUSED(dir_open_at(root_fd, "folder", false, &refused, &test_error), SETTLE_E_ACCESS, "folder");
        EXPECT_REFUSED(dir_open_at(root_fd, "folder", true, &refused, &test_error), SETTLE_E_ACCESS, "folder");
        cr_assert_not_null(strstr(test_error.text, "chmod go-w"));
        int fd = -1; /* log files are for other programs too */
        EXPECT_OK(file_open_shared_at(root_fd, "a", FILE_WRITE, 0640, &fd, &test_error));
        file_close(fd);
        cr_assert_eq(chmod(path_of("a"), good_modes[i]), 0);
        cr_assert_eq(chmod(path_of("folder"), good_modes[i] | 0100), 0);
        file_close(opened("a", FILE_READ));
        file_close(opened("a", FILE_WRITE));
        EXPECT_OK(dir_open_at(root_fd, "folder", true, &fd, &test_error));
        file_close(fd);
    }
}

Test(file, what_has_a_second_name_is_read_and_not_written)
{
    write_file("a", "x");
    cr_assert_eq(linkat(root_fd, "a", root_fd, "second", 0), 0);
    EXPECT_REFUSED(file_open_at(root_fd, "a", FILE_WRITE, &refused, &test_error), SETTLE_E_ACCESS, "a");
    EXPECT_REFUSED(file_open_at(root_fd, "second", FILE_CREATE_OR_WRITE, &refused, &test_error), SETTLE_E_ACCESS,
                   "second");
    EXPECT_REFUSED(file_open_shared_at(root_fd, "a", FILE_WRITE, 0640, &refused, &test_error), SETTLE_E_ACCESS, "a");
    cr_assert_not_null(strstr(test_error.text, "2 names"));
    file_close(opened("a", FILE_READ));
    cr_assert_eq(unlinkat(root_fd, "second", 0), 0);
    file_close(opened("a", FILE_WRITE));
}

Test(file, another_users_files_are_roots_to_read_only)
{
    if (geteuid() != 0)
        cr_skip_test("only root can give files away");
    write_file("theirs", "x");
    cr_assert_eq(chmod(path_of("theirs"), 0644), 0);
    cr_assert_eq(mkdir(path_of("folder"), 0755), 0);
    cr_assert_eq(chmod(path_of("folder"), 0755), 0);
    cr_assert_eq(chmod(root, 0755), 0);
    cr_assert_eq(chown(path_of("theirs"), FOREIGN_UID, FOREIGN_UID), 0);
    cr_assert_eq(chown(path_of("folder"), FOREIGN_UID, FOREIGN_UID), 0);

    EXPECT_REFUSED(file_open_at(root_fd, "theirs", FILE_WRITE, &refused, &test_error), SETTLE_E_ACCESS, "theirs");
    EXPECT_REFUSED(file_open_at(root_fd, "theirs", FILE_CREATE_OR_WRITE, &refused, &test_error), SETTLE_E_ACCESS,
                   "theirs");
    EXPECT_REFUSED(dir_open_at(root_fd, "folder", true, &refused, &test_error), SETTLE_E_ACCESS, "folder");
    cr_assert_not_null(strstr(test_error.text, "12345"));
    file_close(opened("theirs", FILE_READ));
    int fd;
    EXPECT_OK(dir_open_at(root_fd, "folder", false, &fd, &test_error));
    file_close(fd);
    cr_assert_eq(seteuid(FOREIGN_UID + 1), 0);
    EXPECT_REFUSED(file_open_at(root_fd, "theirs", FILE_READ, &refused, &test_error), SETTLE_E_ACCESS, "theirs");
    EXPECT_REFUSED(dir_open_at(root_fd, "folder", false, &refused, &test_error), SETTLE_E_ACCESS, "folder");
    cr_assert_eq(seteuid(0), 0);
}

Test(file, opening_goes_on_after_interrupts)
{
    write_file("a", "x");
    told.interrupts = 5;
    file_close(opened("a", FILE_READ));
    told.interrupts = 3;
    file_close(opened("b", FILE_CREATE_OR_WRITE));
    told.interrupts = 3;
    int fd;
    EXPECT_OK(dir_open_at(root_fd, "c", true, &fd, &test_error));
    file_close(fd);
    cr_assert_eq(told.interrupts, 0);
}

Test(file, closing_nothing_is_fine)
{
    file_close(-1);
    int fd = opened("a", FILE_CREATE);
    file_close(fd);
    cr_assert_eq(fcntl(fd, F_GETFD), -1);
}

/* ---- Reading, writing, syncing --------------------------------------------------------------------------------- */

Test(file, behind_its_end_a_file_reads_as_zeros)
{
    write_file("a", "0123456789");
    int fd = opened("a", FILE_READ);
    static const uint64_t offsets[] = {0, 4, 9, 10, 11, 1000000};
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        char text[16];
        memset(text, '#', sizeof(text));
        EXPECT_OK(file_read_zeros(fd, "a", offsets[i], text, 12, &test_error));
        for (size_t at = 0; at < sizeof(text); at++) {
            char expected = at >= 12 ? '#' : offsets[i] + at < 10 ? (char)('0' + offsets[i] + at) : '\0';
            cr_assert_eq(text[at], expected, "byte %zu from %zu", at, (size_t)offsets[i]);
        }
    }
    file_close(fd);
}

Test(file, short_and_interrupted_transfers_go_on)
{
    uint8_t bytes[1000], back[1000];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7 + 1);
    int fd = opened("a", FILE_CREATE);
    for (size_t bytes_max = 1; bytes_max < 1200; bytes_max += 37) {
        told.bytes_max = bytes_max;
        told.interrupts = 2;
        EXPECT_OK(file_write(fd, "a", bytes_max, bytes, sizeof(bytes), &test_error));
        memset(back, 0, sizeof(back));
        told.interrupts = 2;
        EXPECT_OK(file_read_zeros(fd, "a", bytes_max, back, sizeof(back), &test_error));
        cr_assert_arr_eq(back, bytes, sizeof(bytes));
        cr_assert_eq(told.interrupts, 0);
    }
    file_close(fd);
}

Test(file, a_failed_transfer_names_the_file_and_the_offset_it_came_to)
{
    int fd = opened("a", FILE_CREATE);
    told.cause = EIO;
    EXPECT_STATUS(file_write(fd, "a", 4096, "x", 1, &test_error), SETTLE_E_IO);
    cr_assert(test_error.cause_errno == EIO && test_error.offset_bytes == 4096);
    cr_assert_str_eq(test_error.file, "a");
    char byte = '#';
    EXPECT_STATUS(file_read_zeros(fd, "a", 123, &byte, 1, &test_error), SETTLE_E_IO);
    cr_assert(test_error.cause_errno == EIO && test_error.offset_bytes == 123);
    told.cause = ENOSPC;
    EXPECT_STATUS(file_write_zeros(fd, "a", 7, 10, &test_error), SETTLE_E_NO_SPACE);
    cr_assert_eq(test_error.offset_bytes, 7);
    told.cause = 0;
    told.takes_nothing = true;
    EXPECT_STATUS(file_write(fd, "a", 0, "x", 1, &test_error), SETTLE_E_IO);
    file_close(fd);
}

Test(file, a_write_that_half_fits_fails_where_the_room_ends)
{
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, limit;
    int fd = opened("a", FILE_CREATE);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){1000, before.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    char bytes[1500] = {0};
    EXPECT_OK(file_write(fd, "a", 0, bytes, 1000, &test_error));
    EXPECT_STATUS(file_write(fd, "a", 500, bytes, 1500, &test_error), SETTLE_E_NO_SPACE);
    cr_assert_eq(test_error.offset_bytes, 1000);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    file_close(fd);
}

Test(file, offsets_that_no_file_has_are_invalid)
{
    int fd = opened("a", FILE_CREATE);
    char byte = '#';
    static const uint64_t offsets[] = {INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX - 1, UINT64_MAX};
    told.calls = 0;
    for (size_t i = 0; i < 4; i++) {
        EXPECT_STATUS(file_read_zeros(fd, "a", offsets[i], &byte, 1, &test_error), SETTLE_E_INVALID);
        EXPECT_STATUS(file_write(fd, "a", offsets[i], &byte, 1, &test_error), SETTLE_E_INVALID);
        cr_assert_eq(test_error.offset_bytes, offsets[i]);
    }
    cr_assert(told.calls == 0 && byte == '#');
    file_close(fd);
}

Test(file, zeros_are_written_exactly_where_they_belong)
{
    static const uint64_t counts[] = {0, 1, 65535, 65536, 65537, 200000};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        char name[16];
        snprintf(name, sizeof(name), "zeros%zu", i);
        int fd = opened(name, FILE_CREATE);
        size_t whole = (size_t)counts[i] + 20;
        uint8_t *bytes = malloc(whole);
        cr_assert_not_null(bytes);
        memset(bytes, 0xff, whole);
        EXPECT_OK(file_write(fd, name, 0, bytes, whole, &test_error));
        EXPECT_OK(file_write_zeros(fd, name, 10, counts[i], &test_error));
        EXPECT_OK(file_read_zeros(fd, name, 0, bytes, whole, &test_error));
        for (size_t at = 0; at < whole; at++)
            cr_assert_eq(bytes[at], at < 10 || at >= 10 + counts[i] ? 0xff : 0, "byte %zu", at);
        uint64_t size;
        EXPECT_OK(file_size(fd, name, &size, &test_error));
        cr_assert_eq(size, whole);
        free(bytes);
        file_close(fd);
    }
}

Test(file, the_size_is_the_files)
{
    int fd = opened("a", FILE_CREATE);
    uint64_t size;
    EXPECT_OK(file_write(fd, "a", (uint64_t)5 << 30, "x", 1, &test_error)); /* behind what 32 bits reach */
    EXPECT_OK(file_size(fd, "a", &size, &test_error));
    file_close(fd);
    EXPECT_STATUS(file_size(-1, "a", &size, &test_error), SETTLE_E_IO);
    cr_assert_eq(size, ((uint64_t)5 << 30) + 1);
}

Test(file, a_sync_is_tried_again_after_an_interrupt_and_never_after_a_failure)
{
    int fd = opened("a", FILE_CREATE);
    memset(&told, 0, sizeof(told));
    told.interrupts = 3;
    EXPECT_OK(file_sync_data(fd, "a", &test_error));
    cr_assert(told.calls == 4 && told.synced == stat_of("a").st_ino);
    told.interrupts = 3;
    EXPECT_OK(dir_sync(root_fd, "root", &test_error));
    cr_assert(told.calls == 8 && told.synced == stat_of(".").st_ino);
    static const int causes[] = {EIO, ENOSPC, EDQUOT, EROFS, EBADF};
    for (size_t i = 0; i < 5; i++) {
        told.cause = causes[i];
        told.failures = 0;
        EXPECT_STATUS(file_sync_data(fd, "a", &test_error), status_of_errno(causes[i]));
        cr_assert(told.failures == 1 && test_error.cause_errno == causes[i], "errno %d", causes[i]);
        EXPECT_STATUS(dir_sync(root_fd, "root", &test_error), status_of_errno(causes[i]));
        cr_assert(told.failures == 2 && test_error.cause_errno == causes[i], "errno %d", causes[i]);
    }
    told.cause = EINVAL; /* a file system that syncs no directories; a file must be synced */
    EXPECT_OK(dir_sync(root_fd, "root", &test_error));
    EXPECT_STATUS(file_sync_data(fd, "a", &test_error), SETTLE_E_IO);
    file_close(fd);
}

Test(file, renaming_and_removing)
{
    write_file("a", "new");
    write_file("b", "old");
    EXPECT_STATUS(file_rename_at(root_fd, "a", "b", &test_error), SETTLE_E_EXISTS); /* never replaces */
    cr_assert_str_eq(test_error.file, "b");
    cr_assert_str_eq(content_of("b"), "old");
    EXPECT_OK(file_remove_at(root_fd, "b", &test_error));
    EXPECT_OK(file_rename_at(root_fd, "a", "b", &test_error));
    cr_assert_str_eq(content_of("b"), "new");
    cr_assert_not(file_exists_at(root_fd, "a"));
    EXPECT_STATUS(file_rename_at(root_fd, "a", "c", &test_error), SETTLE_E_NOT_FOUND);
    cr_assert_str_eq(test_error.file, "a");
    EXPECT_OK(file_remove_at(root_fd, "b", &test_error));
    EXPECT_STATUS(file_remove_at(root_fd, "b", &test_error), SETTLE_E_NOT_FOUND);
}

/* ---- The lock -------------------------------------------------------------------------------------------------- */

static void expect_busy(long pid)
{
    char expected[64];
    snprintf(expected, sizeof(expected), "another writer (pid %ld) has the directory", pid);
    EXPECT_REFUSED(lock_take_at(root_fd, &refused, &test_error), SETTLE_E_BUSY, "lock");
    cr_assert_str_eq(test_error.text, expected);
}

Test(file, one_lock_at_a_time)
{
    cr_assert_not(lock_is_held_at(root_fd));
    cr_assert_not(file_exists_at(root_fd, "lock"), "asking creates nothing");
    int first, second;
    EXPECT_OK(lock_take_at(root_fd, &first, &test_error));
    cr_assert_eq(stat_of("lock").st_mode, S_IFREG | 0600);
    char expected[32];
    snprintf(expected, sizeof(expected), "%ld\n", (long)getpid());
    cr_assert_str_eq(content_of("lock"), expected);
    cr_assert(lock_is_held_at(root_fd));
    expect_busy((long)getpid());
    /* A lock of fcntl's older kind would be gone: a descriptor of the file was closed. */
    cr_assert(lock_is_held_at(root_fd));
    expect_busy((long)getpid());
    file_close(first);
    cr_assert_not(lock_is_held_at(root_fd));
    EXPECT_OK(lock_take_at(root_fd, &second, &test_error));
    file_close(second);
}

Test(file, a_longer_pid_before_leaves_nothing)
{
    write_file("lock", "123456789012\nand more\n");
    int fd;
    EXPECT_OK(lock_take_at(root_fd, &fd, &test_error));
    char expected[32];
    snprintf(expected, sizeof(expected), "%ld\n", (long)getpid());
    cr_assert_str_eq(content_of("lock"), expected);
    file_close(fd);
}

Test(file, a_holder_without_a_readable_pid_has_no_pid)
{
    static const char *const contents[] = {"", "12", "x12\n", "-1\n", "12 \n"};
    int holder;
    EXPECT_OK(lock_take_at(root_fd, &holder, &test_error));
    for (size_t i = 0; i < 5; i++) {
        write_file("lock", contents[i]);
        EXPECT_REFUSED(lock_take_at(root_fd, &refused, &test_error), SETTLE_E_BUSY, "lock");
        cr_assert_str_eq(test_error.text, "another writer has the directory", "content '%s'", contents[i]);
    }
    file_close(holder);
}

/* A journal that is lost, and a store that cannot be looked at: no new journal is begun beside it. */
Test(file, what_cannot_be_looked_at_is_not_taken_for_absent)
{
    char name[300];
    bool exists = true;
    memset(name, 'x', sizeof name - 1); /* longer than a name can be */
    name[sizeof name - 1] = '\0';
    cr_assert_neq(file_look_at(root_fd, name, &exists, &test_error), SETTLE_OK);
    cr_assert(exists, "untouched");
    cr_assert(strstr(test_error.text, "cannot look for the file"), "%s", test_error.text);
    EXPECT_OK(file_look_at(root_fd, "absent", &exists, &test_error));
    cr_assert_not(exists);
    write_file("present", "x");
    EXPECT_OK(file_look_at(root_fd, "present", &exists, &test_error));
    cr_assert(exists);
    EXPECT_OK(file_look_at(root_fd, "present/below", &exists, &test_error));
    cr_assert_not(exists);
}

Test(file, the_lock_of_another_process_is_named_and_dies_with_it)
{
    int ready[2];
    cr_assert_eq(pipe(ready), 0);
    pid_t child = child_fork();
    if (child == 0) {
        int fd;
        char told_parent = lock_take_at(root_fd, &fd, NULL) == SETTLE_OK ? 'y' : 'n';
        if (write(ready[1], &told_parent, 1) == 1)
            pause();
        _exit(1);
    }
    char answer = '?';
    cr_assert_eq(read(ready[0], &answer, 1), 1);
    cr_assert_eq(answer, 'y');
    cr_assert(lock_is_held_at(root_fd));
    expect_busy((long)child);
    cr_assert_eq(kill(child, SIGKILL), 0);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    cr_assert_not(lock_is_held_at(root_fd));
    int fd;
    EXPECT_OK(lock_take_at(root_fd, &fd, &test_error));
    file_close(fd);
    close(ready[0]);
    close(ready[1]);
}

Test(file, a_lock_that_cannot_be_written_or_is_no_file_is_not_taken)
{
    told.takes_nothing = true;
    EXPECT_REFUSED(lock_take_at(root_fd, &refused, &test_error), SETTLE_E_IO, "lock");
    told.takes_nothing = false;
    cr_assert_not(lock_is_held_at(root_fd), "and it is given back");
    EXPECT_OK(file_remove_at(root_fd, "lock", &test_error));
    cr_assert_eq(symlinkat("elsewhere", root_fd, "lock"), 0);
    EXPECT_REFUSED(lock_take_at(root_fd, &refused, &test_error), SETTLE_E_ACCESS, "lock");
    cr_assert_not(file_exists_at(root_fd, "elsewhere"));
    cr_assert(lock_is_held_at(root_fd), "in doubt a reader is careful");
}

/* ---- Names ---------------------------------------------------------------------------------------------------------- */

Test(file, is_the_same_where_device_and_number_are)
{
    const struct file_identity a = {.device = 1, .inode = 2, .bytes = 3, .is_regular = true};
    const struct file_identity rows[] = {{1, 2, 9, false}, {2, 2, 3, true}, {1, 3, 3, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_assert_eq(file_is_same(&a, &rows[i]), i == 0, "row %zu", i);
}

Test(file, the_parent_of_a_name_below_the_root_is_the_root)
{
    char long_name[5000];
    EXPECT_OK(dir_sync_parent("/tmp", &test_error));
    EXPECT_OK(dir_sync_parent("/tmp///", &test_error));
    EXPECT_STATUS(dir_sync_parent("", &test_error), SETTLE_E_NOT_FOUND);
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    EXPECT_STATUS(dir_sync_parent(long_name, &test_error), SETTLE_E_INVALID);
}

Test(file, a_path_through_symbolic_links_that_lead_in_a_circle_is_refused)
{
    int refused = -1;
    cr_assert_eq(symlinkat("circle", root_fd, "circle"), 0);
    EXPECT_STATUS(dir_open_at(root_fd, "circle/inner", false, &refused, &test_error), SETTLE_E_ACCESS);
    cr_assert_not_null(strstr(test_error.text, "a symbolic link"), "%s", test_error.text);
    cr_assert_eq(refused, -1);
}
