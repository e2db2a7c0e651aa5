/*
 * file.h — every system call on files that journal and engine make, in one place: EINTR is retried, short writes are
 * completed, errno becomes a status with the file's name. LMDB alone does its own.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal/base/mem.h"
#include "journal/base/status.h"

/* A directory: mode 0700 whatever the umask when created; must be ours, no symbolic link, and nobody else's to write.
 * create: a writer's call, and then it is durable in its parent, also where another process has just made it; without it (and
 * with FILE_READ) root may open what belongs to another user. */
settle_status dir_open(const char *path, bool create, int *ret_fd, settle_error *error);
settle_status dir_open_at(int dir_fd, const char *name, bool create, int *ret_fd, settle_error *error);
/* A directory for other programs: may be or lie behind a symbolic link, and belong to another user; mode 0750 when
 * created (the last part of the path only). */
settle_status dir_open_shared(const char *path, bool create, int *ret_fd, settle_error *error);
/* What an unprivileged process may still write there, and the size of the file system. */
settle_status dir_space(int dir_fd, const char *name, uint64_t *ret_free_bytes, uint64_t *ret_total_bytes,
                        settle_error *error);
/* Syncs the directory that holds `path`, and so its entry there. */
settle_status dir_sync_parent(const char *path, settle_error *error);
settle_status dir_sync(int dir_fd, const char *name, settle_error *error);
settle_status dir_remove_at(int dir_fd, const char *name, settle_error *error); /* an empty one */
/* The names in it without "." and "..", sorted; free them with dir_list_free() and the same allocator. */
settle_status dir_list(int dir_fd, const char *name, const struct mem *mem, char ***ret_names, size_t *ret_count,
                       settle_error *error);
void dir_list_free(char **take_names, size_t count, const struct mem *mem); /* NULL is fine */

enum file_mode { FILE_READ, FILE_WRITE, FILE_CREATE /* must not exist */, FILE_CREATE_OR_WRITE };
/* Mode 0600 whatever the umask when created; never follows a symbolic link; must be a regular file that nobody else may write
 * to, and for writing one without a second name (a hard link). */
settle_status file_open_at(int dir_fd, const char *name, enum file_mode mode, int *ret_fd, settle_error *error);
/* The same with other permissions when created; others may have been given the right to write since. */
settle_status file_open_shared_at(int dir_fd, const char *name, enum file_mode mode, unsigned permissions, int *ret_fd,
                                  settle_error *error);
/* Which file it is, whatever it is called. */
struct file_identity {
    uint64_t device, inode, bytes;
    bool is_regular;
};
settle_status file_identify(int fd, const char *name, struct file_identity *ret_identity, settle_error *error);
/* What has the name now, a symbolic link as itself; SETTLE_E_NOT_FOUND. */
settle_status file_identify_at(int dir_fd, const char *name, struct file_identity *ret_identity, settle_error *error);
bool file_is_same(const struct file_identity *a, const struct file_identity *b);
settle_status file_size(int fd, const char *name, uint64_t *ret_bytes, settle_error *error);
/* Reads exactly `count` bytes; where the file ends sooner the rest is zeros (a segment is zeros past its end). */
settle_status file_read_zeros(int fd, const char *name, uint64_t offset, void *ret_bytes, size_t count,
                              settle_error *error);
settle_status file_write(int fd, const char *name, uint64_t offset, const void *bytes, size_t count,
                         settle_error *error);
settle_status file_write_zeros(int fd, const char *name, uint64_t offset, uint64_t count, settle_error *error);
settle_status file_truncate(int fd, const char *name, uint64_t bytes, settle_error *error);
/* A hint: the system may begin to write these bytes out; it is not waited for, and nothing is durable by it. Written a piece at a
 * time, a large file does not meet the limits on dirty memory, which slowed it down to a fifth (docs/decisions/008). */
void file_write_out(int fd, uint64_t offset, uint64_t count);
/* A hint behind a sync: the file's pages may leave the cache, so that what is read next comes from the disk. */
void file_forget_cached(int fd);
settle_status file_sync_data(int fd, const char *name, settle_error *error); /* fdatasync */
/* Never replaces what has the name already. */
settle_status file_rename_at(int dir_fd, const char *from, const char *to, settle_error *error);
/* Replaces what has the name. */
settle_status file_replace_at(int dir_fd, const char *from, const char *to, settle_error *error);
settle_status file_remove_at(int dir_fd, const char *name, settle_error *error);
bool file_exists_at(int dir_fd, const char *name); /* a file that cannot be looked at is none */
/* Where that would not do: *ret_exists is untouched where the answer is an error. */
settle_status file_look_at(int dir_fd, const char *name, bool *ret_exists, settle_error *error);
void file_close(int fd); /* -1 is fine */

/* The writer's lock of a data directory: an open-file-description lock (fcntl(2) F_OFD_SETLK) on `lock`, which
 * holds the pid as text. SETTLE_E_BUSY names the holder. Closing the descriptor releases it. */
settle_status lock_take_at(int dir_fd, int *ret_fd, settle_error *error);
/* The same lock on another file, held by "another {holder}"; and writing the pid into it, which it works without. */
settle_status lock_take_name_at(int dir_fd, const char *name, const char *holder, int *ret_fd, settle_error *error);
settle_status lock_sign(int fd, const char *name, settle_error *error);
/* Whether some process holds it; a missing lock file means no, one that cannot be examined yes. */
bool lock_is_held_at(int dir_fd);

#endif
