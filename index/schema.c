/* SPDX-License-Identifier: Apache-2.0 */
#include "index/schema.h"

#include <stdio.h>

/* What the file says it is. */
struct look {
    int64_t application;
    int64_t version;
    int64_t n_objects;
};

static enum hl_code read_look(struct hl_db *db, struct look *ret_look, struct hl_err *err)
{
    struct look look;
    enum hl_code code = hl_db_ask(db, "PRAGMA application_id", &look.application, err);

    if (code == HL_OK)
        code = hl_db_ask(db, "PRAGMA user_version", &look.version, err);
    if (code == HL_OK)
        code = hl_db_ask(db, "SELECT count(*) FROM sqlite_schema", &look.n_objects, err);
    if (code == HL_OK)
        *ret_look = look;
    return code;
}

static enum hl_code judge(const struct hl_db *db, const struct hl_schema *schema,
                          const struct look *look, bool may_be_new, struct hl_err *err)
{
    const bool is_new =
        look->application == 0 && look->version == 0 && look->n_objects == 0;

    if (is_new && may_be_new)
        return HL_OK;
    if (look->application != schema->application || look->version < 1)
        return hl_fail(err, HL_BAD_FILE, "\"%s\" is not %s of heirloom", hl_db_path(db),
                       schema->what);
    if (look->version > schema->n_steps)
        return hl_fail(err, HL_NEWER_FORMAT,
                       "\"%s\" has format %lld, this heirloom knows formats up to %d: it "
                       "takes a newer heirloom",
                       hl_db_path(db), (long long)look->version, schema->n_steps);
    return HL_OK;
}

static enum hl_code climb(struct hl_db *db, const struct hl_schema *schema, int from,
                          struct hl_err *err)
{
    char marks[96];
    enum hl_code code = HL_OK;

    for (int i = from; i < schema->n_steps && code == HL_OK; i++)
        code = hl_db_exec(db, schema->steps[i], err);
    snprintf(marks, sizeof marks, "PRAGMA application_id=%d; PRAGMA user_version=%d",
             schema->application, schema->n_steps);
    return code == HL_OK ? hl_db_exec(db, marks, err) : code;
}

enum hl_code hl_schema_apply(struct hl_db *db, const struct hl_schema *schema,
                             bool may_be_new, struct hl_err *err)
{
    struct look look;
    enum hl_code code = hl_db_begin(db, err);

    if (code != HL_OK)
        return code;
    code = read_look(db, &look, err);
    if (code == HL_OK)
        code = judge(db, schema, &look, may_be_new, err);
    if (code == HL_OK && look.version < schema->n_steps)
        code = climb(db, schema, (int)look.version, err);
    if (code == HL_OK)
        return hl_db_commit(db, err);
    hl_db_rollback(db);
    return code;
}

enum hl_code hl_schema_check(struct hl_db *db, const struct hl_schema *schema,
                             struct hl_err *err)
{
    struct look look;
    enum hl_code code = read_look(db, &look, err);

    if (code == HL_OK)
        code = judge(db, schema, &look, false, err);
    if (code == HL_OK && look.version < schema->n_steps)
        code = hl_fail(err, HL_CONFLICT,
                       "\"%s\" has the older format %lld: start the server once, which "
                       "upgrades it",
                       hl_db_path(db), (long long)look.version);
    return code;
}
