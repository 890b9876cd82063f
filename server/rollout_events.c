/* SPDX-License-Identifier: Apache-2.0 */
#include "server/rollout_events.h"

#include "proto/encode.h"
#include "server/rollout_part.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LARGEST_EVENT = 4 << 20, KEY = 24 };

static const char the_last[] = "last"; /* key of the number, in digits */

/* ---- one event ---- */

static void print_event(const struct hl_rollout_step *step, const struct hl_layout *layout,
                        uint64_t number, struct hl_buf *buf)
{
    const struct hl_rollout_order *order = step->order;
    const struct hl_rollout *after = step->after;
    char now[HL_MOMENT];

    hl_moment_now(now);
    hl_buf_print(buf, "{\"number\":%" PRIu64 ",\"at\":\"%s\"", number, now);
    hl_rollout_print_text(buf, "by", order->by);
    hl_rollout_print_text(buf, "what", step->what);
    hl_buf_print(buf, ",\"rollout\":%" PRIu64 ",\"step\":%" PRIu64, after->number,
                 after->step);
    hl_rollout_print_model(buf, "from", layout, after->from);
    hl_rollout_print_model(buf, "to", layout, after->to);
    hl_rollout_print_text(buf, "stage_before", hl_stage_name(step->before->stage));
    hl_rollout_print_text(buf, "stage_after", hl_stage_name(after->stage));
    hl_buf_add_text(buf, ",\"percent_before\":");
    hl_encode_double(buf, step->before->percent);
    hl_buf_add_text(buf, ",\"percent_after\":");
    hl_encode_double(buf, after->percent);
    hl_buf_print(buf, ",\"forced\":%s,\"figures\":", order->is_forced ? "true" : "false");
    if (order->figures && order->figures->len > 0)
        hl_buf_add(buf, order->figures->data, order->figures->len);
    else
        hl_encode_null(buf);
    hl_rollout_print_text(buf, "why", order->why);
    hl_buf_add_char(buf, '}');
}

static void print_key(char key[KEY], uint64_t number)
{
    (void)snprintf(key, KEY, "%016" PRIu64, number);
}

static enum hl_code put_event(struct hl_store *store, uint64_t number,
                              const struct hl_buf *buf, struct hl_err *err)
{
    char key[KEY];
    bool existed;
    enum hl_code code;

    print_key(key, number);
    code = hl_store_put_record(store, HL_HOLDING_EVENT, key, buf->data, buf->len, err);
    if (code != HL_OK || number <= HL_MOST_EVENTS)
        return code;
    print_key(key, number - HL_MOST_EVENTS);
    return hl_store_delete_record(store, HL_HOLDING_EVENT, key, &existed, err);
}

enum hl_code hl_rollout_tell(struct hl_writing *writing, const struct hl_rollout_step *step,
                             struct hl_err *err)
{
    struct hl_buf buf;
    uint64_t number;
    enum hl_code code =
        hl_holding_count_up(writing, HL_HOLDING_EVENT, the_last, &number, err);

    if (code != HL_OK)
        return code;
    hl_buf_init(&buf, LARGEST_EVENT);
    print_event(step, hl_writing_layout(writing), number, &buf);
    code = hl_buf_check(&buf, "an event", err);
    if (code == HL_OK)
        code = put_event(hl_writing_store(writing), number, &buf, err);
    hl_buf_done(&buf);
    return code;
}

/* ---- those there are ---- */

enum hl_code hl_rollout_events_print(struct hl_reader *reader, uint64_t since,
                                     uint64_t limit, struct hl_buf *buf, struct hl_err *err)
{
    struct hl_store_record record;
    uint64_t last = 0, number = since, n = 0;
    enum hl_code code = hl_holding_number(reader, HL_HOLDING_EVENT, the_last, &last, err);

    if (last > HL_MOST_EVENTS && number < last - HL_MOST_EVENTS)
        number = last - HL_MOST_EVENTS;
    hl_buf_add_text(buf, "{\"events\":[");
    while (code == HL_OK && number < last && n < limit) {
        char key[KEY];

        print_key(key, ++number);
        code = hl_reader_record(reader, HL_HOLDING_EVENT, key, &record, err);
        if (code != HL_OK)
            return code == HL_NOT_FOUND
                       ? hl_fail(err, HL_DAMAGED, "event %" PRIu64 " is missing", number)
                       : code;
        hl_buf_add_text(buf, n++ > 0 ? "," : "");
        hl_buf_add(buf, record.body, record.size);
    }
    hl_buf_print(buf, "],\"last\":%" PRIu64 "}", last);
    return code;
}
