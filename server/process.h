/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_PROCESS_H
#define HL_SERVER_PROCESS_H

#include <stdint.h>

/* What the operating system says of this process. What it does not tell is 0. Any thread.
 */
struct hl_process {
    double cpu_seconds;
    uint64_t resident_bytes;
    uint64_t n_open_files;
    uint64_t max_open_files;
};

void hl_process_look(struct hl_process *ret_process);

#endif
