/* Tests of query/lines.c and logs*.c: what tail prints and when it ends; log files against the journal. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "query/query.h"
#include "tests/lib/expect.h"
#include "tests/lib/rig.h"

SETTLE_SUITE(query_lines);

/* ---- An output in memory ---- */

struct sheet {
    char *text;
    size_t bytes;
    size_t handed_over; /* calls */
    size_t fails_at;    /* this call fails; 0: none */
};

static bool sheet_sink(void *context, const char *bytes, size_t count)
{
    struct sheet *sheet = context;
    if (++sheet->handed_over == sheet->fails_at) {
        errno = EPIPE;
        return false;
    }
    sheet->text = realloc(sheet->text, sheet->bytes + count + 1);
    memcpy(sheet->text + sheet->bytes, bytes, count);
    sheet->bytes += count;
    sheet->text[sheet->bytes] = '\0';
    return true;
}

static void tail_into(struct sheet *sheet, const char *data, const struct tail_options *options)
{
    static struct out out;
    out_init(&out, sheet_sink, sheet);
    EXPECT_OK(query_tail(data, options, &out, &test_error));
    cr_assert_eq(out.used, 0); /* all was handed over */
}

static size_t count_lines(const struct sheet *sheet)
{
    size_t count = 0;
    for (size_t i = 0; i < sheet->bytes; i++)
        count += sheet->text[i] == '\n';
    return count;
}

/* ---- tail ---- */

Test(query_lines, formats_have_names)
{
    enum tail_format format = TAIL_SETTLE;
    cr_assert(tail_format_parse("ecs", &format) && format == TAIL_ECS);
    cr_assert(tail_format_parse("otlp", &format) && format == TAIL_OTLP);
    cr_assert(tail_format_parse("settle", &format) && format == TAIL_SETTLE);
    cr_assert(!tail_format_parse("", &format));
    cr_assert(!tail_format_parse("json", &format));
    cr_assert(!tail_format_parse("ECS", &format));
}

Test(query_lines, tail_begins_with_any_event_wherever_its_segment_is)
{
    struct rig rig;
    struct sheet all = {NULL, 0, 0, 0};
    rig_make(&rig);
    rig_open(&rig);
    for (uint64_t i = 0; i < 20; i++)
        rig_deposits(&rig, 1 + 40 * i, 40); /* segments of 16384 bytes */
    rig_close(&rig);
    tail_into(&all, rig.data, &(struct tail_options){.from_seq = 0});
    cr_assert_eq(count_lines(&all), 2400);
    for (uint64_t seq = 1; seq <= 801; seq += 37) {
        struct sheet some = {NULL, 0, 0, 0};
        char member[32];
        tail_into(&some, rig.data, &(struct tail_options){.from_seq = seq});
        cr_assert_eq(count_lines(&some), seq > 800 ? 0 : 3 * (801 - seq), "from %d", (int)seq);
        snprintf(member, sizeof member, "\"seq\":%d,", (int)seq);
        if (seq <= 800)
            cr_assert(strstr(some.text, member) != NULL && strstr(some.text, member) < strchr(some.text, '\n'));
        free(some.text);
    }
    free(all.text);
    rig_remove(&rig);
}

/* An event that names an asset by a number that is declared only later: its lines say the number, whoever renders
 * them. */
Test(query_lines, an_asset_is_known_from_its_declaration_on_not_before)
{
    struct rig rig;
    struct sheet all = {NULL, 0, 0, 0};
    rig_make(&rig);
    rig_open(&rig);
    rig_deposits(&rig, 1, 600);
    cr_assert_eq(rig_submit(&rig, rig_deposit(5, 77, 123, 9001)).reason, SETTLE_REASON_UNKNOWN_ASSET); /* seq 601 */
    settle_asset late = {77, 2, "LATE"};
    EXPECT_OK(settle_asset_declare(rig.engine, &late, &test_error));
    rig_submit(&rig, rig_deposit(5, 77, 123, 9002)); /* seq 602 */
    rig_close(&rig);
    tail_into(&all, rig.data, &(struct tail_options){.from_seq = 0});
    const char *first = strstr(all.text, "\"seq\":601,"), *second = strstr(all.text, "\"seq\":602,");
    cr_assert(first != NULL && second != NULL);
    cr_assert_eq(strncmp(first, "\"seq\":601,\"user\":5,\"asset\":77,\"amount_minor\":\"123\"", 48), 0, "%.80s", first);
    cr_assert_eq(strncmp(second, "\"seq\":602,\"user\":5,\"asset\":\"LATE\",\"amount\":\"1.23\"", 48), 0, "%.80s",
                 second);
    for (uint64_t seq = 590; seq <= 602; seq++) {
        struct sheet some = {NULL, 0, 0, 0};
        tail_into(&some, rig.data, &(struct tail_options){.from_seq = seq});
        const char *again = strstr(some.text, "\"seq\":602,");
        cr_assert(again != NULL && strncmp(again, second, 100) == 0);
        again = strstr(some.text, "\"seq\":601,");
        cr_assert(seq > 601 || (again != NULL && strncmp(again, first, 60) == 0));
        free(some.text);
    }
    free(all.text);
    rig_remove(&rig);
}

struct watcher {
    unsigned calls, enough;
};

static bool count_calls(void *context, unsigned wait_ms)
{
    struct watcher *watcher = context;
    (void)wait_ms;
    return ++watcher->calls < watcher->enough;
}

Test(query_lines, tail_ends_when_its_caller_has_enough_and_when_its_output_fails)
{
    struct rig rig;
    struct sheet sheet = {NULL, 0, 0, 0};
    struct watcher watcher = {.enough = 50};
    static struct out out;
    rig_make(&rig);
    rig_open(&rig);
    rig_deposits(&rig, 1, 3000);
    rig_close(&rig);
    tail_into(&sheet, rig.data, &(struct tail_options){.follow = true, .go_on = count_calls, .context = &watcher});
    cr_assert_eq(watcher.calls, 50);
    cr_assert_eq(count_lines(&sheet), 9000);
    watcher = (struct watcher){.enough = 1}; /* between the first and the second batch */
    free(sheet.text);
    sheet = (struct sheet){NULL, 0, 0, 0};
    tail_into(&sheet, rig.data, &(struct tail_options){.go_on = count_calls, .context = &watcher});
    cr_assert(count_lines(&sheet) > 0 && count_lines(&sheet) < 9000);
    cr_assert_eq(sheet.text[sheet.bytes - 1], '\n');
    free(sheet.text);
    sheet = (struct sheet){NULL, 0, 0, 2};
    out_init(&out, sheet_sink, &sheet);
    EXPECT_OK(query_tail(rig.data, &(struct tail_options){.follow = true}, &out, &test_error));
    cr_assert_eq(out.failed_errno, EPIPE);
    cr_assert_eq(sheet.handed_over, 2);
    free(sheet.text);
    rig_remove(&rig);
}

Test(query_lines, a_directory_without_a_journal_is_not_found)
{
    struct rig rig;
    static struct out out;
    struct sheet sheet = {NULL, 0, 0, 0};
    rig_make(&rig);
    out_init(&out, sheet_sink, &sheet);
    EXPECT_STATUS(query_tail(rig.data, &(struct tail_options){.follow = true}, &out, &test_error), SETTLE_E_NOT_FOUND);
    cr_assert_eq(mkdir(rig.data, 0700), 0);
    EXPECT_STATUS(query_tail(rig.data, &(struct tail_options){.from_seq = 9}, &out, &test_error), SETTLE_E_NOT_FOUND);
    rig_remove(&rig);
}

/* ---- Files ---- */

struct scene {
    struct rig rig;
    char logs[TEMPDIR_PATH_BYTES];
    settle_lines_options lines;
};

/* Two days: 10 events on 2024-10-04, 20 on 2024-10-05, their lines written. */
static void scene_make(struct scene *scene)
{
    uint64_t day_us = UINT64_C(86400000000);
    rig_make(&scene->rig);
    tempdir_join(scene->logs, scene->rig.base, "logs");
    settle_lines_options_init(&scene->lines);
    scene->lines.directory = scene->logs;
    scene->lines.free_bytes_min = 0;
    rig_use_clock(&scene->rig, 20000 * day_us);
    rig_open(&scene->rig);
    rig_deposits(&scene->rig, 1, 10);
    EXPECT_OK(settle_flush(scene->rig.engine, &test_error));
    scene->rig.clock_now_us = 20001 * day_us;
    rig_deposits(&scene->rig, 11, 20);
    rig_close(&scene->rig);
    EXPECT_OK(query_tail_files(scene->rig.data, &scene->lines, &(struct tail_options){.follow = false}, &test_error));
}

static void in_logs(const struct scene *scene, const char *name, char ret_path[TEMPDIR_PATH_BYTES])
{
    tempdir_join(ret_path, scene->logs, name);
}

static struct logs_result verify(const struct scene *scene)
{
    struct logs_result result;
    EXPECT_OK(query_logs_verify(scene->rig.data, &scene->lines, &result, &test_error));
    return result;
}

static void append(const struct scene *scene, const char *name, const char *text)
{
    char path[TEMPDIR_PATH_BYTES];
    in_logs(scene, name, path);
    FILE *file = fopen(path, "a");
    cr_assert(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

Test(query_lines, verify_counts_what_it_compared)
{
    struct scene scene;
    scene_make(&scene);
    struct logs_result result = verify(&scene);
    cr_assert(result.ok, "%s", result.difference);
    cr_assert_eq(result.counts.files, 2);
    cr_assert_eq(result.counts.lines, 90);
    char path[TEMPDIR_PATH_BYTES];
    struct stat first, second;
    in_logs(&scene, "settlement.log.2024-10-04", path);
    cr_assert_eq(stat(path, &first), 0);
    in_logs(&scene, "settlement.log", path);
    cr_assert_eq(stat(path, &second), 0);
    cr_assert_eq(result.counts.bytes, (uint64_t)(first.st_size + second.st_size));
    rig_remove(&scene.rig);
}

Test(query_lines, verify_passes_over_what_is_not_a_log_file)
{
    struct scene scene;
    scene_make(&scene);
    append(&scene, "settlement.log.2024-10-04.bak", "x\n");
    append(&scene, "settlement.log.2024-13-04", "x\n");
    append(&scene, "settlement.log.2024-10-04.zst.partial", "x\n");
    append(&scene, "settlement.log.2024-10-04.replaced-1", "x\n");
    append(&scene, "operations.log", "x\n");
    cr_assert(verify(&scene).ok);
    append(&scene, "settlement.log.2024-10-03", "x\n");
    struct logs_result result = verify(&scene);
    cr_assert(!result.ok);
    cr_assert_str_eq(result.file, "settlement.log.2024-10-03");
    rig_remove(&scene.rig);
}

Test(query_lines, verify_takes_every_cut_of_the_newest_file_for_one_that_is_behind)
{
    struct scene scene;
    char path[TEMPDIR_PATH_BYTES];
    struct stat about;
    scene_make(&scene);
    in_logs(&scene, "settlement.log", path);
    cr_assert_eq(stat(path, &about), 0);
    for (off_t bytes = about.st_size; bytes >= 0; bytes -= 97) {
        cr_assert_eq(truncate(path, bytes), 0);
        struct logs_result result = verify(&scene);
        cr_assert(result.ok, "%d: %s", (int)bytes, result.difference);
        cr_assert_eq(result.counts.lines + result.counts.lines_after, 90);
    }
    rig_remove(&scene.rig);
}

Test(query_lines, verify_finds_any_byte_that_was_changed)
{
    struct scene scene;
    char path[TEMPDIR_PATH_BYTES];
    scene_make(&scene);
    in_logs(&scene, "settlement.log.2024-10-04", path);
    FILE *file = fopen(path, "r+");
    cr_assert(file != NULL);
    cr_assert_eq(fseek(file, 0, SEEK_END), 0);
    long bytes = ftell(file);
    for (long at = 0; at < bytes; at += 13) {
        cr_assert_eq(fseek(file, at, SEEK_SET), 0);
        int was = fgetc(file);
        cr_assert_eq(fseek(file, at, SEEK_SET), 0);
        fputc(was ^ 1, file);
        fflush(file);
        struct logs_result result = verify(&scene);
        cr_assert(!result.ok, "byte %ld", at);
        cr_assert(result.file[0] != '\0' && result.difference[0] != '\0');
        cr_assert(result.byte <= (uint64_t)at + 1);
        cr_assert_eq(fseek(file, at, SEEK_SET), 0);
        fputc(was, file);
        fflush(file);
    }
    fclose(file);
    cr_assert(verify(&scene).ok);
    rig_remove(&scene.rig);
}

Test(query_lines, rebuild_writes_a_day_and_leaves_the_others)
{
    struct scene scene;
    struct logs_rebuilt rebuilt = {NULL, 0};
    scene_make(&scene);
    append(&scene, "settlement.log.2024-10-04", "x\n");
    append(&scene, "settlement.log", "y\n");
    EXPECT_OK(query_logs_rebuild(scene.rig.data, &scene.lines, "2024-10-04", &rebuilt, &test_error));
    cr_assert_eq(rebuilt.count, 1);
    cr_assert_str_eq(rebuilt.days[0].day, "2024-10-04");
    cr_assert_str_eq(rebuilt.days[0].file, "settlement.log.2024-10-04");
    cr_assert_eq(rebuilt.days[0].lines, 30);
    logs_rebuilt_free(&rebuilt);
    struct logs_result result = verify(&scene);
    cr_assert(!result.ok);
    cr_assert_str_eq(result.file, "settlement.log");
    EXPECT_OK(query_logs_rebuild(scene.rig.data, &scene.lines, NULL, &rebuilt, &test_error));
    cr_assert_eq(rebuilt.count, 2);
    logs_rebuilt_free(&rebuilt);
    cr_assert(verify(&scene).ok);
    rig_remove(&scene.rig);
}

Test(query_lines, rebuild_refuses_what_it_cannot_do)
{
    struct scene scene;
    char from[TEMPDIR_PATH_BYTES], to[TEMPDIR_PATH_BYTES];
    struct logs_rebuilt rebuilt = {NULL, 0};
    static const char *const no_days[] = {"", "2024-10", "2024-02-30", "2024-10-041", "tomorrow", "1969-12-31"};
    scene_make(&scene);
    for (size_t i = 0; i < sizeof no_days / sizeof no_days[0]; i++)
        EXPECT_STATUS(query_logs_rebuild(scene.rig.data, &scene.lines, no_days[i], &rebuilt, &test_error),
                      SETTLE_E_INVALID);
    EXPECT_STATUS(query_logs_rebuild(scene.rig.data, &scene.lines, "2024-10-03", &rebuilt, &test_error),
                  SETTLE_E_NOT_FOUND);
    EXPECT_STATUS(query_logs_rebuild(scene.rig.data, &scene.lines, "2024-10-06", &rebuilt, &test_error),
                  SETTLE_E_NOT_FOUND);
    /* The current file is of the first day: the second is not yet to be written. */
    in_logs(&scene, "settlement.log.2024-10-04", from);
    in_logs(&scene, "settlement.log", to);
    cr_assert_eq(rename(from, to), 0);
    EXPECT_STATUS(query_logs_rebuild(scene.rig.data, &scene.lines, "2024-10-05", &rebuilt, &test_error),
                  SETTLE_E_CONFLICT);
    struct logs_result result = verify(&scene);
    cr_assert(result.ok && result.counts.lines == 30 && result.counts.lines_after == 60);
    in_logs(&scene, ".settlement.rebuild", from);
    cr_assert_neq(access(from, F_OK), 0);
    rig_remove(&scene.rig);
}
