/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_VERSION_H
#define HL_PROTO_VERSION_H

/* The version of the cJSON that is linked, such as "1.7.15". Any thread; good for ever. It
 * stands here because json.h is not for other folders. */
const char *hl_json_library_version(void);

#endif
