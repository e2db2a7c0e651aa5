/*
 * fuzz_options.c — any text as a command line, and each of its words as whatever a word can be: a number, a time, a user, an
 * asset, an amount, a price, a setting; the rest as settle.json. Words end at newlines; settle.json begins behind a byte 0.
 *
 * What is taken has the meaning that its text has: written again it is the same text, or gives the same value. What is refused
 * has a sentence, and settle.json's faults a place. fuzz_cli.c runs the commands.
 */
#include "tests/fuzz/fuzz.h"

#include <cjson/cJSON.h>
#include <inttypes.h>

#include "query/query.h"
#include "tools/command.h"
#include "tools/config.h"

#define NOW_US UINT64_C(1733856600000000)
#define WORDS_MAX 32

static void check_u64(const char *word)
{
    uint64_t value;
    char text[PRINT_U64_BYTES];
    if (query_u64_parse(word, &value))
        MUST(strcmp(print_u64(value, text), word) == 0);
}

static void check_user(const char *word)
{
    uint64_t user;
    char text[PRINT_USER_BYTES];
    if (query_user_parse(word, &user))
        MUST(strcmp(print_user(user, text), word) == 0 && user != 0);
}

static void check_asset(const char *word)
{
    settle_asset asset;
    char text[64];
    if (!query_asset_parse(word, &asset))
        return;
    MUST(memchr(asset.symbol, 0, sizeof asset.symbol) != NULL && asset.scale <= SETTLE_SCALE_MAX && asset.id != 0);
    snprintf(text, sizeof text, "%s=%" PRIu32 ":%u", asset.symbol, asset.id, (unsigned)asset.scale);
    MUST(strcmp(text, word) == 0);
}

/* Printed and read again a time is the same: print_time_us() has four digits of a year. */
static void check_time(const char *word)
{
    uint64_t time_us, again;
    char text[PRINT_TIME_BYTES];
    struct bound bound = {.seq = 0};
    bool is_time = query_time_parse(word, NOW_US, &time_us);
    if (is_time && time_us < UINT64_C(253402300800000000)) {
        MUST(query_time_parse(print_time_us(time_us, text), NOW_US, &again) && again == time_us);
        MUST(word[0] != '-' || time_us <= NOW_US);
    }
    if (bound_parse(word, &bound))
        MUST(bound.is_given && (is_time || !bound.is_moment));
    else
        MUST(!is_time);
}

static void check_amounts(const char *word)
{
    settle_text text = {word, strlen(word)};
    settle_int128 amount, again;
    settle_price price;
    char printed[SETTLE_AMOUNT_TEXT_BYTES];
    for (uint8_t scale = 0; scale <= SETTLE_SCALE_MAX; scale = (uint8_t)(scale + 6)) {
        if (settle_amount_parse(text, scale, &amount) != SETTLE_OK)
            continue;
        size_t bytes = settle_amount_format(amount, scale, printed);
        MUST(amount >= 0 && bytes < sizeof printed && strncmp(printed, word, text.bytes) == 0);
        MUST(settle_amount_parse((settle_text){printed, bytes}, scale, &again) == SETTLE_OK && again == amount);
    }
    if (settle_price_parse(text, &price) == SETTLE_OK)
        MUST(price.scale <= SETTLE_PRICE_DECIMALS_MAX && (price.scale == 0 || price.mantissa % 10 != 0));
}

static void check_settings(const char *word)
{
    const char *equals = strchr(word, '=');
    size_t name_bytes = equals != NULL ? (size_t)(equals - word) : strlen(word);
    size_t index = setting_find(word, name_bytes);
    uint64_t value;
    char text[PRINT_U64_BYTES];
    MUST(index <= SETTING_COUNT);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *digits = index == i && equals != NULL ? equals + 1 : word;
        if (!setting_parse(&setting_table[i], digits, strlen(digits), &value))
            continue;
        MUST(value >= setting_table[i].min && value <= setting_table[i].max);
        MUST(setting_table[i].kind == SETTING_BOOL || strcmp(print_u64(value, text), digits) == 0);
    }
}

static void check_word(const char *word)
{
    enum export_format export_format;
    enum tail_format tail_format;
    check_u64(word);
    check_user(word);
    check_asset(word);
    check_time(word);
    check_amounts(word);
    check_settings(word);
    (void)export_format_parse(word, &export_format);
    (void)tail_format_parse(word, &tail_format);
    const char *likest = command_suggest(word);
    MUST(likest == NULL || command_find(likest) != NULL);
}

static void check_command_line(int argc, char **argv)
{
    struct invocation invocation = {.command = NULL};
    char fault[512] = "";
    bool is_good = invocation_init(&invocation, argc, argv, fault, sizeof fault);
    if (!is_good) {
        MUST(memchr(fault, 0, sizeof fault) != NULL && strlen(fault) > 5);
    } else {
        const struct command *command = invocation.command;
        MUST(invocation.directory[0] != '\0');
        for (size_t i = 0; i < invocation.option_count; i++)
            MUST(invocation_option(&invocation, invocation.options[i].id) != NULL);
        if (command != NULL && invocation_option(&invocation, OPTION_HELP) == NULL)
            MUST(invocation.argument_count >= command->argument_min &&
                 invocation.argument_count <= command->argument_max);
    }
    invocation_deinit(&invocation);
}

static void check_config(const char *text, size_t bytes)
{
    struct settings settings, before;
    settle_error error = {.status = SETTLE_OK};
    settings_init(&settings);
    before = settings;
    char *exact = malloc(bytes + 1);
    MUST(exact != NULL);
    memcpy(exact, text, bytes);
    exact[bytes] = '\0';
    if (config_parse(exact, bytes, "settle.json", &settings, &error) == SETTLE_OK) {
        const char *end = NULL;
        cJSON *json = cJSON_ParseWithLengthOpts(exact, bytes + 1, &end, 1);
        MUST(cJSON_IsObject(json));
        cJSON_Delete(json);
        for (size_t i = 0; i < SETTING_COUNT; i++) {
            uint64_t value = setting_get(&settings, i);
            MUST(value == setting_get(&before, i) ||
                 (value >= setting_table[i].min && value <= setting_table[i].max &&
                  settings.origins[i].from == FROM_FILE && settings.origins[i].line >= 1));
        }
    } else {
        MUST(error.offset_bytes <= bytes && strncmp(error.text, "settle.json:", 12) == 0);
        MUST(memchr(error.text, 0, sizeof error.text) != NULL);
    }
    free(exact);
}

/* In place of the command, which measures for minutes. */
int cmd_bench(struct invocation *invocation)
{
    (void)invocation;
    return EXIT_DONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const uint8_t *zero = bytes > 0 ? memchr(data, 0, bytes) : NULL;
    size_t line_bytes = zero != NULL ? (size_t)(zero - data) : bytes;
    char *words[WORDS_MAX + 2] = {exact_copy("settlectl", 10)}, *line = malloc(line_bytes + 1);
    int count = 1;
    MUST(line != NULL);
    if (line_bytes > 0)
        memcpy(line, data, line_bytes);
    line[line_bytes] = '\0';
    for (char *at = line; at != NULL && count <= WORDS_MAX;) {
        char *end = strchr(at, '\n');
        if (end != NULL)
            *end = '\0';
        words[count++] = exact_copy(at, strlen(at) + 1);
        at = end != NULL ? end + 1 : NULL;
    }
    check_command_line(count, words);
    for (int i = 1; i < count; i++)
        check_word(words[i]);
    if (zero != NULL)
        check_config((const char *)zero + 1, (size_t)(data + bytes - zero) - 1);
    for (int i = 0; i < count; i++)
        free(words[i]);
    free(line);
    return 0;
}
