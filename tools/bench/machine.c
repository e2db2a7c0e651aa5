/* machine.c — see machine.h. Reads /proc; what is not there is "unknown". */
#include "tools/bench/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#define LINE_BYTES 1024

static void set(char *text, size_t bytes, const char *value)
{
    snprintf(text, bytes, "%s", value);
    text[strcspn(text, "\n")] = '\0';
}

static void read_cpu(struct machine *machine)
{
    char line[LINE_BYTES];
    FILE *file = fopen("/proc/cpuinfo", "re");
    set(machine->cpu, sizeof machine->cpu, "unknown");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
            set(machine->cpu, sizeof machine->cpu, colon + 1 + strspn(colon + 1, " \t"));
            break;
        }
    }
    if (file != NULL)
        fclose(file);
}

/* "36 35 98:0 /root /mount options [optional]... - ext4 /dev/vda options" */
static bool parse_mount(char *line, unsigned want_major, unsigned want_minor, struct machine *machine)
{
    unsigned device_major, device_minor;
    char *behind = strstr(line, " - "), *rest = NULL;
    if (behind == NULL || sscanf(line, "%*u %*u %u:%u", &device_major, &device_minor) != 2 ||
        device_major != want_major || device_minor != want_minor)
        return false;
    const char *type = strtok_r(behind + 3, " ", &rest), *device = strtok_r(NULL, " ", &rest);
    if (type == NULL || device == NULL)
        return false;
    set(machine->filesystem, sizeof machine->filesystem, type);
    set(machine->device, sizeof machine->device, device);
    return true;
}

static void read_filesystem(const char *directory, struct machine *machine)
{
    char line[LINE_BYTES];
    struct stat status;
    FILE *file = fopen("/proc/self/mountinfo", "re");
    set(machine->filesystem, sizeof machine->filesystem, "unknown");
    set(machine->device, sizeof machine->device, "unknown");
    if (file == NULL || stat(directory, &status) != 0)
        status.st_dev = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (parse_mount(line, major(status.st_dev), minor(status.st_dev), machine))
            break;
    if (file != NULL)
        fclose(file);
}

void machine_describe(const char *directory, struct machine *ret_machine)
{
    struct utsname name;
    memset(ret_machine, 0, sizeof *ret_machine);
    read_cpu(ret_machine);
    read_filesystem(directory, ret_machine);
    long cores = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    ret_machine->cores = cores > 0 ? (uint32_t)cores : 0;
    ret_machine->memory_bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
    if (uname(&name) == 0)
        snprintf(ret_machine->kernel, sizeof ret_machine->kernel, "%.40s %.80s", name.sysname, name.release);
#if defined(__clang__)
    set(ret_machine->compiler, sizeof ret_machine->compiler, __VERSION__);
#else
    set(ret_machine->compiler, sizeof ret_machine->compiler, "GCC " __VERSION__);
#endif
#if defined(__OPTIMIZE__)
    ret_machine->is_optimised = true;
#endif
    if (getloadavg(ret_machine->load, 3) != 3)
        memset(ret_machine->load, 0, sizeof ret_machine->load);
}
