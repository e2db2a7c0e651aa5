/* leaks.h — fails the process that leaks, in a build with LeakSanitizer; nothing in another. */
#ifndef TESTS_LIB_LEAKS_H
#define TESTS_LIB_LEAKS_H

void leaks_check(void);

#endif
