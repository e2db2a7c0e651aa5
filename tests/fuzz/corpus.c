/*
 * corpus.c — a corpus between its two forms: the committed file (packed.h) and the folder of files that libFuzzer wants.
 *
 *     fuzz_corpus unpack tests/fuzz/corpus/scan FOLDER      makes the files
 *     fuzz_corpus pack FOLDER | LC_ALL=C sort -u            prints the lines
 *
 * A file's name is kept where it is no checksum of libFuzzer's: findings have names.
 */
#include <dirent.h>
#include <sys/stat.h>

#include "tests/fuzz/packed.h"

static uint8_t bytes[PACKED_BYTES_MAX];

static int pack(const char *folder)
{
    DIR *entries = opendir(folder);
    MUST(entries != NULL);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        char path[4096];
        bool is_checksum = strlen(entry->d_name) == 40 && strspn(entry->d_name, "0123456789abcdef") == 40;
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        FILE *file = fopen(path, "rb");
        MUST(file != NULL && strlen(entry->d_name) < PACKED_NAME_MAX);
        size_t count = fread(bytes, 1, sizeof bytes, file);
        MUST(feof(file) != 0);
        fclose(file);
        packed_print(stdout, is_checksum ? "-" : entry->d_name, bytes, count);
    }
    closedir(entries);
    return 0;
}

static int unpack(const char *packed, const char *folder)
{
    FILE *lines = fopen(packed, "r");
    char *line = NULL, name[PACKED_NAME_MAX], path[4096];
    size_t capacity = 0;
    unsigned number = 0;
    MUST(lines != NULL);
    (void)mkdir(folder, 0700);
    for (ssize_t length; (length = getline(&line, &capacity, lines)) > 0; number++) {
        line[length - 1] = '\0';
        size_t count = packed_decode(line, name, bytes);
        if (strcmp(name, "-") == 0) /* as long as libFuzzer's own, so that pack() drops it again */
            snprintf(name, sizeof name, "%040x", number);
        snprintf(path, sizeof path, "%s/%s", folder, name);
        FILE *file = fopen(path, "wb");
        MUST(file != NULL && fwrite(bytes, 1, count, file) == count && fclose(file) == 0);
    }
    free(line);
    fclose(lines);
    return number > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "pack") == 0)
        return pack(argv[2]);
    if (argc == 4 && strcmp(argv[1], "unpack") == 0)
        return unpack(argv[2], argv[3]);
    fputs("usage: fuzz_corpus pack FOLDER | unpack FILE FOLDER\n", stderr);
    return 2;
}
