/* SPDX-License-Identifier: Apache-2.0 */
#include "index/stmts.h"

#include <assert.h>

void hl_stmts_init(struct hl_stmts *stmts, struct hl_db *db, const char *const *texts)
{
    *stmts = (struct hl_stmts){.db = db, .texts = texts};
}

void hl_stmts_done(struct hl_stmts *stmts)
{
    for (int i = 0; i < HL_STMTS_MAX; i++) {
        hl_stmt_free(stmts->all[i]);
        stmts->all[i] = NULL;
    }
}

enum hl_code hl_stmts_get(struct hl_stmts *stmts, int which, struct hl_stmt **ret_stmt,
                          struct hl_err *err)
{
    enum hl_code code = HL_OK;

    assert(which >= 0 && which < HL_STMTS_MAX);
    if (!stmts->all[which])
        code = hl_stmt_new(stmts->db, stmts->texts[which], &stmts->all[which], err);
    if (code == HL_OK)
        *ret_stmt = stmts->all[which];
    return code;
}
