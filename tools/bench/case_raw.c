/*
 * case_raw.c — what the machine can do at best: records of 128 bytes appended to a file that was filled with zeros
 * before, 8192 of them a pwrite and an fdatasync, by a thread that writes one buffer while the other is filled. And
 * what one sync of its own costs. Everything else is put in proportion to this.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/bench/bench.h"
#include "tools/bench/samples.h"

#define RECORD_BYTES BENCH_RAW_RECORD_BYTES
#define GROUP_RECORDS 8192
#define GROUP_BYTES ((size_t)GROUP_RECORDS * RECORD_BYTES)
#define FILE_NAME "raw"
#define SYNC_BYTES 4096
#define SYNC_SAMPLES 4000

/* Two buffers: full ones are written in order; `written` and `filled` count groups. */
struct raw {
    int fd;
    char *buffers[2];
    uint64_t group_count, filled, written;
    int failed_errno;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
};

static settle_status zero_file(const struct bench *bench, uint64_t bytes, int *ret_fd, settle_error *error)
{
    char path[BENCH_PATH_BYTES];
    char *zeros = calloc(1, GROUP_BYTES);
    int fd = open(bench_path(bench, FILE_NAME, path), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = zeros != NULL && fd >= 0;
    for (uint64_t at = 0; good && at < bytes;) {
        size_t take = bytes - at < GROUP_BYTES ? (size_t)(bytes - at) : GROUP_BYTES;
        ssize_t count = pwrite(fd, zeros, take, (off_t)at);
        good = count > 0;
        at += good ? (uint64_t)count : 0;
    }
    good = good && fsync(fd) == 0;
    int cause = errno;
    free(zeros);
    if (good) {
        *ret_fd = fd;
        return SETTLE_OK;
    }
    if (fd >= 0)
        close(fd);
    return bench_error(error, cause == ENOSPC ? SETTLE_E_NO_SPACE : SETTLE_E_IO, cause,
                       "the file of the raw limit cannot be written");
}

static bool write_group(const struct raw *raw, uint64_t group)
{
    const char *bytes = raw->buffers[group % 2];
    for (size_t done = 0; done < GROUP_BYTES;) {
        ssize_t count = pwrite(raw->fd, bytes + done, GROUP_BYTES - done, (off_t)(group * GROUP_BYTES + done));
        if (count <= 0)
            return false;
        done += (size_t)count;
    }
    return fdatasync(raw->fd) == 0;
}

static void *writer_main(void *context)
{
    struct raw *raw = context;
    pthread_mutex_lock(&raw->mutex);
    while (raw->written < raw->group_count && raw->failed_errno == 0) {
        if (raw->filled == raw->written) {
            pthread_cond_wait(&raw->changed, &raw->mutex);
            continue;
        }
        pthread_mutex_unlock(&raw->mutex);
        bool good = write_group(raw, raw->written);
        int cause = errno;
        pthread_mutex_lock(&raw->mutex);
        raw->written += good;
        raw->failed_errno = good ? 0 : cause;
        pthread_cond_signal(&raw->changed);
    }
    pthread_mutex_unlock(&raw->mutex);
    return NULL;
}

static void fill_group(char *buffer, uint64_t group)
{
    static const char pattern[RECORD_BYTES] = "a record of as many bytes as a small event takes in a journal";
    for (uint64_t i = 0; i < GROUP_RECORDS; i++) {
        uint64_t number = group * GROUP_RECORDS + i;
        memcpy(buffer + i * RECORD_BYTES, pattern, RECORD_BYTES);
        memcpy(buffer + i * RECORD_BYTES, &number, sizeof number);
    }
}

static void fill_all(struct raw *raw)
{
    for (uint64_t group = 0; group < raw->group_count; group++) {
        pthread_mutex_lock(&raw->mutex);
        while (group - raw->written >= 2 && raw->failed_errno == 0)
            pthread_cond_wait(&raw->changed, &raw->mutex);
        bool goes_on = raw->failed_errno == 0;
        pthread_mutex_unlock(&raw->mutex);
        if (!goes_on)
            return;
        fill_group(raw->buffers[group % 2], group);
        pthread_mutex_lock(&raw->mutex);
        raw->filled++;
        pthread_cond_signal(&raw->changed);
        pthread_mutex_unlock(&raw->mutex);
    }
}

static settle_status append(struct bench *bench, struct raw *raw, settle_error *error)
{
    pthread_t writer;
    uint64_t started = bench_now_ns();
    int cause = pthread_create(&writer, NULL, writer_main, raw);
    if (cause != 0)
        return bench_error(error, SETTLE_E_NO_MEMORY, cause, "no thread");
    fill_all(raw);
    pthread_join(writer, NULL);
    uint64_t elapsed = bench_now_ns() - started;
    if (raw->failed_errno != 0)
        return bench_error(error, SETTLE_E_IO, raw->failed_errno, "writing the raw limit's file failed");
    bench_record_rate(bench, FIGURE_RAW, raw->group_count * GROUP_RECORDS, elapsed);
    return SETTLE_OK;
}

/* As many records as the bulk cases have events, twice, in whole groups. */
settle_status bench_raw(struct bench *bench, settle_error *error)
{
    struct raw raw = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    raw.group_count = (2 * bench->events_count + GROUP_RECORDS - 1) / GROUP_RECORDS;
    char *buffers = calloc(2, GROUP_BYTES);
    if (buffers == NULL)
        return bench_error(error, SETTLE_E_NO_MEMORY, 0, "no memory");
    raw.buffers[0] = buffers;
    raw.buffers[1] = buffers + GROUP_BYTES;
    settle_status status = zero_file(bench, raw.group_count * GROUP_BYTES, &raw.fd, error);
    if (status == SETTLE_OK) {
        status = append(bench, &raw, error);
        close(raw.fd);
    }
    free(buffers);
    bench_remove(bench, FILE_NAME);
    return status;
}

settle_status bench_sync(struct bench *bench, settle_error *error)
{
    static const char bytes[SYNC_BYTES] = "a block";
    size_t count = (size_t)bench_share(bench, 50, SYNC_SAMPLES);
    uint64_t *samples = malloc(count * sizeof *samples);
    int fd;
    settle_status status = zero_file(bench, (uint64_t)count * SYNC_BYTES, &fd, error);
    bool good = samples != NULL && status == SETTLE_OK;
    for (size_t i = 0; good && i < count; i++) {
        uint64_t started = bench_now_ns();
        good = pwrite(fd, bytes, SYNC_BYTES, (off_t)(i * SYNC_BYTES)) == SYNC_BYTES && fdatasync(fd) == 0;
        samples[i] = bench_now_ns() - started;
    }
    int cause = errno;
    if (status == SETTLE_OK)
        close(fd);
    if (good) {
        samples_sort(samples, count);
        bench_record(bench, FIGURE_SYNC_P50, (double)samples_percentile(samples, count, 50000));
        bench_record(bench, FIGURE_SYNC_P99, (double)samples_percentile(samples, count, 99000));
        bench_record(bench, FIGURE_SYNC_P999, (double)samples_percentile(samples, count, 99900));
    } else if (status == SETTLE_OK) {
        status = bench_error(error, SETTLE_E_IO, cause, "syncing a block failed");
    }
    free(samples);
    bench_remove(bench, FILE_NAME);
    return status;
}
