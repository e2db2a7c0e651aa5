/*
 * memory_files.c — in place of journal/base/file.c and lock.c, for a target that recovers journals: files are those of an image
 * in memory. Owns nothing but which image it is. Nothing fails but what must: a name that is not there, or is already.
 */
#include "tests/fuzz/memory_files.h"

#include "journal/base/file.h"

enum { DATA_FD = 1000, JOURNAL_FD, ARCHIVE_FD, STORE_FD, SEALS_FD, FILE_FD = 2000 };

static struct image *files;
static unsigned
    looks_at_lock; /* that find it held: then the writer is gone. A reader waits for its watermark a tenth of a second */

int memory_files_use(struct image *image, bool is_locked)
{
    files = image;
    looks_at_lock = is_locked ? 6 : 0;
    return DATA_FD;
}

/* ---- The bases of history.c: no engine, and so no store ---- */

static struct image building;

void history_files_begin(void)
{
    building.count = 0;
    (void)memory_files_use(&building, false);
}

void history_files_take(struct image *image, const char *path)
{
    (void)path;
    for (size_t i = 0; i < building.count; i++)
        if (building.files[i].exists)
            image_add(image, building.files[i].name, building.files[i].bytes, building.files[i].count);
}

void history_engine(const char *path)
{
    (void)path;
}

/* ---- Names ---- */

static const char *folder_of(int dir_fd)
{
    static const char *const folders[] = {"", "journal/", "archive/", "store/", "seals/"};
    MUST(dir_fd >= DATA_FD && dir_fd <= SEALS_FD);
    return folders[dir_fd - DATA_FD];
}

static struct image_file *find(int dir_fd, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s%s", folder_of(dir_fd), name);
    for (size_t i = 0; i < files->count; i++)
        if (files->files[i].exists && strcmp(files->files[i].name, path) == 0)
            return &files->files[i];
    return NULL;
}

static struct image_file *file_of(int fd)
{
    MUST(fd >= FILE_FD && (size_t)(fd - FILE_FD) < files->count);
    return &files->files[fd - FILE_FD];
}

static settle_status missing(settle_error *error, const char *name)
{
    return fail_at(error, SETTLE_E_NOT_FOUND, name, 0, 0, "it is not there");
}

/* ---- Directories ---------------------------------------------------------------------------------------------------- */

settle_status dir_open(const char *path, bool create, int *ret_fd, settle_error *error)
{
    (void)path, (void)create, (void)error;
    *ret_fd = DATA_FD;
    return SETTLE_OK;
}

settle_status dir_open_at(int dir_fd, const char *name, bool create, int *ret_fd, settle_error *error)
{
    MUST(dir_fd == DATA_FD);
    for (int fd = JOURNAL_FD; fd <= SEALS_FD; fd++) {
        size_t bytes = strlen(folder_of(fd)) - 1;
        if (strlen(name) != bytes || strncmp(folder_of(fd), name, bytes) != 0)
            continue;
        bool exists = create || fd == JOURNAL_FD;
        for (size_t i = 0; i < files->count; i++)
            exists |= files->files[i].exists && strncmp(files->files[i].name, folder_of(fd), bytes + 1) == 0;
        if (!exists)
            break;
        *ret_fd = fd;
        return SETTLE_OK;
    }
    return missing(error, name);
}

settle_status dir_sync(int dir_fd, const char *name, settle_error *error)
{
    (void)dir_fd, (void)name, (void)error;
    return SETTLE_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

settle_status dir_list(int dir_fd, const char *name, const struct mem *mem, char ***ret_names, size_t *ret_count,
                       settle_error *error)
{
    const char *folder = folder_of(dir_fd);
    char **names = mem_alloc(mem, files->count + 1, sizeof *names);
    size_t count = 0;
    (void)name, (void)error;
    MUST(names != NULL);
    for (size_t i = 0; i < files->count; i++) {
        const struct image_file *file = &files->files[i];
        if (!file->exists || strncmp(file->name, folder, strlen(folder)) != 0)
            continue;
        names[count] = mem_alloc(mem, strlen(file->name) + 1, 1);
        MUST(names[count] != NULL);
        strcpy(names[count++], file->name + strlen(folder));
    }
    qsort(names, count, sizeof *names, compare_names);
    *ret_names = names;
    *ret_count = count;
    return SETTLE_OK;
}

void dir_list_free(char **take_names, size_t count, const struct mem *mem)
{
    for (size_t i = 0; i < count; i++)
        mem_free(mem, take_names[i]);
    mem_free(mem, take_names);
}

/* ---- Files ---------------------------------------------------------------------------------------------------------- */

settle_status file_open_at(int dir_fd, const char *name, enum file_mode mode, int *ret_fd, settle_error *error)
{
    struct image_file *file = find(dir_fd, name);
    if (file != NULL && mode == FILE_CREATE)
        return fail_at(error, SETTLE_E_EXISTS, name, 0, 0, "it is there already");
    if (file == NULL && (mode == FILE_READ || mode == FILE_WRITE))
        return missing(error, name);
    if (file == NULL) {
        MUST(files->count < IMAGE_FILES_MAX);
        file = &files->files[files->count++];
        file->count = 0;
        file->exists = true;
        file->is_touched = false;
        MUST((size_t)snprintf(file->name, sizeof file->name, "%s%s", folder_of(dir_fd), name) < sizeof file->name);
    }
    *ret_fd = FILE_FD + (int)(file - files->files);
    return SETTLE_OK;
}

settle_status file_identify(int fd, const char *name, struct file_identity *ret_identity, settle_error *error)
{
    (void)name, (void)error;
    *ret_identity = (struct file_identity){1, (uint64_t)fd, file_of(fd)->count, true};
    return SETTLE_OK;
}

settle_status file_identify_at(int dir_fd, const char *name, struct file_identity *ret_identity, settle_error *error)
{
    const struct image_file *file = find(dir_fd, name);
    if (file == NULL)
        return missing(error, name);
    return file_identify(FILE_FD + (int)(file - files->files), name, ret_identity, error);
}

settle_status file_size(int fd, const char *name, uint64_t *ret_bytes, settle_error *error)
{
    (void)name, (void)error;
    *ret_bytes = file_of(fd)->count;
    return SETTLE_OK;
}

settle_status file_read_zeros(int fd, const char *name, uint64_t offset, void *ret_bytes, size_t count,
                              settle_error *error)
{
    const struct image_file *file = file_of(fd);
    size_t have = offset < file->count ? file->count - (size_t)offset : 0;
    (void)name, (void)error;
    if (have > count)
        have = count;
    if (have > 0)
        memcpy(ret_bytes, file->bytes + offset, have);
    memset((uint8_t *)ret_bytes + have, 0, count - have);
    return SETTLE_OK;
}

static void grow(struct image_file *file, uint64_t count)
{
    MUST(count <= (uint64_t)64 << 20);
    if (count > file->capacity) {
        file->bytes = realloc(file->bytes, (size_t)count);
        MUST(file->bytes != NULL);
        file->capacity = (size_t)count;
    }
    if (count > file->count) {
        memset(file->bytes + file->count, 0, (size_t)count - file->count);
        file->count = (size_t)count;
    }
}

settle_status file_write(int fd, const char *name, uint64_t offset, const void *bytes, size_t count,
                         settle_error *error)
{
    (void)name, (void)error;
    grow(file_of(fd), offset + count);
    if (count > 0)
        memcpy(file_of(fd)->bytes + offset, bytes, count);
    return SETTLE_OK;
}

settle_status file_write_zeros(int fd, const char *name, uint64_t offset, uint64_t count, settle_error *error)
{
    (void)name, (void)error;
    grow(file_of(fd), offset + count);
    memset(file_of(fd)->bytes + offset, 0, (size_t)count);
    return SETTLE_OK;
}

settle_status file_truncate(int fd, const char *name, uint64_t bytes, settle_error *error)
{
    (void)name, (void)error;
    grow(file_of(fd), bytes);
    file_of(fd)->count = (size_t)bytes;
    return SETTLE_OK;
}

void file_write_out(int fd, uint64_t offset, uint64_t count)
{
    (void)fd, (void)offset, (void)count;
}

void file_forget_cached(int fd)
{
    (void)fd;
}

settle_status file_sync_data(int fd, const char *name, settle_error *error)
{
    (void)fd, (void)name, (void)error;
    return SETTLE_OK;
}

settle_status file_rename_at(int dir_fd, const char *from, const char *to, settle_error *error)
{
    struct image_file *file = find(dir_fd, from);
    if (file == NULL)
        return missing(error, from);
    if (find(dir_fd, to) != NULL)
        return fail_at(error, SETTLE_E_EXISTS, to, 0, 0, "it is there already");
    snprintf(file->name, sizeof file->name, "%s%s", folder_of(dir_fd), to);
    return SETTLE_OK;
}

settle_status file_replace_at(int dir_fd, const char *from, const char *to, settle_error *error)
{
    (void)file_remove_at(dir_fd, to, NULL);
    return file_rename_at(dir_fd, from, to, error);
}

settle_status file_remove_at(int dir_fd, const char *name, settle_error *error)
{
    struct image_file *file = find(dir_fd, name);
    if (file == NULL)
        return missing(error, name);
    file->exists = false; /* who has it open goes on reading */
    return SETTLE_OK;
}

bool file_exists_at(int dir_fd, const char *name)
{
    return find(dir_fd, name) != NULL;
}

void file_close(int fd)
{
    (void)fd;
}

bool lock_is_held_at(int dir_fd)
{
    (void)dir_fd;
    if (looks_at_lock == 0)
        return false;
    looks_at_lock--;
    return true;
}
