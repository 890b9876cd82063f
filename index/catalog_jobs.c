/* SPDX-License-Identifier: Apache-2.0 */
#include "index/catalog_part.h"

/* Progress is kept in millionths: SQLite's integers print alike everywhere. */
static const double MILLION = 1e6;

static int64_t millionths(double progress)
{
    if (!(progress > 0))
        return 0;
    return progress < 1 ? (int64_t)(progress * MILLION) : (int64_t)MILLION;
}

enum hl_code hl_catalog_add_job(struct hl_catalog *catalog, const struct hl_job *job,
                                uint64_t *ret_id, struct hl_err *err)
{
    const char *const columns[] = {job->kind, job->collection, job->request, job->phase,
                                   job->outcome};
    struct hl_stmt *stmt;
    bool has_row = false;
    uint64_t id = 0;
    enum hl_code code = hl_db_begin(catalog->db, err);

    if (code != HL_OK)
        return code;
    code = hl_catalog_stmt(catalog, CATALOG_ADD_JOB, &stmt, err);
    if (code == HL_OK) {
        for (int i = 0; i < 5; i++)
            hl_catalog_bind(stmt, i + 1, columns[i]);
        hl_stmt_int(stmt, 6, (int64_t)job->state);
        hl_stmt_int(stmt, 7, millionths(job->progress));
        hl_stmt_int(stmt, 8, job->created_ms);
        hl_stmt_int(stmt, 9, job->changed_ms);
        code = hl_stmt_step(stmt, &has_row, err);
        if (code == HL_OK && has_row)
            id = (uint64_t)hl_stmt_get_int(stmt, 0);
        hl_stmt_reset(stmt);
    }
    code = hl_catalog_end(catalog, code, err);
    if (code == HL_OK)
        *ret_id = id;
    return code;
}

enum hl_code hl_catalog_set_job(struct hl_catalog *catalog, const struct hl_job *job,
                                struct hl_err *err)
{
    struct hl_stmt *stmt;
    size_t n_changed = 0;
    enum hl_code code = hl_db_begin(catalog->db, err);

    if (code != HL_OK)
        return code;
    code = hl_catalog_stmt(catalog, CATALOG_SET_JOB, &stmt, err);
    if (code == HL_OK) {
        hl_stmt_int(stmt, 1, (int64_t)job->id);
        hl_catalog_bind(stmt, 2, job->phase);
        hl_catalog_bind(stmt, 3, job->outcome);
        hl_stmt_int(stmt, 4, (int64_t)job->state);
        hl_stmt_int(stmt, 5, millionths(job->progress));
        hl_stmt_int(stmt, 6, job->changed_ms);
        code = hl_stmt_run(stmt, &n_changed, err);
    }
    if (code == HL_OK && n_changed == 0)
        code =
            hl_fail(err, HL_NOT_FOUND, "Not found: Job %llu", (unsigned long long)job->id);
    return hl_catalog_end(catalog, code, err);
}

enum hl_code hl_catalog_jobs(struct hl_catalog *catalog, uint64_t id,
                             hl_catalog_job_fn *each, void *self, struct hl_err *err)
{
    struct hl_stmt *stmt;
    bool has_row = true, go_on = true;
    enum hl_code code = hl_catalog_stmt(catalog, CATALOG_LIST_JOBS, &stmt, err);

    if (code != HL_OK)
        return code;
    hl_stmt_int(stmt, 1, (int64_t)id);
    while (go_on && (code = hl_stmt_step(stmt, &has_row, err)) == HL_OK && has_row) {
        const char *texts[5];
        struct hl_job job = {
            .id = (uint64_t)hl_stmt_get_int(stmt, 9),
            .state = (enum hl_job_state)hl_stmt_get_int(stmt, 5),
            .progress = (double)hl_stmt_get_int(stmt, 6) / MILLION,
            .created_ms = hl_stmt_get_int(stmt, 7),
            .changed_ms = hl_stmt_get_int(stmt, 8),
        };

        code = hl_catalog_texts(catalog, stmt, 5, texts, err);
        if (code != HL_OK)
            break;
        job.kind = texts[0];
        job.collection = texts[1];
        job.request = texts[2];
        job.phase = texts[3];
        job.outcome = texts[4];
        go_on = each(self, &job);
    }
    hl_stmt_reset(stmt);
    return code;
}

enum hl_code hl_catalog_recover_jobs(struct hl_catalog *catalog, int64_t now_ms,
                                     const char *outcome, size_t *ret_n, struct hl_err *err)
{
    struct hl_stmt *stmt;
    size_t n = 0;
    enum hl_code code = hl_db_begin(catalog->db, err);

    if (code != HL_OK)
        return code;
    code = hl_catalog_stmt(catalog, CATALOG_RECOVER_JOBS, &stmt, err);
    if (code == HL_OK) {
        hl_stmt_int(stmt, 1, HL_JOB_FAILED);
        hl_stmt_int(stmt, 2, now_ms);
        hl_catalog_bind(stmt, 3, outcome);
        hl_stmt_int(stmt, 4, HL_JOB_RUNNING);
        code = hl_stmt_run(stmt, &n, err);
    }
    code = hl_catalog_end(catalog, code, err);
    if (code == HL_OK)
        *ret_n = n;
    return code;
}

enum hl_code hl_catalog_trim_jobs(struct hl_catalog *catalog, size_t n, struct hl_err *err)
{
    struct hl_stmt *stmt;
    enum hl_code code = hl_db_begin(catalog->db, err);

    if (code != HL_OK)
        return code;
    code = hl_catalog_stmt(catalog, CATALOG_TRIM_JOBS, &stmt, err);
    if (code == HL_OK) {
        hl_stmt_int(stmt, 1, (int64_t)n);
        hl_stmt_int(stmt, 2, HL_JOB_RUNNING);
        code = hl_stmt_run(stmt, NULL, err);
    }
    return hl_catalog_end(catalog, code, err);
}
