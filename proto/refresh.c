/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/refresh.h"

#include "proto/members.h"

enum { TO, LIMIT, ORDER, SEED, FILTER };

static const char *const orders[HL_N_REFRESH_ORDERS] = {[HL_REFRESH_UNCERTAIN] =
                                                            "uncertain",
                                                        [HL_REFRESH_COVERAGE] = "coverage",
                                                        [HL_REFRESH_RANDOM] = "random"};

const char *hl_refresh_order_name(enum hl_refresh_order order)
{
    return orders[order];
}

static enum hl_code read_member(const struct hl_field *member, size_t which, void *self,
                                struct hl_err *err)
{
    struct hl_refresh *refresh = self;
    uint64_t limit = 0;
    size_t order = 0;
    enum hl_code code;

    switch (which) {
    case TO:
        return hl_text_read(member, &refresh->to, err);
    case LIMIT:
        code = hl_field_u64(member, 0, HL_REFRESH_MOST, &limit, err);
        refresh->limit = (uint32_t)limit;
        return code;
    case ORDER:
        code = hl_field_enum(member, orders, HL_N_REFRESH_ORDERS, &order, err);
        refresh->has_order = true;
        refresh->order = (enum hl_refresh_order)order;
        return code;
    case SEED:
        return hl_field_u64(member, 0, UINT64_MAX, &refresh->seed, err);
    default:
        return hl_filter_read(member, &refresh->filter, err);
    }
}

enum hl_code hl_refresh_read(const struct hl_field *field, struct hl_refresh *ret_refresh,
                             struct hl_err *err)
{
    static const char *const names[] = {[TO] = "to",
                                        [LIMIT] = "limit",
                                        [ORDER] = "order",
                                        [SEED] = "seed",
                                        [FILTER] = "filter"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), HL_MEMBER(TO),
                                              read_member};
    struct hl_refresh refresh = {.limit = HL_REFRESH_LIMIT};
    enum hl_code code = hl_members_read(field, &members, &refresh, err);

    if (code == HL_OK)
        *ret_refresh = refresh;
    return code;
}
