/* ingest_run.c — see ingest_run.h. */
#include "tests/lib/ingest_run.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/plain.h"

static void on_malformed(void *context, const struct ingest_malformed *malformed)
{
    struct run *run = context;
    if (run->malformed_count < RUN_MALFORMED_MAX) {
        struct run_malformed *kept = &run->malformed[run->malformed_count];
        snprintf(kept->source, sizeof kept->source, "%s", malformed->source);
        snprintf(kept->reason, sizeof kept->reason, "%s", malformed->reason);
        kept->line = malformed->line;
        kept->byte = malformed->byte;
    }
    run->malformed_count++;
}

static void on_progress(void *context, const struct ingest_counts *counts, uint64_t bytes_total)
{
    struct run *run = context;
    run->progress_calls++;
    run->progress = *counts;
    run->progress_bytes_total = bytes_total;
}

void run_init(struct run *run)
{
    memset(run, 0, sizeof *run);
    tempdir_make(run->directory);
    tempdir_join(run->reject_directory, run->directory, "rejects");
    run->engine = fake_engine_new();
    run->options = (struct ingest_options){
        .paths = run->path_list,
        .reject_directory = run->reject_directory,
        .stop = &run->stop,
        .malformed = on_malformed,
        .progress = on_progress,
        .context = run,
    };
}

void run_deinit(struct run *run)
{
    fake_engine_free(run->engine);
    tempdir_remove(run->directory);
}

const char *run_write(struct run *run, const char *name, const void *bytes, size_t count)
{
    static char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, run->directory, name);
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL);
    CHECK(fwrite(bytes, 1, count, file) == count);
    CHECK(fclose(file) == 0);
    return path;
}

const char *run_add(struct run *run, const char *name)
{
    size_t i = run->options.path_count++;
    CHECK(i < RUN_PATHS_MAX);
    if (strcmp(name, "-") == 0)
        strcpy(run->paths[i], "-");
    else
        tempdir_join(run->paths[i], run->directory, name);
    run->path_list[i] = run->paths[i];
    return run->path_list[i];
}

settle_status run_go(struct run *run)
{
    run->malformed_count = 0;
    run->progress_calls = 0;
    memset(&run->error, 0, sizeof run->error);
    memset(&run->result, 0xa5, sizeof run->result);
    return ingest_run(run->engine, &run->options, &run->result, &run->error);
}

char *run_rejects(const struct run *run, size_t *ret_bytes)
{
    if (run->result.reject_path[0] == '\0')
        return NULL;
    FILE *file = fopen(run->result.reject_path, "rb");
    CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0);
    *ret_bytes = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*ret_bytes + 1);
    CHECK(bytes != NULL && fread(bytes, 1, *ret_bytes, file) == *ret_bytes);
    bytes[*ret_bytes] = '\0';
    fclose(file);
    return bytes;
}

unsigned run_reject_files(const struct run *run)
{
    DIR *directory = opendir(run->reject_directory);
    unsigned files = 0;
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;)
        files += entry->d_name[0] != '.';
    if (directory != NULL)
        closedir(directory);
    return files;
}

void run_take_stdin(int fd)
{
    CHECK(dup2(fd, STDIN_FILENO) == STDIN_FILENO);
    CHECK(close(fd) == 0);
}

const char *run_deposit(uint64_t user)
{
    static char line[128];
    snprintf(line, sizeof line, "{\"type\":\"deposit\",\"ts\":1,\"user\":%llu,\"asset\":\"USDT\",\"amount\":\"1\"}\n",
             (unsigned long long)user);
    return line;
}
