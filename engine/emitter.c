/*
 * emitter.c — the thread of the JSON lines: follows the durable journal like any other reader and has a follower
 * write what it renders.
 *
 * Owns a reader and a follower, which nobody else touches while the thread runs. Shares nothing with the hot path but
 * the durable position; holds no lock of the engine while it renders. Trouble with the log files pauses it, is told
 * by the follower and is tried again; only a fault of the journal latches the engine.
 */
#include <assert.h>
#include <string.h>
#include <time.h>

#include "engine/engine.h"
#include "journal/base/status.h"

/* Between two looks where there is little to do: single events committed one by one share a write of lines. */
#define EMITTER_GAP_US 1000u
#define EMITTER_RETRY_US 1000000u
/* The follower is called at least so often: it saves its position when it is idle, and notices a file that was
 * moved. */
#define EMITTER_TEND_US 250000u
/* Stopping waits so long for rotated files that are still to be compressed; the rest is for the next start. */
#define EMITTER_TIDY_US_MAX 500000u

/* ---- Options ---- */

void settle_lines_options_init_sized(settle_lines_options *ret_options, size_t size_bytes)
{
    const settle_lines_options options = {
        .size_bytes = size_bytes,
        .free_bytes_min = FOLLOWER_FREE_DEFAULT,
        .sample_per_million = LINES_SAMPLE_ALL,
    };
    assert(ret_options != NULL && size_bytes >= sizeof ret_options->size_bytes);
    memset(ret_options, 0, size_bytes);
    memcpy(ret_options, &options, size_bytes < sizeof options ? size_bytes : sizeof options);
}

static settle_status options_take(const settle_lines_options *given, settle_lines_options *ret_options,
                                  settle_error *error)
{
    settle_lines_options options;
    settle_lines_options_init(&options);
    if (given == NULL || given->size_bytes == 0 || given->size_bytes > sizeof options)
        return fail(error, SETTLE_E_INVALID,
                    "settle_lines_options: size_bytes is not what settle_lines_options_init() sets");
    memcpy(&options, given, given->size_bytes);
    if (options.directory == NULL || options.directory[0] == '\0')
        return fail(error, SETTLE_E_INVALID, "settle_lines_options: no directory given");
    if (options.sample_per_million > LINES_SAMPLE_ALL || options.compress > 1)
        return fail(error, SETTLE_E_INVALID, "sample_per_million: 0 to 1000000; compress: 0 or 1");
    *ret_options = options;
    return SETTLE_OK;
}

static void emitter_log(void *context, int level, const char *message)
{
    engine_log(context, (settle_log_level)level, "%s", message);
}

/* ---- The thread ---- */

/* A fault of the journal, or no memory: the thread ends. Mutex held. */
static void emitter_give_up(settle *e, const settle_error *fault)
{
    struct emitter *m = &e->emitter;
    m->state.is_paused = 1;
    m->state.cause = *fault;
    if (fault->status != SETTLE_E_NO_MEMORY) {
        engine_latch(e, fault);
        return;
    }
    pthread_mutex_unlock(&e->mutex);
    engine_log(e, SETTLE_LOG_WARNING, "the JSON lines have ended and are left for the next start: %s", fault->text);
    pthread_mutex_lock(&e->mutex);
}

/* Renders some more of what is durable. Called and returns with the mutex held. False: never again. */
static bool emitter_step(settle *e)
{
    struct emitter *m = &e->emitter;
    struct follower_progress progress = {.is_at_end = false};
    settle_error fault = {.status = SETTLE_OK};
    uint64_t limit = m->is_stopping ? m->stop_position : e->durable_position;
    pthread_mutex_unlock(&e->mutex);
    settle_status status = journal_reader_limit(m->reader, limit, &fault);
    if (status == SETTLE_OK)
        status = follower_step(m->follower, m->reader, &progress, &fault);
    pthread_mutex_lock(&e->mutex);
    if (status != SETTLE_OK) {
        emitter_give_up(e, &fault);
        return false;
    }
    if (progress.is_at_end)
        m->position = limit;
    m->is_tidying = progress.is_tidying;
    m->state.lines = progress.lines;
    m->state.bytes = progress.bytes;
    m->state.is_paused = progress.is_paused;
    m->state.cause = progress.is_paused ? progress.cause : (settle_error){.status = SETTLE_OK};
    return true;
}

static void wait_until(settle *e, uint64_t deadline_us, bool is_for_commit)
{
    struct emitter *m = &e->emitter;
    struct timespec at = {.tv_sec = (time_t)(deadline_us / 1000000u), .tv_nsec = (long)(deadline_us % 1000000u) * 1000};
    m->is_idle = is_for_commit;
    while (!m->is_stopping && monotonic_us() < deadline_us && !(is_for_commit && m->position != e->durable_position))
        pthread_cond_timedwait(&m->wanted, &e->mutex, &at);
    m->is_idle = false;
}

/* Waits for something to do. Mutex held. */
static void emitter_wait(settle *e)
{
    struct emitter *m = &e->emitter;
    uint64_t now_us = monotonic_us();
    if (m->state.is_paused) {
        wait_until(e, now_us + EMITTER_RETRY_US, false);
    } else if (m->position == e->durable_position && !m->is_tidying) {
        wait_until(e, now_us + EMITTER_TEND_US, true);
        wait_until(e, now_us + EMITTER_GAP_US, false);
    }
}

/* Asked to end: whether there is nothing left to do, or to be done about it. */
static bool emitter_is_done(const struct emitter *m, uint64_t stopping_us)
{
    if (m->state.is_paused)
        return true;
    return m->position == m->stop_position && (!m->is_tidying || monotonic_us() - stopping_us > EMITTER_TIDY_US_MAX);
}

static void *emitter_main(void *argument)
{
    settle *e = argument;
    struct emitter *m = &e->emitter;
    uint64_t stopping_us = 0;
    pthread_mutex_lock(&e->mutex);
    for (;;) {
        bool is_last = m->is_stopping;
        if (is_last && stopping_us == 0)
            stopping_us = monotonic_us();
        if (!emitter_step(e) || (is_last && emitter_is_done(m, stopping_us)))
            break;
        if (!m->is_stopping)
            emitter_wait(e);
    }
    pthread_mutex_unlock(&e->mutex);
    return NULL;
}

/* ---- Starting, stopping ---- */

static settle_status emitter_claim(settle *e, settle_error *error)
{
    pthread_mutex_lock(&e->mutex);
    settle_status status = engine_check(e, error);
    if (status == SETTLE_OK && e->emitter.is_claimed)
        status = fail(error, SETTLE_E_CONFLICT, "the engine's JSON lines are being written already");
    if (status == SETTLE_OK)
        e->emitter.is_claimed = true;
    pthread_mutex_unlock(&e->mutex);
    return status;
}

/* Frees what the thread had; it is not running. */
static settle_status emitter_release(settle *e, settle_error *error)
{
    struct emitter *m = &e->emitter;
    assert(m->is_claimed);
    settle_status status = follower_close(m->follower, error);
    journal_reader_close(m->reader);
    m->follower = NULL;
    m->reader = NULL;
    pthread_mutex_lock(&e->mutex);
    m->is_claimed = m->is_running = m->is_stopping = false;
    pthread_cond_broadcast(&e->progress);
    pthread_mutex_unlock(&e->mutex);
    return status;
}

static settle_status emitter_open(settle *e, const settle_lines_options *options, settle_error *error)
{
    struct emitter *m = &e->emitter;
    const struct follower_options follower = {
        .directory = options->directory,
        .sample_per_million = options->sample_per_million,
        .rotate_bytes = options->rotate_bytes,
        .keep_days = options->keep_days,
        .keep_bytes = options->keep_bytes,
        .compress = options->compress != 0,
        .free_bytes_min = options->free_bytes_min,
        .log = emitter_log,
        .context = e,
    };
    settle_status status = journal_reader_open_own(e->data_fd, &e->mem, &m->reader, error);
    if (status == SETTLE_OK)
        journal_reader_trust(m->reader, e->own_position);
    if (status == SETTLE_OK)
        status = follower_open(&follower, journal_reader_id(m->reader), &e->mem, &m->follower, error);
    return status;
}

static settle_status emitter_run(settle *e, settle_error *error)
{
    struct emitter *m = &e->emitter;
    pthread_mutex_lock(&e->mutex);
    m->state = (settle_lines_state){.lines = 0};
    m->position = 0;
    int result = pthread_create(&m->thread, NULL, emitter_main, e);
    m->is_running = result == 0;
    m->was_started |= m->is_running;
    pthread_mutex_unlock(&e->mutex);
    return result == 0 ? SETTLE_OK : thread_failed(error, result, "starting the thread of the JSON lines");
}

settle_status settle_lines_start(settle *engine, const settle_lines_options *options, settle_error *error)
{
    settle_lines_options taken;
    settle_lines_options_init(&taken);
    settle_status status = options_take(options, &taken, error);
    if (status == SETTLE_OK)
        status = emitter_claim(engine, error);
    if (status != SETTLE_OK)
        return status;
    status = emitter_open(engine, &taken, error);
    if (status == SETTLE_OK)
        status = emitter_run(engine, error);
    if (status != SETTLE_OK)
        (void)emitter_release(engine, NULL);
    return status;
}

settle_status settle_lines_state_get(settle *engine, settle_lines_state *ret_state, settle_error *error)
{
    settle *e = engine;
    settle_status status = SETTLE_OK;
    pthread_mutex_lock(&e->mutex);
    if (e->emitter.was_started) {
        *ret_state = e->emitter.state;
        ret_state->is_at_end = !ret_state->is_paused && e->emitter.position == e->durable_position;
    } else {
        status = fail(error, SETTLE_E_NOT_FOUND, "no JSON lines were started");
    }
    pthread_mutex_unlock(&e->mutex);
    return status;
}

settle_status settle_lines_stop(settle *engine, settle_error *error)
{
    settle *e = engine;
    struct emitter *m = &e->emitter;
    pthread_mutex_lock(&e->mutex);
    bool is_mine = m->is_running && !m->is_stopping;
    if (is_mine) {
        m->is_stopping = true;
        m->stop_position = e->durable_position;
        pthread_cond_signal(&m->wanted);
    }
    while (!is_mine && m->is_stopping) /* another thread stops it */
        pthread_cond_wait(&e->progress, &e->mutex);
    pthread_mutex_unlock(&e->mutex);
    if (!is_mine)
        return SETTLE_OK;
    pthread_join(m->thread, NULL);
    settle_error fault = m->state.cause; /* of the thread, which has ended; the next one may begin with the release */
    bool is_paused = m->state.is_paused;
    settle_status status = emitter_release(e, is_paused ? NULL : &fault);
    if (is_paused)
        status = fault.status;
    if (status != SETTLE_OK && error != NULL)
        *error = fault;
    return status;
}
