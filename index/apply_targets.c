/* SPDX-License-Identifier: Apache-2.0 */
#include "index/apply_part.h"

#include "index/filter_test.h"
#include "index/payload.h"

enum { TICK = 64, LISTED = 256 };

enum hl_code hl_applying_tick(struct hl_applying *applying, struct hl_err *err)
{
    if (applying->n_done++ % TICK != 0 || !applying->apply->deadline)
        return HL_OK;
    return hl_deadline_check(applying->apply->deadline, "the change", err);
}

struct carrier {
    const struct hl_layout *layout;
    const struct hl_store_point *point;
};

static bool has_vector(void *self, const struct hl_text *name)
{
    const struct carrier *carrier = self;
    const struct hl_space *space = hl_layout_find(carrier->layout, name);

    for (size_t i = 0; space && i < carrier->point->n_places; i++)
        if (carrier->point->places[i].space == space->id)
            return true;
    return false;
}

enum hl_code hl_applying_test(struct hl_applying *applying, const struct hl_filter *filter,
                              const struct hl_store_point *point, bool *ret_is_met,
                              struct hl_err *err)
{
    struct carrier carrier = {applying->apply->layout, point};
    struct hl_subject subject = {
        .id = &point->id, .has_vector = has_vector, .self = &carrier};
    enum hl_code code = HL_OK;

    if (hl_filter_is_empty(filter)) {
        *ret_is_met = true;
        return HL_OK;
    }
    hl_arena_reset(applying->scratch);
    code = hl_payload_parse(point->payload.text, point->payload.len, applying->scratch,
                            &subject.payload, err);
    if (code == HL_OK)
        *ret_is_met = hl_filter_test(filter, &subject);
    return code;
}

/* A point of a set, if it is still there. */
static enum hl_code get_point(struct hl_applying *applying, uint32_t number,
                              struct hl_store_point *ret_point, bool *ret_is_there,
                              struct hl_err *err)
{
    struct hl_err why;
    enum hl_code code = hl_applying_tick(applying, err);

    if (code != HL_OK)
        return code;
    code = hl_reader_get(applying->reader, number, ret_point, &why);
    *ret_is_there = code == HL_OK;
    if (code == HL_OK || code == HL_NOT_FOUND)
        return HL_OK;
    *err = why;
    return code;
}

static enum hl_code each_number(struct hl_applying *applying, const struct hl_rows *rows,
                                const struct hl_visit *visit, struct hl_err *err)
{
    uint32_t numbers[LISTED];
    uint64_t from = 0;
    struct hl_store_point point;
    enum hl_code code = HL_OK;
    size_t n;

    while (code == HL_OK && from <= UINT32_MAX &&
           (n = hl_rows_list(rows, (uint32_t)from, numbers, LISTED)) > 0) {
        from = (uint64_t)numbers[n - 1] + 1;
        for (size_t i = 0; code == HL_OK && i < n; i++) {
            bool is_there = false;

            code = get_point(applying, numbers[i], &point, &is_there, err);
            if (code == HL_OK && is_there)
                code = visit->each(applying, &point, visit->self, err);
        }
    }
    return code;
}

struct settling {
    const struct hl_filter *filter;
    struct hl_rows *met;
};

static enum hl_code settle_one(struct hl_applying *applying,
                               const struct hl_store_point *point, void *self,
                               struct hl_err *err)
{
    const struct settling *settling = self;
    bool is_met = false;
    enum hl_code code = hl_applying_test(applying, settling->filter, point, &is_met, err);

    return code == HL_OK && is_met ? hl_rows_add(settling->met, point->number, err) : code;
}

static enum hl_code fail_missing(const struct hl_id *id, struct hl_err *err)
{
    char text[HL_ID_TEXT_SIZE];

    hl_id_print(id, text);
    return hl_fail(err, HL_NOT_FOUND, "Not found: No point with id %s found", text);
}

static enum hl_code each_id(struct hl_applying *applying, const struct hl_ids *ids,
                            const struct hl_visit *visit, struct hl_err *err)
{
    struct hl_store_point point;
    enum hl_code code = HL_OK;

    for (size_t i = 0; code == HL_OK && i < ids->n; i++) {
        struct hl_err why;

        code = hl_applying_tick(applying, err);
        if (code != HL_OK)
            return code;
        code = hl_reader_find(applying->reader, &ids->items[i], &point, &why);
        if (code == HL_OK)
            code = visit->each(applying, &point, visit->self, err);
        else if (code == HL_NOT_FOUND && visit->needs_all)
            code = fail_missing(&ids->items[i], err);
        else if (code == HL_NOT_FOUND)
            code = HL_OK;
        else
            *err = why;
    }
    return code;
}

enum hl_code hl_applying_visit(struct hl_applying *applying,
                               const struct hl_write_target *target,
                               const struct hl_visit *visit, struct hl_err *err)
{
    const struct hl_apply *apply = applying->apply;
    struct hl_matches matches;
    struct settling settling;
    enum hl_code code;

    if (!target->filter)
        return each_id(applying, &target->ids, visit, err);
    code = apply->candidates(apply->self, target->filter, &matches, err);
    if (code != HL_OK)
        return code;
    /* The unsure ones that the filter finds join the sure ones. */
    settling = (struct settling){target->filter, matches.sure};
    code = each_number(applying, matches.unsure,
                       &(struct hl_visit){.each = settle_one, .self = &settling}, err);
    if (code == HL_OK)
        code = each_number(applying, matches.sure, visit, err);
    hl_matches_done(&matches);
    return code;
}
