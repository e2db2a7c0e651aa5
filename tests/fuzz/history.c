/* history.c — see history.h. Owns the bases and the two pasts, for the life of the process. */
#include "tests/fuzz/history.h"

#include "tests/lib/journal_builder.h"

struct past past_main, past_foreign;
uint64_t base_events[BASE_COUNT], base_ends[BASE_COUNT];
struct image base_images[BASE_COUNT];

#define SEGMENT_BYTES 16384u

/* ---- The pasts ------------------------------------------------------------------------------------------------------ */

static void remember(struct past *past, const struct journal_builder *b)
{
    struct model model;
    past->count = b->event_count;
    past->events = calloc(past->count, sizeof *past->events);
    past->ends_frame = calloc(past->count + 1, sizeof *past->ends_frame);
    past->balances = calloc(past->count + 1, sizeof *past->balances);
    past->balance_counts = calloc(past->count + 1, sizeof *past->balance_counts);
    MUST(past->events != NULL && past->ends_frame != NULL && past->balances != NULL && past->balance_counts != NULL);
    model_init(&model);
    for (size_t i = 0; i < STREAM_ASSET_COUNT; i++)
        MUST(model_declare_asset(&model, &stream_assets[i]) == SETTLE_OK);
    for (uint64_t seq = 1; seq <= past->count; seq++) {
        struct past_event *event = &past->events[seq - 1];
        struct model_legs legs;
        stream_event_copy(&event->stream, &b->events[seq - 1].stream);
        model_submit(&model, &event->stream.event, &event->result, &legs);
        past->balance_counts[seq] = model.balance_count;
        past->balances[seq] = exact_copy(model.balances, model.balance_count * sizeof *model.balances);
    }
    model_deinit(&model);
    past->ends_frame[0] = true;
    for (size_t i = 0; i < b->frame_count; i++)
        past->ends_frame[b->frames[i].end.next_seq - 1] = true;
}

bool past_is(const struct past *past, uint64_t seq, const struct accounts *accounts)
{
    if (seq > past->count || accounts->count != past->balance_counts[seq])
        return false;
    for (size_t i = 0; i < past->balance_counts[seq]; i++) {
        const settle_balance *expected = &past->balances[seq][i];
        const struct account *account = accounts_find(accounts, expected->user, expected->asset);
        if (account == NULL || account->available != expected->available || account->held != expected->held ||
            account->version != expected->version || account->last_seq != expected->seq)
            return false;
    }
    return true;
}

/* ---- Images --------------------------------------------------------------------------------------------------------- */

void image_add(struct image *image, const char *name, const void *bytes, size_t count)
{
    struct image_file *file = &image->files[image->count++];
    MUST(image->count <= IMAGE_FILES_MAX && strlen(name) < sizeof file->name);
    *file = (struct image_file){.count = count, .capacity = count + SEGMENT_BYTES, .exists = true};
    strcpy(file->name, name);
    file->bytes = calloc(1, file->capacity); /* room for what edits add */
    MUST(file->bytes != NULL);
    if (count > 0)
        memcpy(file->bytes, bytes, count);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct image_file *)a)->name, ((const struct image_file *)b)->name);
}

static void take(struct image *image, const char *path)
{
    history_files_take(image, path);
    qsort(image->files, image->count, sizeof *image->files, compare_names);
}

void image_reset(struct image *image, unsigned base)
{
    image->count = base_images[base].count;
    for (size_t i = 0; i < image->count; i++) {
        struct image_file *file = &image->files[i];
        const struct image_file *from = &base_images[base].files[i];
        if (file->capacity < from->capacity) {
            file->bytes = realloc(file->bytes, from->capacity);
            MUST(file->bytes != NULL);
            file->capacity = from->capacity;
        }
        memcpy(file->name, from->name, sizeof file->name);
        memcpy(file->bytes, from->bytes, from->count);
        file->count = from->count;
        file->exists = true;
        file->is_touched = false;
    }
}

bool image_touches(const struct image *image, const char *prefix)
{
    for (size_t i = 0; i < image->count; i++)
        if (image->files[i].is_touched && strncmp(image->files[i].name, prefix, strlen(prefix)) == 0)
            return true;
    return false;
}

/* ---- The bases ------------------------------------------------------------------------------------------------------ */

static void declare_all(struct journal_builder *b)
{
    settle_error error;
    builder_begin(b);
    for (size_t i = 0; i < STREAM_ASSET_COUNT; i++)
        frame_append(&b->buffer, record_encode_asset(frame_at_end(&b->buffer), 0, &stream_assets[i]));
    MUST(builder_commit(b, &error) == SETTLE_OK);
}

/* Frames of all sizes until the journal is `bytes` long. */
static void grow(struct journal_builder *b, uint64_t bytes)
{
    while (b->end.position < bytes) {
        builder_events(b, 1 + stream_random(&b->stream, 9));
        if (stream_random(&b->stream, 3) == 0)
            builder_random(b);
    }
    if (b->end.next_seq - 1 > b->end.persisted_seq)
        builder_persisted(b);
}

static void make_main(void)
{
    struct journal_builder b;
    history_files_begin();
    builder_init(&b, SEGMENT_BYTES, 77);
    declare_all(&b);
    grow(&b, SEGMENT_BYTES + 7000);
    builder_close(&b);
    history_engine(b.path);
    take(&base_images[OLD], b.path);
    base_events[OLD] = b.event_count;
    base_ends[OLD] = b.end.position;
    builder_open(&b);
    grow(&b, 2 * SEGMENT_BYTES + 9000);
    remember(&past_main, &b);
    base_events[CLOSED] = base_events[CRASHED] = past_main.count;
    base_ends[CLOSED] = base_ends[CRASHED] = b.end.position;
    builder_close(&b);
    take(&base_images[CRASHED], b.path);
    history_engine(b.path);
    take(&base_images[CLOSED], b.path);
    builder_deinit(&b);
}

static void make_foreign(void)
{
    struct journal_builder b;
    history_files_begin();
    builder_init(&b, SEGMENT_BYTES, 78);
    declare_all(&b);
    grow(&b, SEGMENT_BYTES + 9000);
    remember(&past_foreign, &b);
    base_events[FOREIGN] = past_foreign.count;
    builder_close(&b);
    history_engine(b.path);
    take(&base_images[FOREIGN], b.path);
    builder_deinit(&b);
}

void history_make(void)
{
    builder_use_memory();
    make_main();
    make_foreign();
}
