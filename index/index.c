/* SPDX-License-Identifier: Apache-2.0 */
#include "index/index.h"

#include "index/faiss_gap.h"
#include "index/kernels.h"

enum hl_code hl_index_choose_kernels(const char *name, struct hl_err *err)
{
    const struct hl_kernels *kernels = NULL;
    const enum hl_code code = hl_kernels_find(name, &kernels, err);

    if (code != HL_OK)
        return code;
    hl_gap_use_kernels(kernels);
    return HL_OK;
}

const char *hl_index_kernels(void)
{
    return hl_gap_kernels()->name;
}

const char *hl_index_faiss_version(void)
{
    return hl_gap_version();
}
