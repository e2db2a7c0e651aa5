/* history_disk.c — the bases of history.c made on a file system, with the engine's store; and images written to one. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/history.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/tree.h"

static uint64_t still_clock(void *context)
{
    (void)context;
    return BUILDER_TIME_US + UINT64_C(1000000000);
}

void history_engine(const char *path)
{
    settle_options options;
    settle_error error = {.text = ""};
    settle *engine = NULL;
    settle_options_init(&options);
    options.clock_us = still_clock;
    settle_status status = settle_open(path, &options, &engine, &error);
    if (status != SETTLE_OK)
        fprintf(stderr, "history: %s\n", error.text);
    MUST(status == SETTLE_OK && settle_close(engine, &error) == SETTLE_OK);
}

void history_files_begin(void)
{
}

/* Every regular file but the lock. */
void history_files_take(struct image *image, const char *path)
{
    static const char *const folders[] = {"", "journal/", "store/"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char full[TEMPDIR_PATH_BYTES], name[512];
        tempdir_join(full, path, folders[i]);
        DIR *folder = opendir(full);
        for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
            snprintf(name, sizeof name, "%s%s", folders[i], entry->d_name);
            if (entry->d_type != DT_REG || strcmp(name, "lock") == 0)
                continue;
            size_t bytes;
            tempdir_join(full, path, name);
            unsigned char *content = tree_read(full, &bytes);
            image_add(image, name, content, bytes);
            free(content);
        }
        if (folder != NULL)
            closedir(folder);
    }
}

static void empty_folder(int fd, const char *name)
{
    int folder_fd = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = folder_fd >= 0 ? fdopendir(folder_fd) : NULL;
    if (folder == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(folder_fd, entry->d_name, 0) != 0) {
            empty_folder(folder_fd, entry->d_name);
            MUST(unlinkat(folder_fd, entry->d_name, AT_REMOVEDIR) == 0);
        }
    }
    closedir(folder);
}

void image_store(const struct image *image, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    MUST(fd >= 0);
    empty_folder(fd, ".");
    MUST(mkdirat(fd, "journal", 0700) == 0);
    for (size_t i = 0; i < image->count; i++) {
        const struct image_file *file = &image->files[i];
        if (!file->exists)
            continue;
        if (strncmp(file->name, "store/", 6) == 0)
            (void)mkdirat(fd, "store", 0700);
        int file_fd = openat(fd, file->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        MUST(file_fd >= 0 && write(file_fd, file->bytes, file->count) == (ssize_t)file->count);
        close(file_fd);
    }
    close(fd);
}

bool image_journal_is(const struct image *image, const char *path)
{
    static uint8_t bytes[1 << 20];
    for (size_t i = 0; i < image->count; i++) {
        const struct image_file *file = &image->files[i];
        char full[TEMPDIR_PATH_BYTES];
        if (!file->exists || strstr(file->name, ".seg") == NULL)
            continue;
        tempdir_join(full, path, file->name);
        int fd = open(full, O_RDONLY | O_CLOEXEC);
        ssize_t count = fd >= 0 ? read(fd, bytes, sizeof bytes) : -1;
        close(fd);
        if (count != (ssize_t)file->count || memcmp(bytes, file->bytes, file->count) != 0)
            return false;
    }
    return true;
}
