/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/machine.h"

#include "proto/file.h"
#include "proto/number.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The kernel's small files have no size: what there is, is read. */
static bool read_text(const char *path, char *text, size_t size)
{
    struct hl_file *file;
    struct hl_err ignored;
    size_t len = 0;
    bool is_read;

    if (hl_file_open(path, HL_FILE_READ, &file, &ignored) != HL_OK)
        return false;
    is_read = hl_file_read_at(file, text, size - 1, 0, &len, &ignored) == HL_OK;
    hl_file_close(file);
    text[is_read ? len : 0] = '\0';
    return is_read;
}

/* What one group says; "max" and what cannot be read is no bound. */
static uint64_t bound_at(const char *folder, const char *group, const char *file)
{
    char path[PATH_MAX], text[32];
    const int len = snprintf(path, sizeof path, "%s%s/%s", folder, group, file);
    uint64_t bound;

    if (len < 0 || (size_t)len >= sizeof path || !read_text(path, text, sizeof text) ||
        !hl_number_u64(text, strcspn(text, "\n"), &bound))
        return UINT64_MAX;
    return bound;
}

/* A group has no more than those above it. Within a container its path may not be there,
 * while the group itself is what is mounted. */
static uint64_t least_above(const char *folder, char *group, const char *file)
{
    uint64_t least = UINT64_MAX;

    for (;;) {
        const uint64_t bound = bound_at(folder, group, file);
        char *slash = strrchr(group, '/');

        least = bound < least ? bound : least;
        if (!slash)
            return least;
        *slash = '\0';
    }
}

/* NUMBER:CONTROLLERS:PATH; the second version's has no controllers. */
static uint64_t bound_of_line(char *line, const char *folder)
{
    char below[PATH_MAX];
    char *controllers = strchr(line, ':'), *group;

    group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return UINT64_MAX;
    *group++ = '\0';
    if (controllers[1] == '\0')
        return least_above(folder, group, "memory.max");
    if (strcmp(controllers + 1, "memory") != 0 ||
        (size_t)snprintf(below, sizeof below, "%s/memory", folder) >= sizeof below)
        return UINT64_MAX;
    return least_above(below, group, "memory.limit_in_bytes");
}

uint64_t hl_machine_group_memory(const char *list, const char *folder)
{
    char text[8192];
    uint64_t least = UINT64_MAX;
    char *next = text;

    if (!read_text(list, text, sizeof text))
        return least;
    while (*next) {
        char *line = next;
        uint64_t bound;

        next += strcspn(next, "\n");
        if (*next)
            *next++ = '\0';
        bound = bound_of_line(line, folder);
        least = bound < least ? bound : least;
    }
    return least;
}

uint64_t hl_machine_memory(void)
{
    const long n_pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    const uint64_t group = hl_machine_group_memory("/proc/self/cgroup", "/sys/fs/cgroup");
    const uint64_t all =
        n_pages > 0 && page > 0 ? (uint64_t)n_pages * (uint64_t)page : UINT64_MAX;

    return group < all ? group : all;
}
