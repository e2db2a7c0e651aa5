/* disk_log_file.c — recordings as such: growing, telling, keeping in a file. Stands in front of no system call. */
#include "tests/lib/disk_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/disk_log_file.h"
#include "tests/lib/plain.h"

#define MAGIC UINT64_C(0x31676f6c6b736964)

void *disk_grow(void *array, size_t count, size_t *capacity, size_t member_bytes)
{
    if (count < *capacity)
        return array;
    *capacity = *capacity == 0 ? 64 : *capacity * 2;
    array = realloc(array, *capacity * member_bytes);
    CHECK(array != NULL);
    return array;
}

void *disk_copy(const void *bytes, size_t count)
{
    void *copy = malloc(count > 0 ? count : 1);
    CHECK(copy != NULL);
    if (count > 0)
        memcpy(copy, bytes, count);
    return copy;
}

static char *copy_text(const char *text)
{
    return text == NULL ? NULL : disk_copy(text, strlen(text) + 1);
}

struct disk_log *disk_log_new(void)
{
    struct disk_log *log = calloc(1, sizeof *log);
    CHECK(log != NULL);
    return log;
}

uint32_t disk_log_node(struct disk_log *log, bool is_directory, const char *name)
{
    size_t capacity = log->node_capacity;
    log->nodes = disk_grow(log->nodes, log->node_count, &capacity, sizeof *log->nodes);
    log->node_capacity = (uint32_t)capacity;
    log->nodes[log->node_count] = (struct disk_node){.is_directory = is_directory, .name = copy_text(name)};
    return log->node_count++;
}

void disk_log_add(struct disk_log *log, const struct disk_call *call)
{
    log->calls = disk_grow(log->calls, log->count, &log->capacity, sizeof *log->calls);
    struct disk_call *added = &log->calls[log->count++];
    *added = *call;
    if (call->bytes != NULL)
        added->bytes = disk_copy(call->bytes, call->count);
    added->name = copy_text(call->name);
    added->to = copy_text(call->to);
}

void disk_log_free(struct disk_log *log)
{
    if (log == NULL)
        return;
    for (size_t i = 0; i < log->count; i++) {
        free(log->calls[i].bytes);
        free(log->calls[i].name);
        free(log->calls[i].to);
    }
    for (uint32_t i = 0; i < log->node_count; i++)
        free(log->nodes[i].name);
    free(log->calls);
    free(log->nodes);
    free(log);
}

/* ---- In a file: of this machine, for this program ---- */

static void put(FILE *file, const void *bytes, size_t count)
{
    CHECK(fwrite(bytes, 1, count, file) == count);
}

static void put_number(FILE *file, uint64_t number)
{
    put(file, &number, sizeof number);
}

/* The length and one, so that 0 is NULL. */
static void put_bytes(FILE *file, const void *bytes, size_t count)
{
    put_number(file, bytes == NULL ? 0 : count + 1);
    if (bytes != NULL)
        put(file, bytes, count);
}

static void put_text(FILE *file, const char *text)
{
    put_bytes(file, text, text == NULL ? 0 : strlen(text) + 1);
}

void disk_log_save(const struct disk_log *log, const char *path)
{
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL);
    put_number(file, MAGIC);
    put_number(file, log->first);
    put_number(file, log->node_count);
    for (uint32_t i = 0; i < log->node_count; i++) {
        put_number(file, log->nodes[i].is_directory);
        put_text(file, log->nodes[i].name);
    }
    put_number(file, log->count);
    for (size_t i = 0; i < log->count; i++) {
        const struct disk_call *call = &log->calls[i];
        const uint64_t numbers[] = {call->op, call->node, call->dir, call->to_dir, call->offset, call->count};
        put(file, numbers, sizeof numbers);
        put_bytes(file, call->bytes, call->count);
        put_text(file, call->name);
        put_text(file, call->to);
    }
    CHECK(fclose(file) == 0);
}

static uint64_t get_number(FILE *file)
{
    uint64_t number;
    CHECK(fread(&number, sizeof number, 1, file) == 1);
    return number;
}

static void *get_bytes(FILE *file)
{
    uint64_t count = get_number(file);
    if (count == 0)
        return NULL;
    CHECK(count < UINT32_MAX);
    void *bytes = malloc((size_t)count);
    CHECK(bytes != NULL && fread(bytes, 1, (size_t)count - 1, file) == count - 1);
    return bytes;
}

static void get_call(FILE *file, struct disk_log *log)
{
    uint64_t n[6];
    CHECK(fread(n, sizeof n, 1, file) == 1);
    struct disk_call call = {.op = (enum disk_op)n[0],
                             .node = (uint32_t)n[1],
                             .dir = (uint32_t)n[2],
                             .to_dir = (uint32_t)n[3],
                             .offset = n[4],
                             .count = (size_t)n[5]};
    uint8_t *bytes = get_bytes(file);
    char *name = get_bytes(file), *to = get_bytes(file);
    disk_log_add(log, &call);
    log->calls[log->count - 1].bytes = bytes;
    log->calls[log->count - 1].name = name;
    log->calls[log->count - 1].to = to;
}

struct disk_log *disk_log_load(const char *path)
{
    struct disk_log *log = disk_log_new();
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL && get_number(file) == MAGIC);
    log->first = (size_t)get_number(file);
    for (uint64_t nodes = get_number(file); nodes > 0; nodes--) {
        bool is_directory = get_number(file) != 0;
        char *name = get_bytes(file);
        disk_log_node(log, is_directory, name);
        free(name);
    }
    for (uint64_t calls = get_number(file); calls > 0; calls--)
        get_call(file, log);
    CHECK(fclose(file) == 0);
    return log;
}

/* ---- Telling ---- */

const char *disk_call_text(const struct disk_log *log, size_t index)
{
    static const char *const ops[] = {"write",  "resize", "sync",   "sync range", "sync lost",
                                      "create", "remove", "rename", "sync names", "mark"};
    static char text[512];
    if (index >= log->count)
        return "the end";
    const struct disk_call *call = &log->calls[index];
    const char *name = call->name;
    if (name == NULL)
        name = call->op != DISK_MARK && call->node < log->node_count ? log->nodes[call->node].name : "";
    snprintf(text, sizeof text, "%s %s %" PRIu64 "+%zu %s", ops[call->op], name, call->offset, call->count,
             call->to == NULL ? "" : call->to);
    return text;
}
