/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_MACHINE_H
#define HL_PROTO_MACHINE_H

#include <stdint.h>

/* How much memory this process may have: the machine's, or less where a control group that
 * it is in says so. Any thread; asked once, at start. */
uint64_t hl_machine_memory(void);

/* The least that the memory groups of a list like /proc/self/cgroup have below a folder
 * like /sys/fs/cgroup, of both versions; UINT64_MAX where none says anything. */
uint64_t hl_machine_group_memory(const char *list, const char *folder);

#endif
