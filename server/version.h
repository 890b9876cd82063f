/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_VERSION_H
#define HL_SERVER_VERSION_H

/* Who we are. Any thread; good for ever. */

#define HL_REST_VERSION "1.19.0" /* of Qdrant's interface; clients compare it */

const char *hl_version(void); /* ours, such as "0.1.0" */
const char *hl_commit(void);  /* what was built, such as "3f1e2d7"; "unknown" without git */
const char *hl_compiler(void); /* and the compiler it was built with */

#endif
