/*
 * fuzz_recover.c — a journal after edits of any kind (history.h), recovered in memory: read as a reader does, or as a writer
 * that opens does: its tail judged, cut or written again, appended to and read again. fuzz_directory.c has the whole engine.
 *
 * Either it is refused as damaged, and nothing is written; or its balances are those behind an event at which a frame ends, of
 * one history, and all of it where but one bit was flipped. Cutting the tail changes none of them, and is done once. What is
 * appended is there afterwards. Where checksums were made right over other content the journal may be another one: then
 * nothing may end the process.
 */
#include "tests/fuzz/kept_memory.h"
#include "tests/fuzz/memory_files.h"

#include "engine/projection.h"
#include "journal/recover.h"
#include "journal/writer.h"

static struct image image;
static settle_error error;

static void check_refusal(settle_status status)
{
    if (getenv("FUZZ_TELL") != NULL || (status != SETTLE_E_CORRUPT && status != SETTLE_E_UNSUPPORTED))
        fprintf(stderr, "status %d: %s\n", (int)status, error.text);
    MUST(status == SETTLE_E_CORRUPT || status == SETTLE_E_UNSUPPORTED);
    MUST(memchr(error.text, 0, sizeof error.text) != NULL && strlen(error.text) > 5 && error.file[0] != '\0');
}

struct walk {
    struct journal_point end;
    struct journal_tail tail;
    char segment[SEGMENT_NAME_BYTES]; /* that holds the end */
    uint64_t segment_bytes, torn_offset;
    bool is_prefix; /* the balances are those of a history there */
};

static bool is_prefix(const struct accounts *accounts, uint64_t seq)
{
    return (past_is(&past_main, seq, accounts) && past_main.ends_frame[seq]) ||
           (past_is(&past_foreign, seq, accounts) && past_foreign.ends_frame[seq]);
}

/* From the beginning to the end; SETTLE_OK: all of it is sound. */
static settle_status read_all(int data_fd, bool own, struct walk *ret_walk)
{
    struct journal_reader *reader = NULL;
    struct projection projection;
    MUST(projection_init(&projection, &kept_mem, true) == SETTLE_OK);
    settle_status status = own ? journal_reader_open_own(data_fd, &kept_mem, &reader, &error)
                               : journal_reader_open(data_fd, &kept_mem, &reader, &error);
    if (status == SETTLE_OK) {
        journal_reader_begin(reader, &ret_walk->end);
        do
            status = projection_read(&projection, reader, &ret_walk->end, UINT64_MAX, &error);
        while (status == SETTLE_OK);
    }
    if (status == SETTLE_E_END) {
        status = SETTLE_OK;
        ret_walk->tail = *journal_reader_tail(reader);
        ret_walk->segment_bytes = journal_reader_segment_bytes(reader);
        uint64_t at = ret_walk->tail.torn_position != 0 ? ret_walk->tail.torn_position : ret_walk->end.position;
        snprintf(ret_walk->segment, sizeof ret_walk->segment, "%s",
                 journal_reader_place(reader, at, &ret_walk->torn_offset));
        ret_walk->is_prefix = is_prefix(&projection.accounts, ret_walk->end.next_seq - 1);
    }
    journal_reader_close(reader);
    projection_deinit(&projection);
    return status;
}

/* A deposit of one minor unit behind the end. */
static void append(int data_fd, const struct journal_point *end)
{
    struct journal_writer *writer = NULL;
    struct frame_buffer buffer;
    const settle_event event = {.type = SETTLE_DEPOSIT, .ts_ms = 77, .u.transfer = {990001, 4000000000u, 1}};
    const settle_leg legs[2] = {
        {.user = 990001, .asset = 4000000000u, .version = 1, .delta_available = 1, .after_available = 1},
        {.user = SETTLE_USER_EXTERNAL,
         .asset = 4000000000u,
         .version = 1,
         .delta_available = -1,
         .after_available = -1},
    };
    MUST(journal_writer_open(data_fd, &kept_mem, end, &writer, &error) == SETTLE_OK);
    MUST(frame_buffer_init(writer, &buffer, &error) == SETTLE_OK);
    frame_begin(writer, &buffer, end->next_seq, end->time_us);
    frame_append(&buffer, record_encode_consumed(frame_at_end(&buffer), 0, 0, FRAME_HEADER_BYTES, &event));
    frame_append(&buffer, record_encode_validated(frame_at_end(&buffer), 0, 0, legs, 2));
    buffer.frame.event_count = 1;
    frame_close(writer, &buffer);
    settle_status status = journal_writer_commit(writer, &buffer, &error);
    if (status != SETTLE_OK)
        fprintf(stderr, "commit: %s\n", error.text);
    MUST(status == SETTLE_OK);
    frame_buffer_deinit(writer, &buffer);
    journal_writer_close(writer);
}

static bool same_point(const struct journal_point *a, const struct journal_point *b)
{
    return a->position == b->position && a->next_seq == b->next_seq && a->persisted_seq == b->persisted_seq &&
           a->time_us == b->time_us && a->frame_position == b->frame_position && a->chain == b->chain;
}

/* What a writer does that opens. */
static void recover(int data_fd, const struct walk *walk)
{
    char copy[SEGMENT_NAME_BYTES + 32];
    struct walk again;
    memset(&again, 0, sizeof again);
    if (walk->tail.torn_position != 0) {
        settle_status status =
            journal_cut_tail(data_fd, walk->segment, walk->torn_offset, walk->tail.torn_bytes, copy, &error);
        MUST(status == SETTLE_OK && read_all(data_fd, true, &again) == SETTLE_OK);
        MUST(again.tail.torn_position == 0 && again.is_prefix == walk->is_prefix);
        MUST(same_point(&again.end, &walk->end));
    } else if (walk->end.frame_position != 0) {
        MUST(journal_rewrite_tail(data_fd, walk->segment, walk->segment_bytes, &walk->end, &error) == SETTLE_OK);
    }
    append(data_fd, &walk->end);
    MUST(read_all(data_fd, true, &again) == SETTLE_OK);
    MUST(again.tail.torn_position == 0 && again.end.next_seq == walk->end.next_seq + 1);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    history_make();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input input = {data, data + bytes};
    struct edits edits;
    struct walk walk;
    uint8_t base = input_u8(&input) % BASES_TO_EDIT, choice = input_u8(&input);
    memset(&walk, 0, sizeof walk);
    memset(&error, 0, sizeof error);
    image_reset(&image, base);
    edits_apply(&image, &input, &edits);
    bool is_reader = choice % 4 == 0; /* beside a writer that lives, every second time */
    int data_fd = memory_files_use(&image, choice % 8 == 0);
    settle_status status = read_all(data_fd, !is_reader, &walk);
    if (status != SETTLE_OK) {
        MUST(image_touches(&image, "journal/"));
        if (status != SETTLE_E_NOT_FOUND) /* no journal */
            check_refusal(status);
        return 0;
    }
    MUST(edits.is_forged || walk.is_prefix);
    /* A flipped bit never looks torn. A reader beside a writer goes by the watermark. */
    if (edits.is_one_flip || !image_touches(&image, "journal/"))
        MUST(walk.end.position == base_ends[base] || choice % 8 == 0);
    if (!is_reader)
        recover(data_fd, &walk);
    return 0;
}
