/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_FAIL_H
#define HL_PROTO_FAIL_H

#include "proto/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Named places where a test can make the world fail.
 *
 * Every allocation, every file operation and a few chosen moments pass a failpoint.
 * Disarmed, that is one relaxed load. Armed, the Nth passage of the named place fails,
 * stalls or kills the process as kill -9 would. Only tests arm them: the server through the
 * environment variable HEIRLOOM_FAILPOINTS, read once at start and announced in the log;
 * unit tests by calling hl_failpoint_arm. Passing is for any thread; arming and disarming
 * are for one thread at a time, while nobody passes.
 *
 * A rule is `place=N:action`, rules are joined by commas:
 *     alloc=3:fail          the third allocation returns NULL
 *     file.sync=1:kill      the process dies in the first sync, before it
 *     file.write=2+:fail    the second write and all after it
 *     reader.run=1:stall250 the first long request sleeps 250 ms
 */
#define HL_FAILPOINT_TABLE(X)                                                              \
    X(HL_FAIL_ALLOC, "alloc")                                                              \
    X(HL_FAIL_FILE_MAP, "file.map")                                                        \
    X(HL_FAIL_FILE_OPEN, "file.open")                                                      \
    X(HL_FAIL_FILE_READ, "file.read")                                                      \
    X(HL_FAIL_FILE_WRITE, "file.write")                                                    \
    X(HL_FAIL_FILE_SHORT, "file.short")                                                    \
    X(HL_FAIL_FILE_SYNC, "file.sync")                                                      \
    X(HL_FAIL_FILE_RENAME, "file.rename")                                                  \
    X(HL_FAIL_READER_RUN, "reader.run")

enum hl_failpoint {
#define HL_FAILPOINT_ENUM(point, name) point,
    HL_FAILPOINT_TABLE(HL_FAILPOINT_ENUM)
#undef HL_FAILPOINT_ENUM
        HL_N_FAILPOINTS
};

/* Whether the caller must now behave as if this place had failed. May not return at all. */
bool hl_failpoint_hit(enum hl_failpoint point);

/* Arms every rule of the text, or none of them. Replaces what was armed before. */
enum hl_code hl_failpoint_arm(const char *rules, struct hl_err *err);
void hl_failpoint_disarm(void);

/* Passages since arming, so that a test can ask for each of them in turn. */
uint64_t hl_failpoint_count(enum hl_failpoint point);

#endif
