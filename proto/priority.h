/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_PRIORITY_H
#define HL_PROTO_PRIORITY_H

/* Which of our threads the kernel lets run first when they are more than the processors.
 *
 * Of the calling thread alone, and of the threads that it makes afterwards. It only ever
 * goes down: to raise itself a thread would need a privilege. */
enum hl_priority {
    HL_PRIORITY_BEHIND, /* long work that the others are the better for, some time */
    HL_PRIORITY_LAST    /* long work that can wait */
};

void hl_priority_set(enum hl_priority priority);

#endif
