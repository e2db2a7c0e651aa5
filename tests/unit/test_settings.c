/*
 * test_settings.c — the table of settings, values as text, and settle.json as text, with what reports are made of in place
 * of standard error. The order of option, environment and file is tried on the program (integration/settings.sh).
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/expect.h"
#include "tools/config.h"
#include "tools/report.h"

SETTLE_SUITE(settings);

/* ---- In place of report.c and options.c ---- */

static char told[1024];

int report_error(const struct invocation *invocation, settle_status status, const settle_error *error)
{
    (void)invocation;
    snprintf(told, sizeof told, "%s", error->text);
    return status == SETTLE_E_INVALID ? EXIT_USAGE : EXIT_IO;
}

int report_usage(const struct invocation *invocation, const char *format, ...)
{
    va_list arguments;
    (void)invocation;
    va_start(arguments, format);
    vsnprintf(told, sizeof told, format, arguments);
    va_end(arguments);
    return EXIT_USAGE;
}

void report_warning(const struct invocation *invocation, const char *format, ...)
{
    va_list arguments;
    (void)invocation;
    va_start(arguments, format);
    vsnprintf(told, sizeof told, format, arguments);
    va_end(arguments);
}

bool word_is_nearer(const char *typed, size_t typed_bytes, const char *word, size_t *best)
{
    (void)typed, (void)typed_bytes, (void)word, (void)best;
    return false;
}

/* ---- The table ---- */

static size_t find(const char *name)
{
    size_t index = setting_find(name, strlen(name));
    cr_assert_lt(index, SETTING_COUNT, "%s", name);
    return index;
}

Test(settings, every_default_is_in_its_range_or_automatic)
{
    struct settings settings;
    settings_init(&settings);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        uint64_t value = setting_get(&settings, i);
        cr_assert(value == SETTING_AUTOMATIC || (value >= setting_table[i].min && value <= setting_table[i].max), "%s",
                  setting_table[i].name);
        cr_assert_eq(settings.origins[i].from, FROM_DEFAULT);
        cr_assert_eq(find(setting_table[i].name), i, "two settings named %s", setting_table[i].name);
    }
    cr_assert_eq(setting_find("commit_events_ma", 16), SETTING_COUNT);
    cr_assert_eq(setting_find("commit_events_maxi", 18), SETTING_COUNT);
    cr_assert_eq(setting_find("", 0), SETTING_COUNT);
}

Test(settings, a_value_changes_its_own_member_alone)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        struct settings settings, defaults;
        uint64_t value = setting_table[i].max;
        settings_init(&settings);
        settings_init(&defaults);
        value -= value == setting_get(&defaults, i); /* another one than before */
        cr_assert(setting_put(&settings, i, value, (struct setting_origin){.from = FROM_OPTION}));
        for (size_t k = 0; k < SETTING_COUNT; k++) {
            cr_assert_eq(setting_get(&settings, k), k == i ? value : setting_get(&defaults, k), "%s changes %s",
                         setting_table[i].name, setting_table[k].name);
            cr_assert_eq(settings.origins[k].from, k == i ? FROM_OPTION : FROM_DEFAULT);
        }
    }
}

Test(settings, a_value_out_of_range_changes_nothing)
{
    struct settings settings;
    settings_init(&settings);
    size_t index = find("commit_events_max");
    uint64_t before = setting_get(&settings, index);
    cr_assert_not(setting_put(&settings, index, 0, (struct setting_origin){.from = FROM_FILE}));
    cr_assert_not(setting_put(&settings, index, 65537, (struct setting_origin){.from = FROM_FILE}));
    cr_assert_eq(setting_get(&settings, index), before);
    cr_assert_eq(settings.origins[index].from, FROM_DEFAULT);
}

Test(settings, names_of_variables_follow_from_the_names)
{
    char name[SETTING_ENVIRONMENT_BYTES];
    cr_assert_str_eq(setting_environment(&setting_table[find("commit_events_max")], name), "SETTLE_COMMIT_EVENTS_MAX");
    cr_assert_str_eq(setting_environment(&setting_table[find("lines.keep_days")], name), "SETTLE_LINES_KEEP_DAYS");
}

static bool parses(const char *setting, const char *text, uint64_t expected)
{
    uint64_t value = 4711;
    bool good = setting_parse(&setting_table[find(setting)], text, strlen(text), &value);
    cr_assert_eq(value, good ? expected : 4711, "%s: %s", setting, text);
    return good;
}

Test(settings, a_value_is_digits_in_range)
{
    cr_assert(parses("commit_events_max", "1", 1));
    cr_assert(parses("commit_events_max", "65536", 65536));
    cr_assert(parses("lines.keep_bytes", "9007199254740992", UINT64_C(1) << 53));
    cr_assert(parses("lines.keep_days", "0", 0));
    const char *const bad[] = {"",
                               "0",
                               "65537",
                               "-1",
                               "+1",
                               " 1",
                               "1 ",
                               "01",
                               "1.0",
                               "1e3",
                               "0x10",
                               "true",
                               "a",
                               "1,0",
                               "\"1\"",
                               "1_0",
                               "18446744073709551617"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_not(parses("commit_events_max", bad[i], 0), "%s", bad[i]);
}

Test(settings, a_truth_is_one_of_two_words)
{
    cr_assert(parses("lines.compress", "true", 1));
    cr_assert(parses("lines.compress", "false", 0));
    const char *const bad[] = {"", "1", "0", "True", "yes", "tru", "truee", "\"true\"", "falsey"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_not(parses("lines.compress", bad[i], 0), "%s", bad[i]);
}

/* ---- settle.json as text ---- */

static settle_status parse(const char *text, struct settings *settings)
{
    settings_init(settings);
    return config_parse(text, strlen(text), "f", settings, &test_error);
}

Test(settings, a_member_has_its_place)
{
    struct settings settings;
    EXPECT_OK(parse("{\n  \"lines\": {\n    \"keep_days\": 7},\n \"commit_events_max\":9}", &settings));
    size_t days = find("lines.keep_days"), events = find("commit_events_max");
    cr_assert_eq(setting_get(&settings, days), 7);
    cr_assert_eq(settings.origins[days].from, FROM_FILE);
    cr_assert_eq(settings.origins[days].line, 3);
    cr_assert_eq(settings.origins[days].byte, 5);
    cr_assert_eq(setting_get(&settings, events), 9);
    cr_assert_eq(settings.origins[events].line, 4);
    cr_assert_eq(settings.origins[events].byte, 2);
}

Test(settings, a_mistake_leaves_all_as_it_was)
{
    struct settings settings, before;
    settings_init(&before);
    EXPECT_STATUS(parse("{\"commit_events_max\":9, \"lines\":{\"keep_days\":36501}}", &settings), SETTLE_E_INVALID);
    cr_assert_str_eq(test_error.text, "f:1:46: \"keep_days\" must be an integer from 0 to 36500");
    cr_assert_eq(test_error.offset_bytes, 45);
    for (size_t i = 0; i < SETTING_COUNT; i++)
        cr_assert_eq(setting_get(&settings, i), setting_get(&before, i), "%s", setting_table[i].name);
}

/* cJSON takes all of them for white space: a fault behind one was told at another place, even behind the text's end. */
Test(settings, control_characters_are_no_white_space)
{
    struct settings settings;
    char text[] = "?{\"commit_events_max\":1,\"commit_events_max\":1}";
    for (char byte = 1; byte < 0x20; byte++) {
        text[0] = byte;
        bool is_white = strchr("\t\r\n", byte) != NULL;
        EXPECT_STATUS(parse(text, &settings), SETTLE_E_INVALID);
        cr_assert_eq(test_error.offset_bytes, is_white ? 24 : 0, "byte %d: %s", byte, test_error.text);
        cr_assert(strstr(test_error.text, is_white ? "is given twice" : "is no JSON") != NULL, "%s", test_error.text);
    }
}

Test(settings, a_group_is_an_object_and_only_a_group)
{
    struct settings settings;
    const char *const bad[] = {"{\"lines.keep_days\":1}",
                               "{\"line\":{}}",
                               "{\"lines\":{\"lines\":{}}}",
                               "{\"keep_days\":1}",
                               "{\"commit_events_max\":{}}",
                               "{\"lines\":null}",
                               "{\"\":1}",
                               "{\"lines\":{\"\":1}}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT_STATUS(parse(bad[i], &settings), SETTLE_E_INVALID);
    char longer[400];
    snprintf(longer, sizeof longer, "{\"%0300d\":1}", 0);
    EXPECT_STATUS(parse(longer, &settings), SETTLE_E_INVALID);
    EXPECT_OK(parse("{\"lines\":{}}", &settings));
}

/* ---- What differs ---- */

Test(settings, only_what_differs_is_described)
{
    struct settings settings;
    char text[512];
    settings_init(&settings);
    cr_assert_str_eq(settings_describe(&settings, text, sizeof text), "");
    EXPECT_OK(parse("{\"commit_events_max\":64,\"lines\":{\"compress\":true}}", &settings));
    cr_assert_str_eq(settings_describe(&settings, text, sizeof text), "commit_events_max=64 lines.compress=1");
}

/* ---- All of them together ---- */

Test(settings, the_environment_is_read_and_told_of)
{
    struct option_use options[] = {{OPTION_SET, "commit_events_max=5"}};
    struct invocation invocation = {.directory = "/nonexistent", .options = options};
    struct settings settings;
    setenv("SETTLE_COMMIT_EVENTS_MAX", "3", 1);
    cr_assert_eq(settings_read(&invocation, &settings), EXIT_DONE);
    cr_assert_eq(settings.engine.commit_events_max, 3);
    invocation.option_count = 1;
    cr_assert_eq(settings_read(&invocation, &settings), EXIT_DONE);
    cr_assert_eq(settings.engine.commit_events_max, 5);
    setenv("SETTLE_COMMIT_EVENTS_MAX", "x", 1); /* also where an option outdoes it */
    settings.engine.commit_events_max = 4711;
    cr_assert_eq(settings_read(&invocation, &settings), EXIT_USAGE);
    cr_assert_str_eq(told, "environment variable SETTLE_COMMIT_EVENTS_MAX=x: must be an integer from 1 to 65536");
    cr_assert_eq(settings.engine.commit_events_max, 4711, "changed in spite of the mistake");
    unsetenv("SETTLE_COMMIT_EVENTS_MAX");
    setenv("SETTLE_LINES_NONSENSE", "1", 1);
    cr_assert_eq(settings_read(&invocation, &settings), EXIT_DONE);
    cr_assert_str_eq(told, "environment variable SETTLE_LINES_NONSENSE is no setting; see settlectl config");
    unsetenv("SETTLE_LINES_NONSENSE");
}
