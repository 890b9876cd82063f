/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feedback.h"

#include "proto/list.h"
#include "proto/members.h"

#include <string.h>

enum { QUERY_ID, INDEX, RELEVANT, FEEDBACK };

/* `list` is NULL inside of one. */
struct draft {
    struct hl_feedback one;
    struct hl_list *list;
    uint64_t had;
};

static const char *const names[] = {[QUERY_ID] = "query_id",
                                    [INDEX] = "index",
                                    [RELEVANT] = "relevant",
                                    [FEEDBACK] = "feedback"};

static enum hl_code read_query_id(const struct hl_field *member, struct hl_text *ret_text,
                                  struct hl_err *err)
{
    struct hl_token got = {.kind = HL_TOKEN_STRING};
    enum hl_code code = hl_text_read(member, ret_text, err);

    if (code != HL_OK)
        return code;
    got.text = ret_text->text;
    got.len = ret_text->len;
    if (got.len == 0 || got.len > HL_QUERY_ID_MAX || memchr(got.text, '\0', got.len))
        return hl_field_fail_value(member, &got, "the id of a request, 1 to 128 characters",
                                   err);
    return HL_OK;
}

static enum hl_code read_item(const struct hl_field *item, void *self, struct hl_err *err);

static enum hl_code read_member(const struct hl_field *member, size_t which, void *self,
                                struct hl_err *err)
{
    struct draft *draft = self;
    uint64_t index = 0;
    enum hl_code code;

    draft->had |= HL_MEMBER(which);
    switch (which) {
    case QUERY_ID:
        return read_query_id(member, &draft->one.query_id, err);
    case INDEX:
        code = hl_field_u64(member, 0, UINT32_MAX, &index, err);
        draft->one.index = (uint32_t)index;
        return code;
    case RELEVANT:
        return hl_ids_read_set(member, &draft->one.relevant, err);
    case FEEDBACK:
    default:
        return hl_each_read(member, read_item, draft->list, err);
    }
}

static enum hl_code read_item(const struct hl_field *item, void *self, struct hl_err *err)
{
    static const struct hl_members members = {
        names, FEEDBACK, HL_MEMBER(QUERY_ID) | HL_MEMBER(RELEVANT), read_member};
    struct draft draft = {.had = 0};
    enum hl_code code = hl_members_read(item, &members, &draft, err);

    return code == HL_OK ? hl_list_add(self, &draft.one, err) : code;
}

enum hl_code hl_feedbacks_read(const struct hl_field *field,
                               struct hl_feedbacks *ret_feedbacks, struct hl_err *err)
{
    static const struct hl_members members = {HL_MEMBERS_OF(names), 0, read_member};
    static const uint64_t whole = HL_MEMBER(QUERY_ID) | HL_MEMBER(RELEVANT);
    struct hl_list list = hl_list_of(field->tokens->arena, sizeof(struct hl_feedback));
    struct draft draft = {.list = &list};
    enum hl_code code = hl_members_read(field, &members, &draft, err);
    const bool is_list = draft.had & HL_MEMBER(FEEDBACK);

    if (code != HL_OK)
        return code;
    if (is_list ? draft.had != HL_MEMBER(FEEDBACK) : (draft.had & whole) != whole)
        return hl_field_fail_name(
            field, "expected either \"query_id\" and \"relevant\", or \"feedback\" alone",
            err);
    if (!is_list)
        code = hl_list_add(&list, &draft.one, err);
    if (code == HL_OK)
        *ret_feedbacks = (struct hl_feedbacks){list.items, list.n, is_list};
    return code;
}
