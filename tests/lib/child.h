/*
 * child.h — a test that goes on in two processes.
 */
#ifndef TESTS_LIB_CHILD_H
#define TESTS_LIB_CHILD_H

#include <sys/types.h>

/*
 * fork(), with stdio flushed, for a child that goes on in this program. It aborts where threads of ours run: in the child
 * they are gone, with whatever locks they held (AddressSanitizer's allocator has such; a child then waits for ever). So
 * fork before the engine opens, and let the child wait for its turn.
 */
pid_t child_fork(void);

/* Exit status of a child; 256 where a signal ended it. */
int child_exit(pid_t child);

/* The two take turns. */
struct turns {
    int to_child[2], to_parent[2];
};

void turns_make(struct turns *turns);
void turn_give(const int fds[2]);
void turn_take(const int fds[2]);

#endif
