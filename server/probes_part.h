/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_PROBES_PART_H
#define HL_SERVER_PROBES_PART_H

#include "server/probes.h"

/* What the files of probe sets share; for them alone.
 *
 *   probes.c        finding one, and what it has
 *   probes_keep.c   putting, removing, keeping what came out
 *   probes_print.c  saying it
 *
 * Records: of a version its lines and an object about them; of a name the last version in
 * digits, which stays when the set goes, the last run, and a summary a line, newest first.
 */
#define HL_PROBE_KIND_TEXT    "probe_set"
#define HL_PROBE_KIND_INFO    "probe_info"
#define HL_PROBE_KIND_LAST    "probe_version"
#define HL_PROBE_KIND_RUN     "probe_run"
#define HL_PROBE_KIND_HISTORY "probe_runs"

enum { HL_PROBE_KEY = HL_PROBE_NAME + 16 };

/* NAME/VERSION; with version 0 what all of a name begin with. */
void hl_probes_key(const char *name, uint64_t version, char key[HL_PROBE_KEY]);

struct hl_probe_versions {
    char beginning[HL_PROBE_KEY];            /* of their keys */
    uint64_t numbers[HL_PROBE_VERSIONS + 1]; /* rising; one more while it is being put */
    size_t n;
};
enum hl_code hl_probes_versions(const struct hl_holdings *holdings, const char *name,
                                struct hl_probe_versions *versions, struct hl_err *err);

/* `*version` 0 becomes the latest. */
enum hl_code hl_probes_version(const struct hl_holdings *holdings, const char *name,
                               uint64_t *version, struct hl_err *err);

/* HL_NOT_FOUND: the version, or with 0 the set. */
enum hl_code hl_probes_fail_none(const char *name, uint64_t version, struct hl_err *err);

#endif
