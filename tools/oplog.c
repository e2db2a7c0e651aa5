/* oplog.c — see oplog.h. Owns the file's descriptor, which stays open until the process ends. */
#include "tools/oplog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "query/print.h"

static int oplog_fd = -1;

void oplog_open(const char *directory)
{
    /* The directory is for others too, and what lies there may be anybody's doing: no pipe (opening it would wait), no
     * link of either kind to a file elsewhere. Modes do not hang on the umask. */
    const int flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    if (mkdir(directory, 0750) == 0)
        (void)!fchmodat(AT_FDCWD, directory, 0750, AT_SYMLINK_NOFOLLOW);
    int dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return;
    int fd = openat(dir_fd, OPLOG_NAME, flags | O_CREAT | O_EXCL, 0640);
    if (fd >= 0)
        (void)fchmod(fd, 0640);
    else if (errno == EEXIST)
        fd = openat(dir_fd, OPLOG_NAME, flags);
    (void)close(dir_fd);
    struct stat about;
    if (fd >= 0 && (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode) || about.st_nlink > 1)) {
        (void)close(fd);
        fd = -1;
    }
    oplog_fd = fd;
}

static bool sink(void *context, const char *bytes, size_t count)
{
    (void)context;
    return write(oplog_fd, bytes, count) == (ssize_t)count;
}

void oplog_write(settle_log_level level, const char *format, ...)
{
    static const char *const names[] = {[SETTLE_LOG_DEBUG] = "DEBUG",
                                        [SETTLE_LOG_INFO] = "INFO",
                                        [SETTLE_LOG_WARNING] = "WARN",
                                        [SETTLE_LOG_ERROR] = "ERROR"};
    char text[2048];
    va_list arguments;
    struct timespec now;
    struct out out;
    if (oplog_fd < 0)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    clock_gettime(CLOCK_REALTIME, &now);
    out_init(&out, sink, NULL);
    struct json json = json_on(&out);
    json_object(&json, NULL);
    json_time_us(&json, "timestamp", (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u);
    json_string(&json, "level", names[level]);
    json_string(&json, "target", "settlectl");
    json_string(&json, "message", text);
    json_object_end(&json);
    json_line_end(&json);
    (void)out_flush(&out);
}
