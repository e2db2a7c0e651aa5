/*
 * ingest_fake_engine.c — see ingest_fake_engine.h. One lock guards everything; completions are called without it.
 */
#include "tests/lib/ingest_fake_engine.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/plain.h"

static void write_log(settle *engine, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void write_log(settle *engine, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof engine->log - engine->log_bytes;
    int length = vsnprintf(engine->log + engine->log_bytes, room, format, arguments);
    va_end(arguments);
    if (length > 0 && (size_t)length < room)
        engine->log_bytes += (size_t)length;
}

/* Counts a call; true: it is the one that must fail. */
static bool must_fail(settle *engine, enum fake_call call)
{
    return ++engine->calls[call] == engine->fail_at[call];
}

static settle_status refuse(settle *engine, settle_error *error)
{
    if (error != NULL)
        *error = (settle_error){.status = engine->fail_status, .text = "the fake engine was told to fail"};
    return engine->fail_status;
}

static void land(settle *engine, struct fake_pending pending)
{
    bool fails = must_fail(engine, FAKE_LANDING) || engine->is_latched;
    engine->is_latched = fails && !engine->forgets;
    engine->undurable--;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
    if (engine->landing_delay_us > 0)
        usleep(engine->landing_delay_us);
    pthread_mutex_lock(&engine->lock);
    engine->told++;
    pthread_mutex_unlock(&engine->lock);
    pending.done(pending.context, fails ? SETTLE_E_LATCHED : SETTLE_OK, pending.results, pending.count);
    pthread_mutex_lock(&engine->lock);
    engine->in_flight--;
}

static void *commit_main(void *argument)
{
    settle *engine = argument;
    pthread_mutex_lock(&engine->lock);
    while (!engine->is_closing || engine->pending_count > 0) {
        bool holds = engine->in_flight < engine->landings_wait_for && !engine->is_flushing && !engine->is_closing;
        if (engine->pending_count == 0 || holds) {
            pthread_cond_wait(&engine->changed, &engine->lock);
            continue;
        }
        struct fake_pending pending = engine->pending[0];
        engine->pending_count--;
        memmove(engine->pending, engine->pending + 1, engine->pending_count * sizeof pending);
        land(engine, pending);
    }
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}

settle *fake_engine_new(void)
{
    settle *engine = calloc(1, sizeof *engine);
    CHECK(engine != NULL);
    engine->assets[0] = (settle_asset){1, 8, "BTC"};
    engine->assets[1] = (settle_asset){2, 6, "USDT"};
    engine->asset_count = 2;
    engine->fail_status = SETTLE_E_IO;
    pthread_mutex_init(&engine->lock, NULL);
    pthread_cond_init(&engine->changed, NULL);
    CHECK(pthread_create(&engine->thread, NULL, commit_main, engine) == 0);
    return engine;
}

void fake_engine_free(settle *engine)
{
    pthread_mutex_lock(&engine->lock);
    engine->is_closing = true;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
    pthread_join(engine->thread, NULL);
    pthread_cond_destroy(&engine->changed);
    pthread_mutex_destroy(&engine->lock);
    free(engine->events);
    free(engine);
}

static struct fake_source *source_named(settle *engine, const char *name, size_t bytes)
{
    for (size_t i = 0; i < engine->source_count; i++)
        if (strlen(engine->sources[i].name) == bytes && memcmp(engine->sources[i].name, name, bytes) == 0)
            return &engine->sources[i];
    CHECK(engine->source_count < FAKE_NAMED_MAX && bytes <= SETTLE_SOURCE_NAME_BYTES_MAX);
    struct fake_source *source = &engine->sources[engine->source_count++];
    memcpy(source->name, name, bytes);
    source->position.source = (uint32_t)engine->source_count;
    return source;
}

void fake_engine_set_source(settle *engine, const char *name, uint64_t offset_bytes, uint64_t line)
{
    struct fake_source *source = source_named(engine, name, strlen(name));
    source->position.offset_bytes = offset_bytes;
    source->position.line = line;
}

const struct fake_source *fake_engine_source(const settle *engine, const char *name)
{
    for (size_t i = 0; i < engine->source_count; i++)
        if (strcmp(engine->sources[i].name, name) == 0)
            return &engine->sources[i];
    return NULL;
}

/* ---- What the loop calls ----------------------------------------------------------------------------------------- */

static void keep(settle_text *text, char *copy)
{
    if (text->bytes > 0)
        memcpy(copy, text->data, text->bytes);
    copy[text->bytes] = '\0';
    *text = (settle_text){NULL, 0};
}

static void remember(settle *engine, const settle_event *event, settle_result *ret_result)
{
    struct fake_event *kept = &engine->events[engine->event_count++];
    kept->event = *event;
    kept->trade_id[0] = '\0';
    keep(&kept->event.event_id, kept->event_id);
    if (event->type == SETTLE_TRADE)
        keep(&kept->event.u.trade.trade_id, kept->trade_id);
    uint64_t user = event->type == SETTLE_TRADE ? 1 : event->u.transfer.user;
    *ret_result = (settle_result){.seq = engine->event_count,
                                  .outcome = user >= 1 && user <= 4 ? (settle_outcome)user : SETTLE_ACCEPTED};
    struct fake_source *source = &engine->sources[event->end.source - 1];
    source->position = event->end;
}

settle_status settle_submit_async(settle *engine, const settle_event *events, size_t count, settle_result *ret_results,
                                  settle_done done, void *context, settle_error *error)
{
    settle_status status = SETTLE_OK;
    if (engine->on_submit != NULL)
        engine->on_submit(engine->context);
    pthread_mutex_lock(&engine->lock);
    write_log(engine, "submit %zu\n", count);
    if (must_fail(engine, FAKE_SUBMIT) || engine->is_latched) {
        status = refuse(engine, error);
    } else {
        engine->events = realloc(engine->events, (engine->event_count + count) * sizeof *engine->events);
        CHECK(engine->events != NULL && engine->pending_count < FAKE_PENDING_MAX);
        for (size_t i = 0; i < count; i++) {
            CHECK(events[i].end.source >= 1 && events[i].end.source <= engine->source_count);
            remember(engine, &events[i], &ret_results[i]);
        }
        engine->pending[engine->pending_count++] = (struct fake_pending){done, context, ret_results, count};
        engine->undurable++;
        engine->taken++;
        if (++engine->in_flight > engine->in_flight_max)
            engine->in_flight_max = engine->in_flight;
        pthread_cond_broadcast(&engine->changed);
    }
    pthread_mutex_unlock(&engine->lock);
    return status;
}

settle_status settle_flush(settle *engine, settle_error *error)
{
    pthread_mutex_lock(&engine->lock);
    write_log(engine, "flush\n");
    engine->is_flushing = true;
    pthread_cond_broadcast(&engine->changed);
    while (engine->undurable > 0)
        pthread_cond_wait(&engine->changed, &engine->lock);
    engine->is_flushing = false;
    settle_status status = SETTLE_OK;
    if (must_fail(engine, FAKE_FLUSH) || engine->is_latched)
        status = refuse(engine, error);
    pthread_mutex_unlock(&engine->lock);
    return status;
}

settle_status settle_source_open(settle *engine, settle_text name, settle_source_position *ret_position,
                                 settle_error *error)
{
    pthread_mutex_lock(&engine->lock);
    settle_status status = SETTLE_OK;
    if (must_fail(engine, FAKE_OPEN))
        status = refuse(engine, error);
    else
        *ret_position = source_named(engine, name.data, name.bytes)->position;
    pthread_mutex_unlock(&engine->lock);
    return status;
}

settle_status settle_source_advance(settle *engine, settle_source_position position, settle_error *error)
{
    pthread_mutex_lock(&engine->lock);
    CHECK(position.source >= 1 && position.source <= engine->source_count);
    struct fake_source *source = &engine->sources[position.source - 1];
    write_log(engine, "advance %llu %llu\n", (unsigned long long)position.offset_bytes,
              (unsigned long long)position.line);
    settle_status status = SETTLE_OK;
    if (must_fail(engine, FAKE_ADVANCE))
        status = refuse(engine, error);
    else
        source->position = position;
    pthread_mutex_unlock(&engine->lock);
    return status;
}

settle_status settle_asset_declare(settle *engine, const settle_asset *asset, settle_error *error)
{
    pthread_mutex_lock(&engine->lock);
    write_log(engine, "declare %s\n", asset->symbol);
    settle_status status = SETTLE_OK;
    bool is_known = false;
    for (size_t i = 0; i < engine->asset_count; i++) {
        const settle_asset *other = &engine->assets[i];
        bool same_symbol = strcmp(other->symbol, asset->symbol) == 0;
        if (same_symbol || other->id == asset->id) {
            is_known = true;
            if (!same_symbol || other->id != asset->id || other->scale != asset->scale)
                status = SETTLE_E_CONFLICT;
        }
    }
    if (status == SETTLE_E_CONFLICT && error != NULL)
        *error = (settle_error){.status = status, .text = "another asset"};
    if (must_fail(engine, FAKE_DECLARE))
        status = refuse(engine, error);
    CHECK(engine->asset_count < FAKE_NAMED_MAX);
    if (status == SETTLE_OK && !is_known)
        engine->assets[engine->asset_count++] = *asset;
    pthread_mutex_unlock(&engine->lock);
    return status;
}

static settle_status find_asset(settle *engine, uint32_t id, settle_text symbol, settle_asset *ret_asset)
{
    settle_status status = SETTLE_E_NOT_FOUND;
    pthread_mutex_lock(&engine->lock);
    engine->lookups++;
    for (size_t i = 0; i < engine->asset_count; i++) {
        const settle_asset *asset = &engine->assets[i];
        bool same_symbol =
            strlen(asset->symbol) == symbol.bytes && memcmp(asset->symbol, symbol.data, symbol.bytes) == 0;
        if (id != 0 ? asset->id == id : same_symbol) {
            *ret_asset = *asset;
            status = SETTLE_OK;
        }
    }
    pthread_mutex_unlock(&engine->lock);
    return status;
}

settle_status settle_asset_by_id(settle *engine, uint32_t id, settle_asset *ret_asset)
{
    return find_asset(engine, id, (settle_text){"", 0}, ret_asset);
}

settle_status settle_asset_by_symbol(settle *engine, settle_text symbol, settle_asset *ret_asset)
{
    return find_asset(engine, 0, symbol, ret_asset);
}
