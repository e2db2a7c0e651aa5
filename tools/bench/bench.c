/* bench.c — see bench.h: what the cases share. */
#define _GNU_SOURCE /* nftw(), syncfs() */
#include "tools/bench/bench.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/bench/samples.h"

/* ---- Figures ---- */

void bench_figures_init(struct bench *bench)
{
    static const struct figure figures[FIGURE_COUNT] = {
#define X(id, name_, unit_, base_, what_)                                                                              \
    [FIGURE_##id] = {.name = (name_), .what = (what_), .unit = UNIT_##unit_, .base = FIGURE_##base_},
        BENCH_FIGURE_MAP(X)
#undef X
    };
    memcpy(bench->figures, figures, sizeof figures);
}

void bench_record(struct bench *bench, enum figure_id id, double value)
{
    struct figure *figure = &bench->figures[id];
    assert(figure->run_count < BENCH_RUNS_MAX);
    figure->runs[figure->run_count++] = value;
}

void bench_record_rate(struct bench *bench, enum figure_id id, uint64_t count, uint64_t elapsed_ns)
{
    bench_record(bench, id, (double)count * 1e9 / (double)(elapsed_ns > 0 ? elapsed_ns : 1));
}

bool bench_figure_median(const struct bench *bench, enum figure_id id, double *ret_median, double *ret_ratio)
{
    const struct figure *figure = &bench->figures[id], *base = &bench->figures[figure->base];
    double ratios[BENCH_RUNS_MAX];
    if (figure->run_count == 0 || (figure->unit != UNIT_BYTES && base->run_count < figure->run_count))
        return false;
    for (unsigned run = 0; run < figure->run_count; run++)
        ratios[run] = figure->runs[run] / (figure->unit == UNIT_BYTES ? BENCH_RAW_RECORD_BYTES : base->runs[run]);
    *ret_median = samples_median(figure->runs, figure->run_count);
    *ret_ratio = samples_median(ratios, figure->run_count);
    return true;
}

/* ---- Events ---- */

settle_status bench_events_init(struct bench *bench, settle_error *error)
{
    size_t count = (size_t)bench->events_count;
    bench->events = malloc(count * sizeof *bench->events);
    bench->trade_ids = malloc(count * sizeof *bench->trade_ids);
    bench->results = calloc(count, sizeof *bench->results);
    if (bench->events == NULL || bench->trade_ids == NULL || bench->results == NULL)
        return bench_error(error, SETTLE_E_NO_MEMORY, 0, "no memory for so many events");
    bench->distribution = STREAM_ZIPF; /* anything but what is made here */
    return bench_events_make(bench, STREAM_UNIFORM, error);
}

void bench_events_deinit(struct bench *bench)
{
    free(bench->events);
    free(bench->trade_ids);
    free(bench->results);
}

settle_status bench_events_make(struct bench *bench, enum stream_distribution distribution, settle_error *error)
{
    struct stream stream;
    struct stream_event event;
    if (bench->distribution == distribution)
        return SETTLE_OK;
    if (!stream_init(&stream, STREAM_SEED, distribution))
        return bench_error(error, SETTLE_E_NO_MEMORY, 0, "no memory for the stream");
    for (uint64_t i = 0; i < bench->events_count; i++) {
        stream_at(&stream, i, &event);
        stream_to_event(&event, bench->trade_ids[i], &bench->events[i]);
    }
    stream_deinit(&stream);
    bench->distribution = distribution;
    return SETTLE_OK;
}

static bool write_lines(const struct bench *bench, const struct stream *stream, FILE *file)
{
    char line[STREAM_LINE_BYTES];
    struct stream_event event;
    for (size_t i = 0; i < STREAM_ASSETS; i++)
        if (fwrite(line, 1, stream_asset_line(&stream_assets[i], line), file) == 0)
            return false;
    for (uint64_t i = 0; i < bench->events_count; i++) {
        stream_at(stream, i, &event);
        if (fwrite(line, 1, stream_to_line(&event, line), file) == 0)
            return false;
    }
    return true;
}

settle_status bench_input_write(const struct bench *bench, enum stream_distribution distribution, const char *path,
                                settle_error *error)
{
    struct stream stream;
    if (!stream_init(&stream, STREAM_SEED, distribution))
        return bench_error(error, SETTLE_E_NO_MEMORY, 0, "no memory for the stream");
    FILE *file = fopen(path, "we");
    bool good = file != NULL && write_lines(bench, &stream, file);
    good = (file == NULL || fclose(file) == 0) && good;
    int cause = errno;
    stream_deinit(&stream);
    return good ? SETTLE_OK : bench_error(error, SETTLE_E_IO, cause, "the events cannot be written");
}

/* ---- For the cases ---- */

uint64_t bench_share(const struct bench *bench, uint64_t divisor, uint64_t most)
{
    uint64_t share = bench->events_count / divisor;
    share = share < most ? share : most;
    return share > 0 ? share : 1;
}

uint64_t bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

const char *bench_path(const struct bench *bench, const char *name, char ret_path[BENCH_PATH_BYTES])
{
    int bytes = snprintf(ret_path, BENCH_PATH_BYTES, "%s/%s", bench->directory, name);
    assert(bytes > 0 && bytes < BENCH_PATH_BYTES); /* cmd_bench.c refuses longer ones */
    return ret_path;
}

settle_status bench_error(settle_error *error, settle_status status, int cause_errno, const char *text)
{
    *error = (settle_error){.status = status, .cause_errno = cause_errno};
    snprintf(error->text, sizeof error->text, "%s%s%s", text, cause_errno != 0 ? ": " : "",
             cause_errno != 0 ? strerror(cause_errno) : "");
    return status;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    (void)remove(path);
    return 0;
}

void bench_remove_tree(const char *path)
{
    (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void bench_remove(const struct bench *bench, const char *name)
{
    char path[BENCH_PATH_BYTES];
    bench_remove_tree(bench_path(bench, name, path));
    int fd = open(bench->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)syncfs(fd);
    close(fd);
}

settle_status bench_engine_open(const struct bench *bench, settle **ret_engine, settle_error *error)
{
    char path[BENCH_PATH_BYTES];
    settle *engine;
    settle_status status = settle_open(bench_path(bench, BENCH_DATA, path), NULL, &engine, error);
    if (status != SETTLE_OK)
        return status;
    for (size_t i = 0; i < STREAM_ASSETS && status == SETTLE_OK; i++)
        status = settle_asset_declare(engine, &stream_assets[i], error);
    if (status == SETTLE_OK)
        *ret_engine = engine;
    else
        settle_close(engine, NULL);
    return status;
}

/* A group that failed is told by the flush that follows. */
static void group_is_done(void *context, settle_status status, const settle_result *results, size_t count)
{
    (void)context, (void)status, (void)results, (void)count;
}

settle_status bench_submit_all(const struct bench *bench, settle *engine, uint64_t count, size_t group,
                               settle_error *error)
{
    settle_status status = SETTLE_OK;
    assert(count <= bench->events_count);
    for (uint64_t at = 0; at < count && status == SETTLE_OK; at += group) {
        size_t take = count - at < group ? (size_t)(count - at) : group;
        status = settle_submit_async(engine, &bench->events[at], take, &bench->results[at], group_is_done, NULL, error);
    }
    return status == SETTLE_OK ? settle_flush(engine, error) : status;
}
