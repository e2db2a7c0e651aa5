/*
 * test_ahead.c — frames read ahead by a thread are those that a reader reads, in order, however many are taken before it is
 * closed; and the reader can be used again behind that. A plain main(), for ThreadSanitizer.
 */
#include "query/ahead.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/plain.h"
#include "tests/lib/rig.h"

enum { EVENTS = 400 };

struct seen {
    uint64_t position, first_seq, chain;
};
static struct seen all[EVENTS * 2];
static size_t all_count;

static void write_journal(struct rig *rig)
{
    rig_make(rig);
    rig->options.commit_events_max = 3;
    rig_open(rig);
    for (uint64_t i = 1; i <= EVENTS; i++)
        rig_submit(rig, rig_deposit(1 + i % 7, RIG_USDT, 5, i));
    rig_close(rig);
}

static struct journal_point begin(const struct journal_reader *reader)
{
    struct journal_point point;
    journal_reader_begin(reader, &point);
    return point;
}

static void read_all(struct journal_reader *reader)
{
    struct journal_point point = begin(reader);
    struct frame frame;
    settle_error error;
    while (journal_reader_next(reader, &point, &frame, &error) == SETTLE_OK)
        all[all_count++] = (struct seen){frame.position, frame.first_seq, frame.chain};
    CHECK(all_count > 20);
}

/* Takes `count` frames, or all, and lets the thread go. */
static void take(struct journal_reader *reader, size_t count)
{
    struct journal_point point = begin(reader);
    struct ahead *ahead = NULL;
    struct frame frame;
    settle_error error;
    ahead_open(reader, &point, &mem_libc, &ahead);
    CHECK(ahead != NULL);
    for (size_t i = 0; i < count && i < all_count; i++) {
        CHECK(ahead_next(ahead, &point, &frame, &error) == SETTLE_OK);
        CHECK(frame.position == all[i].position && frame.first_seq == all[i].first_seq && frame.chain == all[i].chain);
        CHECK(point.chain == frame.chain);
        struct record record;
        size_t offset = 0, records = 0;
        while (frame_next_record(&frame, &offset, &record)) /* its bytes are still there */
            records++;
        CHECK(records == frame.record_count);
    }
    for (int again = 0; again < 2 && count > all_count; again++)
        CHECK(ahead_next(ahead, &point, &frame, &error) == SETTLE_E_END);
    ahead_close(ahead);
    if (count < all_count) { /* the reader is the caller's again */
        CHECK(journal_reader_next(reader, &point, &frame, &error) == SETTLE_OK);
        CHECK(frame.position == all[count].position);
    }
}

int main(void)
{
    static struct rig rig;
    struct journal_reader *reader = NULL;
    settle_error error;
    write_journal(&rig);
    int data_fd = open(rig.data, O_RDONLY | O_DIRECTORY);
    CHECK(data_fd >= 0);
    CHECK(journal_reader_open(data_fd, &mem_libc, &reader, &error) == SETTLE_OK);
    read_all(reader);
    for (size_t count = 0; count <= 12; count++)
        take(reader, count);
    take(reader, all_count / 2);
    take(reader, all_count);
    take(reader, all_count + 1);
    journal_reader_close(reader);
    close(data_fd);
    rig_remove(&rig);
    return 0;
}
