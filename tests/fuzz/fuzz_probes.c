/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a body as a probe set, as one line by line, and as a canary. What is accepted is in
 * its bounds and inside of body and arena; and as it is kept it is read again, which gives
 * the same bytes. */
#include "proto/canary.h"
#include "proto/probe.h"
#include "tests/fuzz/decoded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY = 64 << 20 };

struct taking {
    struct hl_probe_taker taker; /* first */
    const struct decoded *body;
    struct hl_probe_settings settings;
    struct hl_buf kept; /* behind the line of the settings */
};

static enum hl_code take(struct hl_probe_taker *taker, const struct hl_probe *probe,
                         struct hl_err *err)
{
    struct taking *taking = (struct taking *)taker;
    const struct decoded *d = taking->body;

    check_text(d, &probe->id);
    check_vectors(d, &probe->vectors);
    require(probe->vectors.n > 0);
    for (size_t i = 0; i < probe->vectors.n; i++)
        require(!probe->vectors.items[i].is_sparse &&
                !hl_text_is(&probe->vectors.items[i].name, "@default"));
    check_ids(d, &probe->relevant);
    for (size_t i = 1; i < probe->relevant.n; i++)
        require(hl_id_compare(&probe->relevant.items[i - 1], &probe->relevant.items[i]) <
                0);
    require(probe->relevant.n > 0 || !hl_filter_is_empty(probe->relevant_if));
    check_filter(d, probe->relevant_if, 0, false);
    check_filter(d, probe->filter, 0, false);
    check_span(d, &probe->relevant_if_text);
    check_span(d, &probe->filter_text);
    require(!probe->filter == !probe->filter_text.text);
    hl_probe_print(probe, &taking->kept);
    return hl_buf_check(&taking->kept, "what is kept", err);
}

static void check_settings(const struct hl_probe_settings *settings)
{
    require(settings->k >= 1 && settings->k <= HL_PROBE_K_MOST);
    require(settings->flip_at >= 1 && settings->flip_at <= settings->k);
    require(settings->every_s <= HL_PROBE_EVERY_MOST);
}

/* A set that was accepted, as it is kept. */
static void read_again(const struct taking *first)
{
    struct decoded d;
    struct taking again = {.taker = {.take = take, .scratch = hl_arena_new(MEMORY)},
                           .body = &d};
    struct hl_buf lines;
    struct hl_err err;
    size_t begin;

    check_settings(&first->settings);
    hl_buf_init(&lines, MEMORY);
    hl_buf_init(&again.kept, MEMORY);
    hl_probe_settings_print(&first->settings, &lines);
    begin = lines.len;
    hl_buf_add(&lines, first->kept.data, first->kept.len);
    d = (struct decoded){lines.data, lines.len};
    require(hl_probes_read_lines(lines.data, lines.len, &again.taker, &again.settings,
                                 &err) == HL_OK);
    require(again.taker.n == first->taker.n);
    require(memcmp(&again.settings, &first->settings, sizeof again.settings) == 0);
    require(again.kept.len == lines.len - begin);
    require(memcmp(again.kept.data, lines.data + begin, again.kept.len) == 0);
    hl_buf_done(&again.kept);
    hl_buf_done(&lines);
    hl_arena_free(again.taker.scratch);
}

static void try_set(const struct decoded *d, bool is_lines)
{
    struct taking taking = {.taker = {.take = take, .scratch = hl_arena_new(MEMORY)},
                            .body = d};
    struct hl_arena *arena = hl_arena_new(MEMORY);
    struct hl_tokens tokens;
    struct hl_field root;
    struct hl_err err;
    enum hl_code code;

    hl_buf_init(&taking.kept, MEMORY);
    hl_tokens_init(&tokens, d->body, d->size, arena);
    root = hl_field_root(&tokens);
    code = is_lines ? hl_probes_read_lines(d->body, d->size, &taking.taker,
                                           &taking.settings, &err)
                    : hl_probes_read(&root, &taking.taker, &taking.settings, &err);
    if (code == HL_OK)
        read_again(&taking);
    else
        check_refusal(&err);
    hl_buf_done(&taking.kept);
    hl_arena_free(arena);
    hl_arena_free(taking.taker.scratch);
}

static void try_canary(const struct decoded *d)
{
    struct hl_arena *arena = hl_arena_new(MEMORY);
    struct hl_canary canary;
    struct hl_tokens tokens;
    struct hl_field root;
    struct hl_err err;

    hl_tokens_init(&tokens, d->body, d->size, arena);
    root = hl_field_root(&tokens);
    if (hl_canary_read(&root, &canary, &err) == HL_OK) {
        require(canary.vectors.n >= 1 && canary.vectors.n <= HL_CANARY_MOST);
        require(canary.tolerance >= 0 && canary.tolerance <= 2);
        for (size_t i = 0; i < canary.vectors.n; i++)
            require(canary.vectors.items[i].name.len >= 1 &&
                    canary.vectors.items[i].name.len <= HL_CANARY_NAME &&
                    !canary.vectors.items[i].is_sparse);
    } else {
        check_refusal(&err);
    }
    hl_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct decoded d = {(const char *)data, size};

    try_set(&d, false);
    try_set(&d, true);
    try_canary(&d);
    return 0;
}
