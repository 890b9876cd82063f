/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_OPENAPI_H
#define HL_PROTO_OPENAPI_H

#include <stddef.h>

/* openapi.yaml as JSON, as it was when the program was built; openapi.py makes it. Any
 * thread; good for ever, and terminated behind its length. */
const char *hl_openapi_json(size_t *ret_len);

#endif
