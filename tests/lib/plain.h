/*
 * plain.h — for tests that are a plain main(): threads (Criterion and ThreadSanitizer do not go together) and programs
 * that kill themselves.
 */
#ifndef TESTS_LIB_PLAIN_H
#define TESTS_LIB_PLAIN_H

#include <stdio.h>
#include <stdlib.h>

/* CTest counts this exit status as skipped. */
#define PLAIN_SKIP 77

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

#endif
