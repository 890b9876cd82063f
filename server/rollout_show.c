/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/encode.h"
#include "proto/model_name.h"
#include "server/rollout_calls.h"
#include "server/rollout_part.h"
#include "server/rollout_settings.h"

#include <inttypes.h>
#include <stdio.h>

void hl_rollout_print_text(struct hl_buf *buf, const char *name, const char *text)
{
    hl_buf_print(buf, ",\"%s\":", name);
    if (text && text[0])
        hl_encode_string(buf, text);
    else
        hl_encode_null(buf);
}

void hl_rollout_print_model(struct hl_buf *buf, const char *name,
                            const struct hl_layout *layout, uint32_t id)
{
    const struct hl_space *space = id != 0 ? hl_layout_space(layout, id) : NULL;

    hl_rollout_print_text(buf, name, space ? hl_model_shown(space->name) : NULL);
}

static void show_settings(const struct hl_rollout *rollout, struct hl_buf *buf)
{
    hl_rollout_print_text(buf, "probes", rollout->probes);
    hl_buf_add_text(buf, ",\"gate\":");
    hl_gates_print(&rollout->gate, buf);
    hl_buf_add_text(buf, ",\"guard\":");
    hl_guard_print(&rollout->guard, buf);
    hl_buf_add_text(buf, ",\"sample\":");
    hl_encode_double(buf, rollout->sample);
    hl_buf_print(buf, ",\"ttl_s\":%" PRIu32 ",\"baseline\":", rollout->ttl_s);
    if (rollout->baseline.n > 0)
        hl_buf_print(buf, "{\"n\":%" PRIu64 ",\"flips\":%" PRIu64 "}", rollout->baseline.n,
                     rollout->baseline.flips);
    else
        hl_encode_null(buf);
}

static void show_nexts(const struct hl_rollout *rollout, const char *collection,
                       struct hl_buf *buf)
{
    const struct hl_rollout_next *nexts;
    const size_t n = hl_rollout_nexts(rollout, &nexts);

    hl_buf_add_text(buf, ",\"next\":[");
    for (size_t i = 0; i < n; i++) {
        char path[400];

        (void)snprintf(path, sizeof path, "/collections/%.255s%s", collection,
                       nexts[i].path);
        hl_buf_print(buf, "%s{\"method\":\"%s\",\"path\":", i > 0 ? "," : "",
                     nexts[i].method);
        hl_encode_string(buf, path);
        hl_buf_add_char(buf, '}');
    }
    hl_buf_add_char(buf, ']');
}

void hl_rollout_show(const struct hl_rollout *rollout, const struct hl_layout *layout,
                     const char *collection, struct hl_buf *buf)
{
    hl_buf_print(buf, "\"number\":%" PRIu64 ",\"step\":%" PRIu64 ",\"stage\":\"%s\"",
                 rollout->number, rollout->step, hl_stage_name(rollout->stage));
    hl_rollout_print_model(buf, "from", layout, rollout->from);
    hl_rollout_print_model(buf, "to", layout, rollout->to);
    hl_buf_add_text(buf, ",\"percent\":");
    hl_encode_double(buf, rollout->percent);
    show_settings(rollout, buf);
    hl_rollout_print_text(buf, "began_at", rollout->began_at);
    hl_rollout_print_text(buf, "changed_at", rollout->changed_at);
    hl_rollout_print_text(buf, "changed_by", rollout->changed_by);
    show_nexts(rollout, collection, buf);
}
