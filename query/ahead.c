/*
 * ahead.c — a ring of frames between a thread that reads and one that takes.
 *
 * Owns the thread, the frames' bytes and the lock. Invariant: slots[taken % SLOTS] … slots[read % SLOTS - 1] are the taker's,
 * the others the reader's; the one that was handed out last is not given back before the next call.
 */
#include "query/ahead.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "journal/base/status.h"

#define SLOTS 4u

struct slot {
    uint8_t *bytes;
    size_t capacity;
    struct frame frame;
    struct journal_point after;
};

struct ahead {
    const struct mem *mem;
    struct journal_reader *reader;
    struct journal_point point; /* of the frame to read next */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct slot slots[SLOTS];
    uint64_t read, taken; /* frames, counted from the beginning */
    bool has_one;         /* the taker still looks at frame `taken` */
    bool is_closing;
    settle_status ending; /* other than SETTLE_OK: nothing comes behind frame `read` */
    settle_error ending_error;
};

static settle_status slot_fill(struct ahead *a, struct slot *slot, settle_error *error)
{
    struct frame frame;
    settle_status status = journal_reader_next(a->reader, &a->point, &frame, error);
    if (status != SETTLE_OK)
        return status;
    if (slot->capacity < frame.length_bytes) {
        uint8_t *bytes = mem_resize(a->mem, slot->bytes, frame.length_bytes, 1);
        if (bytes == NULL)
            return fail(error, SETTLE_E_NO_MEMORY, "no memory for a frame of %zu bytes", (size_t)frame.length_bytes);
        slot->bytes = bytes;
        slot->capacity = frame.length_bytes;
    }
    memcpy(slot->bytes, frame.bytes, frame.length_bytes);
    slot->frame = frame;
    slot->frame.bytes = slot->bytes;
    slot->after = a->point;
    return SETTLE_OK;
}

static void *read_ahead(void *argument)
{
    struct ahead *a = argument;
    settle_status status = SETTLE_OK;
    pthread_mutex_lock(&a->mutex);
    while (status == SETTLE_OK) {
        while (!a->is_closing && a->read - a->taken == SLOTS)
            pthread_cond_wait(&a->changed, &a->mutex);
        if (a->is_closing)
            break;
        pthread_mutex_unlock(&a->mutex);
        settle_error error = {.status = SETTLE_OK};
        status = slot_fill(a, &a->slots[a->read % SLOTS], &error);
        pthread_mutex_lock(&a->mutex);
        a->read += status == SETTLE_OK;
        a->ending = status;
        a->ending_error = error;
        pthread_cond_signal(&a->changed);
    }
    pthread_mutex_unlock(&a->mutex);
    return NULL;
}

void ahead_open(struct journal_reader *reader, const struct journal_point *point, const struct mem *mem,
                struct ahead **ret_ahead)
{
    *ret_ahead = NULL;
    struct ahead *a = mem_alloc(mem, 1, sizeof *a);
    if (a == NULL)
        return;
    a->mem = mem;
    a->reader = reader;
    a->point = *point;
    pthread_mutex_init(&a->mutex, NULL);
    pthread_cond_init(&a->changed, NULL);
    if (pthread_create(&a->thread, NULL, read_ahead, a) == 0) {
        *ret_ahead = a;
        return;
    }
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->mutex);
    mem_free(mem, a);
}

void ahead_close(struct ahead *ahead)
{
    struct ahead *a = ahead;
    if (a == NULL)
        return;
    pthread_mutex_lock(&a->mutex);
    a->is_closing = true;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->mutex);
    pthread_join(a->thread, NULL);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->mutex);
    for (unsigned i = 0; i < SLOTS; i++)
        mem_free(a->mem, a->slots[i].bytes);
    mem_free(a->mem, a);
}

settle_status ahead_next(struct ahead *ahead, struct journal_point *point, struct frame *ret_frame, settle_error *error)
{
    struct ahead *a = ahead;
    pthread_mutex_lock(&a->mutex);
    if (a->has_one) {
        a->taken++;
        a->has_one = false;
        pthread_cond_signal(&a->changed);
    }
    while (a->read == a->taken && a->ending == SETTLE_OK)
        pthread_cond_wait(&a->changed, &a->mutex);
    settle_status status = a->read > a->taken ? SETTLE_OK : a->ending;
    if (status == SETTLE_OK) {
        const struct slot *slot = &a->slots[a->taken % SLOTS];
        *ret_frame = slot->frame;
        *point = slot->after;
        a->has_one = true;
    } else if (status != SETTLE_E_END && error != NULL) {
        *error = a->ending_error;
    }
    pthread_mutex_unlock(&a->mutex);
    return status;
}
