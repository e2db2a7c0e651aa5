/*
 * packed.h — a corpus as one text file: an input a line, its name and its bytes, "-" for those that libFuzzer named. Bytes are
 * hexadecimal digits, or text between quotes with \n, \\, \" and \xNN. Lines are sorted, so that a change is seen.
 */
#ifndef TESTS_FUZZ_PACKED_H
#define TESTS_FUZZ_PACKED_H

#include "tests/fuzz/fuzz.h"

#define PACKED_NAME_MAX 64
#define PACKED_BYTES_MAX 65536u

static inline int packed_digit(char c)
{
    const char *digits = "0123456789abcdef", *found = c == '\0' ? NULL : strchr(digits, c);
    MUST(found != NULL);
    return (int)(found - digits);
}

/* One byte of a text; *at goes behind it. */
static inline uint8_t packed_take_escaped(const char **at)
{
    const char *c = *at;
    *at += 1;
    if (*c != '\\')
        return (uint8_t)*c;
    *at += 1;
    if (c[1] == 'n')
        return '\n';
    if (c[1] != 'x')
        return (uint8_t)c[1];
    *at += 2;
    return (uint8_t)(packed_digit(c[2]) << 4 | packed_digit(c[3]));
}

/* The input of a line without its newline; returns its size. */
static inline size_t packed_decode(const char *line, char ret_name[PACKED_NAME_MAX], uint8_t *ret_bytes)
{
    const char *space = strchr(line, ' ');
    MUST(space != NULL && space - line < PACKED_NAME_MAX);
    memcpy(ret_name, line, (size_t)(space - line));
    ret_name[space - line] = '\0';
    size_t count = 0;
    const char *at = space + 1;
    if (*at == '"') {
        for (at++; *at != '"';) {
            MUST(*at != '\0' && count < PACKED_BYTES_MAX);
            ret_bytes[count++] = packed_take_escaped(&at);
        }
        MUST(at[1] == '\0');
        return count;
    }
    for (; *at != '\0'; at += 2) {
        MUST(count < PACKED_BYTES_MAX);
        ret_bytes[count++] = (uint8_t)(packed_digit(at[0]) << 4 | packed_digit(at[1]));
    }
    return count;
}

static inline void packed_print(FILE *file, const char *name, const uint8_t *bytes, size_t count)
{
    size_t printable = 0;
    for (size_t i = 0; i < count; i++)
        printable += (bytes[i] >= 0x20 && bytes[i] < 0x7f) || bytes[i] == '\n';
    bool is_text = printable * 4 >= count * 3;
    fprintf(file, "%s %s", name, is_text ? "\"" : "");
    for (size_t i = 0; i < count; i++) {
        uint8_t c = bytes[i];
        if (!is_text)
            fprintf(file, "%02x", c);
        else if (c == '\n')
            fputs("\\n", file);
        else if (c == '"' || c == '\\')
            fprintf(file, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            fprintf(file, "\\x%02x", c);
        else
            fputc(c, file);
    }
    fputs(is_text ? "\"\n" : "\n", file);
}

#endif
