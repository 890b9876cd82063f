/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/compat.h"

#include <cblas.h>

const char *hl_compat_blas(void)
{
    return openblas_get_config();
}

const char *hl_compat_blas_core(void)
{
    return openblas_get_corename();
}

void hl_compat_hold_to_one_thread(void)
{
    openblas_set_num_threads(1);
}
