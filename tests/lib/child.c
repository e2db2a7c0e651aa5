/*
 * child.c — forks of a test.
 */
#include "tests/lib/child.h"

#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/plain.h"

/* The test's own, and the one with which a Criterion worker talks to its parent: that one rests while a test runs. */
#define THREADS_MAX 2

static int threads_now(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;
    CHECK(tasks != NULL);
    for (const struct dirent *entry; (entry = readdir(tasks)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

pid_t child_fork(void)
{
    /* One that was joined may still be on its way out. */
    for (int wait_ms = 0; threads_now() > THREADS_MAX; wait_ms++) {
        CHECK(wait_ms < 10000);
        usleep(1000);
    }
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    return child;
}

int child_exit(pid_t child)
{
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256;
}

void turns_make(struct turns *turns)
{
    CHECK(pipe(turns->to_child) == 0 && pipe(turns->to_parent) == 0);
}

void turn_give(const int fds[2])
{
    CHECK(write(fds[1], "x", 1) == 1);
}

void turn_take(const int fds[2])
{
    char byte;
    CHECK(read(fds[0], &byte, 1) == 1);
}
