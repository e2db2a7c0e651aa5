/* tree.c — a data directory as a whole, by plain system calls: nothing of the code under test but its checksum. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* asprintf, nftw */
#endif
#include "tests/lib/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/base/crc32c.h"

static void die(const char *what, const char *path)
{
    fprintf(stderr, "%s %s: ", what, path);
    perror(NULL);
    abort();
}

static char *join(const char *path, const char *name)
{
    char *joined;
    if (asprintf(&joined, "%s/%s", path, name) < 0)
        die("no memory for", name);
    return joined;
}

/* NULL: it is not there. */
static unsigned char *read_if_there(const char *path, size_t *ret_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 && errno == ENOENT)
        return NULL;
    if (fd < 0 || fstat(fd, &status) != 0)
        die("cannot open", path);
    size_t count = (size_t)status.st_size, have = 0;
    unsigned char *bytes = malloc(count + 1);
    while (bytes != NULL && have < count) {
        ssize_t taken = read(fd, bytes + have, count - have);
        if (taken <= 0)
            die("cannot read", path);
        have += (size_t)taken;
    }
    if (bytes == NULL)
        die("no memory for", path);
    close(fd);
    *ret_bytes = count;
    return bytes;
}

unsigned char *tree_read(const char *path, size_t *ret_bytes)
{
    unsigned char *bytes = read_if_there(path, ret_bytes);
    if (bytes == NULL)
        die("cannot open", path);
    return bytes;
}

void tree_write(const char *path, uint64_t offset, const void *bytes, size_t count)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || pwrite(fd, bytes, count, (off_t)offset) != (ssize_t)count)
        die("cannot write", path);
    close(fd);
}

void tree_flip_bit(const char *path, uint64_t offset, unsigned bit)
{
    size_t count;
    unsigned char *bytes = tree_read(path, &count);
    if (offset >= count)
        die("no such byte in", path);
    unsigned char byte = (unsigned char)(bytes[offset] ^ 1u << bit);
    tree_write(path, offset, &byte, 1);
    free(bytes);
}

void tree_truncate(const char *path, uint64_t bytes)
{
    if (truncate(path, (off_t)bytes) != 0)
        die("cannot cut", path);
}

static void copy_file(const char *from, const char *to, mode_t mode)
{
    size_t count;
    unsigned char *bytes = read_if_there(from, &count);
    if (bytes == NULL)
        return; /* as above */
    tree_write(to, 0, bytes, count);
    if (chmod(to, mode & 07777) != 0)
        die("cannot set the mode of", to);
    free(bytes);
}

/* Calls visit(name, status) for every entry of a directory, sorted, or in the opposite order. */
typedef void (*visit_entry)(void *context, const char *name, const struct stat *status);
static void each_entry(const char *path, bool backwards, visit_entry visit, void *context)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0)
        die("cannot list", path);
    for (int number = 0; number < count; number++) {
        int i = backwards ? count - 1 - number : number;
        const char *name = entries[i]->d_name;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
            char *full = join(path, name);
            struct stat status;
            if (lstat(full, &status) == 0)
                visit(context, name, &status);
            else if (errno != ENOENT) /* a directory in use: it has just been renamed */
                die("cannot examine", full);
            free(full);
        }
        free(entries[i]);
    }
    free(entries);
}

struct copy {
    const char *from, *to;
};

static void copy_entry(void *context, const char *name, const struct stat *status)
{
    const struct copy *copy = context;
    char *from = join(copy->from, name), *to = join(copy->to, name);
    if (S_ISDIR(status->st_mode))
        tree_copy(from, to);
    else
        copy_file(from, to, status->st_mode);
    free(from);
    free(to);
}

void tree_copy(const char *from, const char *to)
{
    struct copy copy = {from, to};
    if (mkdir(to, 0700) != 0)
        die("cannot make", to);
    /* Of a directory in use, what tells how far the journal has come (the store, the watermark) is copied before the
     * journal. */
    each_entry(from, true, copy_entry, &copy);
}

struct listing {
    FILE *out;
    const char *root, *below; /* below: "" or "journal/" */
};

static void list_entry(void *context, const char *name, const struct stat *status)
{
    const struct listing *listing = context;
    char *path = join(listing->root, name), *relative;
    if (asprintf(&relative, "%s%s", listing->below, name) < 0)
        die("no memory for", name);
    if (S_ISDIR(status->st_mode)) {
        fprintf(listing->out, "%s/ %o\n", relative, (unsigned)status->st_mode & 07777u);
        char *deeper = join(relative, "");
        each_entry(path, false, list_entry, &(struct listing){listing->out, path, deeper});
        free(deeper);
    } else if (strcmp(relative, "lock") != 0 && strcmp(relative, "store/lock.mdb") != 0) {
        size_t count;
        unsigned char *bytes = tree_read(path, &count);
        fprintf(listing->out, "%s %o %zu %08x\n", relative, (unsigned)status->st_mode & 07777u, count,
                (unsigned)crc32c(0, bytes, count));
        free(bytes);
    }
    free(relative);
    free(path);
}

char *tree_listing(const char *path)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL)
        die("no memory for", path);
    each_entry(path, false, list_entry, &(struct listing){out, path, ""});
    if (fclose(out) != 0)
        die("no memory for", path);
    return text;
}

struct segment_search {
    struct tree_segments found;
    const char *directory;
};

static void take_segment(void *context, const char *name, const struct stat *status)
{
    struct segment_search *search = context;
    size_t length = strlen(name);
    if (!S_ISREG(status->st_mode) || length < 4 || strcmp(name + length - 4, ".seg") != 0)
        return;
    char **paths = realloc(search->found.paths, (search->found.count + 1) * sizeof *paths);
    if (paths == NULL)
        die("no memory for", name);
    search->found.paths = paths;
    paths[search->found.count++] = join(search->directory, name);
}

struct tree_segments tree_segments(const char *data_directory)
{
    char *journal = join(data_directory, "journal");
    struct segment_search search = {{NULL, 0}, journal};
    each_entry(journal, false, take_segment, &search);
    free(journal);
    return search.found;
}

void tree_segments_free(struct tree_segments *segments)
{
    for (size_t i = 0; i < segments->count; i++)
        free(segments->paths[i]);
    free(segments->paths);
    *segments = (struct tree_segments){NULL, 0};
}
