/* results.c — see results.h. */
#include "tools/bench/results.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "tools/bench/chart.h"

static const char *const unit_names[] = {
    [UNIT_PER_SECOND] = "per_second", [UNIT_NANOSECONDS] = "ns", [UNIT_BYTES] = "bytes"};

#define CELL_BYTES 48

/* Three digits that count, with the unit: "3.21 M/s", "118 us", "274 B". */
static const char *value_text(enum unit unit, double value, char ret_text[CELL_BYTES])
{
    static const char *const suffixes[][4] = {[UNIT_PER_SECOND] = {"/s", "K/s", "M/s", "G/s"},
                                              [UNIT_NANOSECONDS] = {"ns", "us", "ms", "s"},
                                              [UNIT_BYTES] = {"B", "KB", "MB", "GB"}};
    size_t step = 0;
    while (value >= 999.5 && step < 3) {
        value /= 1000;
        step++;
    }
    int decimals = step == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    snprintf(ret_text, CELL_BYTES, "%.*f %s", decimals, value, suffixes[unit][step]);
    return ret_text;
}

/* Of a ratio: three digits that count. */
static const char *ratio_text(double ratio, char ret_text[CELL_BYTES])
{
    snprintf(ret_text, CELL_BYTES, ratio >= 100 ? "%.0f" : ratio >= 10 ? "%.1f" : ratio >= 1 ? "%.2f" : "%.3f", ratio);
    if (ratio > 0 && ratio < 0.01)
        snprintf(ret_text, CELL_BYTES, "%.5f", ratio);
    return ret_text;
}

static const char *base_name(const struct results *results, enum figure_id id)
{
    const struct figure *figure = &results->bench->figures[id];
    return figure->unit == UNIT_BYTES ? "raw record" : results->bench->figures[figure->base].name;
}

/* ---- For programs ---- */

/* A number with six decimals; the writer of seconds is one. */
static void json_decimal(struct json *json, const char *key, double value)
{
    json_seconds(json, key, (uint64_t)llround(value * 1e6));
}

static void machine_json(struct out *out, const struct results *results)
{
    const struct machine *machine = &results->machine;
    struct json json = json_on(out);
    json_object(&json, NULL);
    json_string(&json, "figure", "machine");
    json_string(&json, "version", settle_version());
    json_string(&json, "cpu", machine->cpu);
    json_u64(&json, "cores", machine->cores);
    json_u64(&json, "memory_bytes", machine->memory_bytes);
    json_string(&json, "kernel", machine->kernel);
    json_string(&json, "filesystem", machine->filesystem);
    json_string(&json, "device", machine->device);
    json_string(&json, "compiler", machine->compiler);
    json_bool(&json, "optimised", machine->is_optimised);
    json_array(&json, "load");
    for (size_t i = 0; i < 3; i++)
        json_decimal(&json, NULL, machine->load[i]);
    json_array_end(&json);
    json_u64(&json, "events", results->bench->events_count);
    json_u64(&json, "runs", results->run_count);
    json_u64(&json, "seed", STREAM_SEED);
    json_object_end(&json);
    json_line_end(&json);
}

void results_json(struct out *out, const struct results *results)
{
    machine_json(out, results);
    for (enum figure_id id = 0; id < FIGURE_COUNT; id++) {
        const struct figure *figure = &results->bench->figures[id];
        double median, ratio;
        if (!bench_figure_median(results->bench, id, &median, &ratio))
            continue;
        struct json json = json_on(out);
        json_object(&json, NULL);
        json_string(&json, "figure", figure->name);
        json_string(&json, "unit", unit_names[figure->unit]);
        json_u64(&json, "median", (uint64_t)llround(median));
        json_decimal(&json, "ratio", ratio);
        json_string(&json, "ratio_to", base_name(results, id));
        json_array(&json, "runs");
        for (unsigned run = 0; run < figure->run_count; run++)
            json_u64(&json, NULL, (uint64_t)llround(figure->runs[run]));
        json_array_end(&json);
        json_object_end(&json);
        json_line_end(&json);
    }
}

/* ---- For people ---- */

static void machine_text(struct out *out, const struct results *results)
{
    const struct machine *machine = &results->machine;
    out_format(out, "libsettle %s, %s%s\n", settle_version(), machine->compiler,
               machine->is_optimised ? "" : ", NOT OPTIMISED: the figures mean little");
    out_format(out, "%s, %" PRIu32 " cores, %" PRIu64 " MiB, %s, %s on %s\n", machine->cpu, machine->cores,
               machine->memory_bytes >> 20, machine->kernel, machine->filesystem, machine->device);
    out_format(out, "load at the start %.2f %.2f %.2f; %" PRIu64 " events, %u run%s, medians\n\n", machine->load[0],
               machine->load[1], machine->load[2], results->bench->events_count, results->run_count,
               results->run_count == 1 ? "" : "s");
}

settle_status results_table(struct out *out, const struct results *results)
{
    static const struct table_column columns[] = {{"figure", false}, {"median", true}, {"least", true},
                                                  {"most", true},    {"ratio", true},  {"to", false}};
    struct table table;
    machine_text(out, results);
    table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (enum figure_id id = 0; id < FIGURE_COUNT; id++) {
        const struct figure *figure = &results->bench->figures[id];
        double median, ratio, least, most;
        char cell[CELL_BYTES];
        if (!bench_figure_median(results->bench, id, &median, &ratio))
            continue;
        least = most = median;
        for (unsigned run = 0; run < figure->run_count; run++) {
            least = fmin(least, figure->runs[run]);
            most = fmax(most, figure->runs[run]);
        }
        table_cell(&table, figure->what);
        table_cell(&table, value_text(figure->unit, median, cell));
        table_cell(&table, value_text(figure->unit, least, cell));
        table_cell(&table, value_text(figure->unit, most, cell));
        table_cell(&table, ratio_text(ratio, cell));
        table_cell(&table, base_name(results, id));
    }
    return table_print(&table, out, 0);
}

/* ---- As a picture ---- */

void results_chart(struct out *out, const struct results *results)
{
    struct chart_bar bars[FIGURE_COUNT];
    char notes[FIGURE_COUNT][2 * CELL_BYTES + 4], subtitle[512], value[CELL_BYTES], share[CELL_BYTES];
    const struct machine *machine = &results->machine;
    size_t count = 0;
    for (enum figure_id id = 0; id < FIGURE_COUNT; id++) {
        const struct figure *figure = &results->bench->figures[id];
        double median, ratio;
        if (figure->unit != UNIT_PER_SECOND || !bench_figure_median(results->bench, id, &median, &ratio) || median <= 0)
            continue;
        value_text(figure->unit, median, value);
        snprintf(notes[count], sizeof notes[count], "%s, %s", value, ratio_text(ratio, share));
        bars[count] = (struct chart_bar){figure->what, notes[count], median};
        count++;
    }
    snprintf(subtitle, sizeof subtitle,
             "%s, %" PRIu32 " cores, %s, %s; median of %u; behind each value its ratio to the raw limit", machine->cpu,
             machine->cores, machine->kernel, machine->filesystem, results->run_count);
    chart_print(out, "settlectl bench, libsettle " SETTLE_VERSION, subtitle, bars, count);
}
