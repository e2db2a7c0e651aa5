/* tempdir.c — temporary directories of tests; see tempdir.h. Owns nothing: the caller keeps the path. */
#define _GNU_SOURCE /* nftw(3), mkdtemp(3) */
#include "tests/lib/tempdir.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void die(const char *what, const char *path)
{
    fprintf(stderr, "tempdir: %s %s: %s\n", what, path, strerror(errno));
    abort();
}

void tempdir_make(char ret_path[TEMPDIR_BYTES])
{
    const char *base = getenv("TMPDIR");
    int length = snprintf(ret_path, TEMPDIR_BYTES, "%s/settle-test-XXXXXX", base && *base ? base : "/tmp");
    if (length < 0 || length >= TEMPDIR_BYTES)
        die("path too long:", base);
    if (!mkdtemp(ret_path))
        die("cannot make", ret_path);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

/* A test may have taken the permission to write away from a folder. */
static int open_up(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)place;
    return type == FTW_D || type == FTW_DNR ? chmod(path, 0700) : 0;
}

void tempdir_remove(const char *path)
{
    if (nftw(path, open_up, 16, FTW_PHYS) != 0 || nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        die("cannot remove", path);
}

void tempdir_join(char ret_path[TEMPDIR_PATH_BYTES], const char *path, const char *name)
{
    int length = snprintf(ret_path, TEMPDIR_PATH_BYTES, "%s/%s", path, name);
    if (length < 0 || length >= TEMPDIR_PATH_BYTES)
        die("path too long:", path);
}
