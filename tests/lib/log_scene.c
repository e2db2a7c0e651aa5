/* log_scene.c — see log_scene.h. */
#include "tests/lib/log_scene.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zstd.h>

#include "journal/base/clock.h"
#include "tests/lib/tree.h"

static void must(bool is_so, const char *what, const char *detail)
{
    if (is_so)
        return;
    fprintf(stderr, "log_scene: %s: %s\n", what, detail);
    abort();
}

static void keep_message(void *context, int level, const char *message)
{
    struct log_scene *scene = context;
    size_t room = sizeof scene->told - scene->told_bytes;
    int bytes = snprintf(scene->told + scene->told_bytes, room, "%d %s\n", level, message);
    if (bytes > 0 && (size_t)bytes < room)
        scene->told_bytes += (size_t)bytes;
}

bool scene_told(const struct log_scene *scene, const char *text)
{
    return strstr(scene->told, text) != NULL;
}

void scene_init(struct log_scene *scene, uint64_t seed)
{
    memset(scene, 0, sizeof *scene);
    builder_init(&scene->builder, 16384, seed);
    tempdir_join(scene->logs, scene->builder.path, "logs");
    scene->options = (struct follower_options){
        .directory = scene->logs,
        .sample_per_million = LINES_SAMPLE_ALL,
        .log = keep_message,
        .context = scene,
    };
}

void scene_deinit(struct log_scene *scene)
{
    scene_kill(scene);
    builder_deinit(&scene->builder);
}

void scene_grow(struct log_scene *scene, size_t frames, size_t days)
{
    for (size_t i = 0; i < frames; i++) {
        if (days > 0 && i % (frames / (days + 1) + 1) == frames / (days + 1)) {
            scene->builder.time_us += SCENE_DAY_US;
            days--;
        }
        builder_random(&scene->builder);
    }
}

/* ---- The follower ----------------------------------------------------------------------------------------------- */

settle_status scene_try_open(struct log_scene *scene, settle_error *error)
{
    must(scene->follower == NULL, "open", "it is open");
    settle_status status = follower_open(&scene->options, builder_journal_id, &mem_libc, &scene->follower, error);
    if (status == SETTLE_OK)
        status = journal_reader_open_own(scene->builder.data_fd, &mem_libc, &scene->reader, error);
    return status;
}

void scene_open(struct log_scene *scene)
{
    settle_error error;
    must(scene_try_open(scene, &error) == SETTLE_OK, "open", error.text);
}

void scene_step(struct log_scene *scene)
{
    settle_error error;
    must(journal_reader_limit(scene->reader, scene->builder.end.position, &error) == SETTLE_OK, "limit", error.text);
    must(follower_step(scene->follower, scene->reader, &scene->progress, &error) == SETTLE_OK, "step", error.text);
}

static bool is_tidy(const struct log_scene *scene)
{
    DIR *dir = opendir(scene->logs);
    struct dirent *entry;
    struct log_name name;
    bool tidy = true;
    must(dir != NULL, "opendir", scene->logs);
    while ((entry = readdir(dir)) != NULL)
        tidy &= !log_name_parse(entry->d_name, &name) || (name.is_compressed && !name.is_partial);
    closedir(dir);
    return tidy;
}

void scene_catch_up(struct log_scene *scene)
{
    for (int i = 0; i < 100000; i++) {
        scene_step(scene);
        must(!scene->progress.is_paused, "paused", scene->progress.cause.text);
        if (!scene->progress.is_at_end || (scene->options.compress && !is_tidy(scene)))
            continue;
        scene_step(scene); /* retention comes behind the lines */
        return;
    }
    must(false, "catch up", "it takes for ever");
}

void scene_close(struct log_scene *scene)
{
    settle_error error;
    must(follower_close(scene->follower, &error) == SETTLE_OK, "close", error.text);
    journal_reader_close(scene->reader);
    scene->follower = NULL;
    scene->reader = NULL;
}

void scene_kill(struct log_scene *scene)
{
    if (scene->follower == NULL)
        return;
    /* Its memory goes, its files stay as they are: the closing life writes to a directory that is taken from it. */
    char away[TEMPDIR_PATH_BYTES];
    struct scene_files files;
    size_t count = 0;
    char *position = scene_read(scene, ".settlement.position", &count);
    scene_found(scene, &files);
    (void)follower_close(scene->follower, NULL);
    journal_reader_close(scene->reader);
    scene->follower = NULL;
    scene->reader = NULL;
    tempdir_join(away, scene->logs, ".settlement.position");
    if (position != NULL)
        scene_write(scene, ".settlement.position", position, count);
    else
        (void)unlink(away);
    free(position);
    scene_files_free(&files);
}

void scene_follow(struct log_scene *scene)
{
    scene_open(scene);
    scene_catch_up(scene);
    scene_close(scene);
}

/* ---- What the files must be ------------------------------------------------------------------------------------- */

static void append(struct scene_file *file, const char *bytes, size_t count)
{
    file->bytes = realloc(file->bytes, file->count + count + 1);
    assert(file->bytes != NULL);
    memcpy(file->bytes + file->count, bytes, count);
    file->count += count;
}

static struct scene_file *add_file(struct scene_files *files, const char *name)
{
    files->files = realloc(files->files, (files->count + 1) * sizeof *files->files);
    assert(files->files != NULL);
    struct scene_file *file = &files->files[files->count++];
    memset(file, 0, sizeof *file);
    (void)snprintf(file->name, sizeof file->name, "%s", name);
    return file;
}

static void begin_file(struct scene_files *files, char day[11], unsigned *part, const char *line_day, bool is_first)
{
    struct scene_file *current = &files->files[files->count - 1];
    if (!is_first) {
        if (memcmp(day, line_day, 10) == 0)
            (void)snprintf(current->name, sizeof current->name, "settlement.log.%.10s.%03u", day, ++*part);
        else
            (void)snprintf(current->name, sizeof current->name, "settlement.log.%.10s", day);
        add_file(files, "settlement.log");
    }
    if (memcmp(day, line_day, 10) != 0)
        *part = 0;
    memcpy(day, line_day, 10);
}

void scene_expected(struct log_scene *scene, struct scene_files *ret_files)
{
    struct lines_options options = {LINE_SETTLE, scene->options.sample_per_million, 0};
    struct lines *lines;
    struct journal_reader *reader;
    struct journal_point point;
    struct frame frame;
    settle_error error;
    static char text[LINE_BYTES_MAX];
    char day[11] = "";
    unsigned part = 0;
    *ret_files = (struct scene_files){NULL, 0};
    add_file(ret_files, "settlement.log");
    must(lines_open(&options, &mem_libc, &lines, &error) == SETTLE_OK, "lines", error.text);
    must(journal_reader_open_own(scene->builder.data_fd, &mem_libc, &reader, &error) == SETTLE_OK, "reader",
         error.text);
    must(journal_reader_limit(reader, scene->builder.end.position, &error) == SETTLE_OK, "limit", error.text);
    journal_reader_begin(reader, &point);
    for (struct journal_point before = point; journal_reader_next(reader, &point, &frame, &error) == SETTLE_OK;
         before = point) {
        struct line line;
        before.position = frame.position;
        must(lines_enter(lines, &before, &frame, &error) == SETTLE_OK, "enter", error.text);
        while (lines_next(lines, text, &line)) {
            size_t bytes = ret_files->files[ret_files->count - 1].count;
            bool is_other_day = memcmp(day, text + 14, 10) != 0;
            bool is_long = scene->options.rotate_bytes > 0 && bytes + line.bytes > scene->options.rotate_bytes;
            if (is_other_day || is_long)
                begin_file(ret_files, day, &part, text + 14, bytes == 0);
            append(&ret_files->files[ret_files->count - 1], text, line.bytes);
        }
    }
    journal_reader_close(reader);
    lines_close(lines);
}

/* ---- What they are ---------------------------------------------------------------------------------------------- */

static void decompress(struct scene_file *file)
{
    size_t room = file->count * 100 + ((size_t)1 << 16); /* lines become 6 to 20 times smaller */
    char *bytes = malloc(room);
    assert(bytes != NULL);
    size_t count = ZSTD_decompress(bytes, room, file->bytes, file->count);
    must(!ZSTD_isError(count), file->name, ZSTD_isError(count) ? ZSTD_getErrorName(count) : "");
    free(file->bytes);
    file->bytes = realloc(bytes, count + 1);
    file->count = count;
    file->name[strlen(file->name) - 4] = '\0';
}

static int compare_files(const void *a, const void *b)
{
    const struct scene_file *first = a, *second = b;
    struct log_name name_a = {.day = UINT32_MAX}, name_b = {.day = UINT32_MAX};
    (void)log_name_parse(first->name, &name_a);
    (void)log_name_parse(second->name, &name_b);
    int order = log_name_compare(&name_a, &name_b);
    return order != 0 ? order : strcmp(first->name, second->name);
}

void scene_found(const struct log_scene *scene, struct scene_files *ret_files)
{
    DIR *dir = opendir(scene->logs);
    struct dirent *entry;
    *ret_files = (struct scene_files){NULL, 0};
    must(dir != NULL, "opendir", scene->logs);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        struct scene_file *file = add_file(ret_files, entry->d_name);
        file->bytes = scene_read(scene, entry->d_name, &file->count);
        size_t length = strlen(file->name);
        if (length > 4 && strcmp(file->name + length - 4, ".zst") == 0)
            decompress(file);
    }
    closedir(dir);
    if (ret_files->count > 1)
        qsort(ret_files->files, ret_files->count, sizeof *ret_files->files, compare_files);
}

void scene_files_free(struct scene_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->files[i].bytes);
    free(files->files);
    *files = (struct scene_files){NULL, 0};
}

const char *scene_difference(const struct scene_files *a, const struct scene_files *b)
{
    static char text[256];
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        const struct scene_file *x = &a->files[i], *y = &b->files[i];
        size_t count = x->count < y->count ? x->count : y->count, at = 0;
        while (at < count && x->bytes[at] == y->bytes[at])
            at++;
        if (strcmp(x->name, y->name) == 0 && x->count == y->count && at == count)
            continue;
        (void)snprintf(text, sizeof text, "file %zu: %s (%zu bytes) and %s (%zu bytes) differ at byte %zu", i, x->name,
                       x->count, y->name, y->count, at);
        return text;
    }
    if (a->count == b->count)
        return NULL;
    (void)snprintf(text, sizeof text, "%zu files and %zu", a->count, b->count);
    return text;
}

static struct scene_file join(const struct scene_files *files)
{
    struct scene_file joined = {"", NULL, 0};
    for (size_t i = 0; i < files->count; i++)
        append(&joined, files->files[i].bytes != NULL ? files->files[i].bytes : "", files->files[i].count);
    return joined;
}

const char *scene_difference_joined(const struct scene_files *a, const struct scene_files *b)
{
    struct scene_file x = join(a), y = join(b);
    struct scene_files one = {&x, 1}, other = {&y, 1};
    const char *difference = scene_difference(&one, &other);
    free(x.bytes);
    free(y.bytes);
    return difference;
}

/* Leaves out what a compression that is not done has left: a file twice, or in part. */
static void drop_unfinished(struct scene_files *files)
{
    size_t kept = 0;
    for (size_t i = 0; i < files->count; i++) {
        struct scene_file *file = &files->files[i];
        bool is_twice = kept > 0 && strcmp(files->files[kept - 1].name, file->name) == 0;
        if (is_twice || strstr(file->name, ".partial") != NULL)
            free(file->bytes);
        else
            files->files[kept++] = *file;
    }
    files->count = kept;
}

static void expect(struct log_scene *scene, bool is_finished)
{
    struct scene_files expected, found;
    scene_expected(scene, &expected);
    scene_found(scene, &found);
    if (!is_finished)
        drop_unfinished(&found);
    const char *difference = scene_difference(&expected, &found);
    if (difference != NULL)
        fprintf(stderr, "told: %s\n", scene->told);
    must(difference == NULL, "expected, and found", difference);
    scene_files_free(&expected);
    scene_files_free(&found);
}

void scene_expect_files(struct log_scene *scene)
{
    expect(scene, true);
}

void scene_expect_lines(struct log_scene *scene)
{
    expect(scene, false);
}

/* ---- Single files ----------------------------------------------------------------------------------------------- */

void scene_write(const struct log_scene *scene, const char *name, const void *bytes, size_t count)
{
    char path[TEMPDIR_PATH_BYTES];
    (void)mkdir(scene->logs, 0750);
    tempdir_join(path, scene->logs, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    must(fd >= 0 && write(fd, bytes, count) == (ssize_t)count, "write", path);
    close(fd);
}

char *scene_read(const struct log_scene *scene, const char *name, size_t *ret_count)
{
    char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, scene->logs, name);
    *ret_count = 0;
    return access(path, F_OK) == 0 ? (char *)tree_read(path, ret_count) : NULL;
}

void scene_remove(const struct log_scene *scene, const char *name)
{
    char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, scene->logs, name);
    must(unlink(path) == 0, "unlink", path);
}

void scene_rename(const struct log_scene *scene, const char *from, const char *to)
{
    char path[TEMPDIR_PATH_BYTES], target[TEMPDIR_PATH_BYTES];
    tempdir_join(path, scene->logs, from);
    tempdir_join(target, scene->logs, to);
    must(rename(path, target) == 0, "rename", path);
}

bool scene_has(const struct log_scene *scene, const char *name)
{
    char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, scene->logs, name);
    return access(path, F_OK) == 0;
}

void scene_restore(const struct log_scene *scene, const struct scene_files *files)
{
    struct stat status;
    if (stat(scene->logs, &status) == 0)
        tempdir_remove(scene->logs);
    must(mkdir(scene->logs, 0750) == 0, "mkdir", scene->logs);
    for (size_t i = 0; i < files->count; i++)
        scene_write(scene, files->files[i].name, files->files[i].bytes != NULL ? files->files[i].bytes : "",
                    files->files[i].count);
}
