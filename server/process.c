/* SPDX-License-Identifier: Apache-2.0 */
#include "server/process.h"

#include "proto/dir.h"
#include "proto/file.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* The second number of /proc/self/statm, in pages. */
static uint64_t resident_pages(void)
{
    struct hl_file *file;
    struct hl_err err;
    char text[128] = "";
    size_t len = 0;
    uint64_t pages = 0;
    size_t i = 0;

    if (hl_file_open("/proc/self/statm", HL_FILE_READ, &file, &err) != HL_OK)
        return 0;
    if (hl_file_read_at(file, text, sizeof text - 1, 0, &len, &err) != HL_OK)
        len = 0;
    hl_file_close(file);
    while (i < len && text[i] != ' ')
        i++;
    for (i++; i < len && text[i] >= '0' && text[i] <= '9'; i++)
        pages = pages * 10 + (uint64_t)(text[i] - '0');
    return pages;
}

void hl_process_look(struct hl_process *ret_process)
{
    struct rusage usage = {0};
    struct rlimit limit = {0};
    struct hl_err err;
    size_t n_open;

    *ret_process = (struct hl_process){0};
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        ret_process->cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
    ret_process->resident_bytes = resident_pages() * (uint64_t)sysconf(_SC_PAGESIZE);
    /* One of them is the folder that is being counted. */
    if (hl_dir_count("/proc/self/fd", &n_open, &err) == HL_OK && n_open > 0)
        ret_process->n_open_files = n_open - 1;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        ret_process->max_open_files = limit.rlim_cur;
}
