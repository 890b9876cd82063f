/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/compat.h"
#include "index/index.h"
#include "proto/encode.h"
#include "server/cli.h"
#include "server/http.h"
#include "server/version.h"

void hl_cli_version(struct hl_buf *buf)
{
    hl_buf_print(buf, "heirloom %s, commit %s\n", hl_version(), hl_commit());
    hl_buf_print(buf, "speaks Qdrant's REST %s\n", HL_REST_VERSION);
    hl_buf_print(buf, "FAISS %s\n", hl_index_faiss_version());
    hl_buf_print(buf, "libmicrohttpd %s\n", hl_http_library_version());
    hl_buf_print(buf, "cJSON %s\n", hl_encode_library_version());
    hl_buf_print(buf, "%s, for %s\n", hl_compat_blas(), hl_compat_blas_core());
    hl_buf_print(buf, "compiler %s\n", hl_compiler());
    hl_buf_print(buf, "kernels %s\n", hl_index_kernels());
}
