/* journal_files.c — files of a journal, for tests; see journal_files.h. Every failure ends the process. */
#include "tests/lib/journal_files.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/base/bytes.h"
#include "journal/watermark.h"

static void must(bool is_so, const char *what, const char *name)
{
    if (is_so)
        return;
    fprintf(stderr, "journal_files: cannot %s %s\n", what, name);
    abort();
}

static int journal_open(int data_fd)
{
    int fd = openat(data_fd, "journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(fd >= 0, "open", "journal");
    return fd;
}

static int file_open(int data_fd, const char *name, int flags)
{
    char path[128];
    snprintf(path, sizeof path, "journal/%s", name);
    int fd = openat(data_fd, path, flags | O_CLOEXEC, 0600);
    must(fd >= 0, "open", name);
    return fd;
}

static uint64_t size_of(int fd, const char *name)
{
    struct stat status;
    must(fstat(fd, &status) == 0, "examine", name);
    return (uint64_t)status.st_size;
}

static void load_one(int data_fd, const char *name, struct journal_file *ret_file)
{
    int fd = file_open(data_fd, name, O_RDONLY);
    ret_file->count = (size_t)size_of(fd, name);
    ret_file->bytes = malloc(ret_file->count + 1);
    must(ret_file->bytes != NULL, "hold", name);
    must(pread(fd, ret_file->bytes, ret_file->count, 0) == (ssize_t)ret_file->count, "read", name);
    snprintf(ret_file->name, sizeof ret_file->name, "%s", name);
    close(fd);
}

void journal_files_load(int data_fd, struct journal_files *ret_files)
{
    char **names = NULL;
    size_t count = 0;
    int journal_fd = journal_open(data_fd);
    must(dir_list(journal_fd, "journal", &mem_libc, &names, &count, NULL) == SETTLE_OK, "list", "journal");
    close(journal_fd);
    struct journal_files files = {calloc(count + 1, sizeof *files.files), 0};
    must(files.files != NULL, "hold", "journal");
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], WATERMARK_NAME) != 0)
            load_one(data_fd, names[i], &files.files[files.count++]);
    }
    dir_list_free(names, count, &mem_libc);
    *ret_files = files;
}

void journal_files_store(int data_fd, const struct journal_files *files)
{
    char **names = NULL;
    size_t count = 0;
    (void)mkdirat(data_fd, "journal", 0700);
    int journal_fd = journal_open(data_fd);
    must(dir_list(journal_fd, "journal", &mem_libc, &names, &count, NULL) == SETTLE_OK, "list", "journal");
    for (size_t i = 0; i < count; i++) {
        must(unlinkat(journal_fd, names[i], 0) == 0, "remove", names[i]);
    }
    dir_list_free(names, count, &mem_libc);
    close(journal_fd);
    for (size_t i = 0; i < files->count; i++)
        journal_file_write(data_fd, files->files[i].name, 0, files->files[i].bytes, files->files[i].count);
}

void journal_files_free(struct journal_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->files[i].bytes);
    free(files->files);
    *files = (struct journal_files){NULL, 0};
}

struct journal_file *journal_files_segment(const struct journal_files *files, uint64_t ordinal)
{
    for (size_t i = 0; i < files->count; i++) {
        uint64_t first_seq, its_ordinal;
        if (segment_name_parse(files->files[i].name, &first_seq, &its_ordinal) && its_ordinal == ordinal)
            return &files->files[i];
    }
    return NULL;
}

size_t journal_files_segment_count(const struct journal_files *files)
{
    size_t count = 0;
    while (journal_files_segment(files, count) != NULL)
        count++;
    return count;
}

/* Bytes up to the last one that is not zero. */
static size_t content(const struct journal_file *file)
{
    size_t count = file->count;
    while (count > 0 && file->bytes[count - 1] == 0)
        count--;
    return count;
}

const char *journal_files_difference(const struct journal_files *a, const struct journal_files *b)
{
    for (uint64_t i = 0;; i++) {
        const struct journal_file *x = journal_files_segment(a, i), *y = journal_files_segment(b, i);
        if (x == NULL && y == NULL)
            return NULL;
        if (x == NULL || y == NULL)
            return x == NULL ? y->name : x->name;
        if (strcmp(x->name, y->name) != 0 || content(x) != content(y) || memcmp(x->bytes, y->bytes, content(x)) != 0)
            return x->name;
    }
}

void journal_file_write(int data_fd, const char *name, uint64_t offset, const void *bytes, size_t count)
{
    int fd = file_open(data_fd, name, O_WRONLY | O_CREAT);
    must(pwrite(fd, bytes, count, (off_t)offset) == (ssize_t)count, "write", name);
    close(fd);
}

void journal_file_resize(int data_fd, const char *name, uint64_t count)
{
    int fd = file_open(data_fd, name, O_WRONLY);
    must(ftruncate(fd, (off_t)count) == 0, "resize", name);
    close(fd);
}

void journal_file_rename(int data_fd, const char *from, const char *to)
{
    int journal_fd = journal_open(data_fd);
    must(renameat(journal_fd, from, journal_fd, to) == 0, "rename", from);
    close(journal_fd);
}

void journal_file_remove(int data_fd, const char *name)
{
    int journal_fd = journal_open(data_fd);
    must(unlinkat(journal_fd, name, 0) == 0, "remove", name);
    close(journal_fd);
}

uint64_t journal_file_bytes(int data_fd, const char *name)
{
    struct stat status;
    int journal_fd = journal_open(data_fd);
    int failed = fstatat(journal_fd, name, &status, AT_SYMLINK_NOFOLLOW);
    close(journal_fd);
    return failed != 0 ? UINT64_MAX : (uint64_t)status.st_size;
}

/*
 * Memory for a scan: the reader's window is kept for the next one. Tests scan ten thousands of times, and to get and
 * give back a megabyte costs more than the scan, most of all under AddressSanitizer.
 */
static void *scan_reallocate(void *context, void *memory, size_t bytes)
{
    static void *window;
    static size_t window_bytes;
    static bool is_taken; /* whoever comes meanwhile has memory of its own */
    (void)context;
    bool is_window = memory != NULL && memory == window;
    if (bytes == 0) {
        if (!is_window)
            free(memory);
        else
            is_taken = false;
        return NULL;
    }
    if (bytes < 65536 || (memory != NULL && !is_window) || (memory == NULL && is_taken))
        return realloc(memory, bytes);
    is_taken = true;
    if (bytes > window_bytes) {
        window = realloc(window, bytes);
        window_bytes = bytes;
    }
    must(window != NULL, "hold", "a window");
    return window;
}

void journal_scan(int data_fd, struct journal_scan *ret_scan)
{
    static const struct mem mem = {scan_reallocate, NULL};
    struct journal_reader *reader = NULL;
    struct journal_scan scan = {.status = SETTLE_OK};
    scan.status = journal_reader_open(data_fd, &mem, &reader, &scan.error);
    if (scan.status == SETTLE_OK) {
        struct frame frame;
        journal_reader_begin(reader, &scan.end);
        while ((scan.status = journal_reader_next(reader, &scan.end, &frame, &scan.error)) == SETTLE_OK)
            scan.frame_count++;
        scan.tail = *journal_reader_tail(reader);
    }
    if (scan.status == SETTLE_E_END)
        scan.status = SETTLE_OK;
    journal_reader_close(reader);
    *ret_scan = scan;
}
