/* SPDX-License-Identifier: Apache-2.0 */
/* A bridge that is read is the same when written and read again. */

#include "compat/bridge_file.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool claim)
{
    if (!claim)
        abort();
}

static struct hl_bridge *load(const void *bytes, size_t size)
{
    static const struct hl_bridge_wanted any = {0};
    struct hl_memory memory = {bytes, size};
    struct hl_source source = hl_source_of_memory(&memory, "f");
    struct hl_bridge *bridge = NULL;
    struct hl_err err;

    return hl_bridge_load(&source, &any, &bridge, &err) == HL_OK ? bridge : NULL;
}

static void compare_floats(const float *a, const float *b, size_t n)
{
    if (n)
        require(memcmp(a, b, n * sizeof *a) == 0);
}

static void compare_maps(const struct hl_map *a, const struct hl_map *b)
{
    require(!a == !b);
    if (!a || !b)
        return;
    require(a->dim_in == b->dim_in && a->dim_out == b->dim_out &&
            a->n_hidden == b->n_hidden);
    compare_floats(a->p, b->p, a->dim_in * a->dim_out);
    compare_floats(a->c, b->c, a->dim_out);
    compare_floats(a->a, b->a, a->n_hidden * a->dim_in);
    compare_floats(a->a_bias, b->a_bias, a->n_hidden);
    compare_floats(a->b, b->b, a->dim_out * a->n_hidden);
}

static void compare(const struct hl_bridge *a, const struct hl_bridge *b)
{
    require(strcmp(a->from, b->from) == 0 && strcmp(a->to, b->to) == 0);
    require(strcmp(a->from_print, b->from_print) == 0 &&
            strcmp(a->to_print, b->to_print) == 0);
    require(a->kind == b->kind && a->task == b->task && a->seed == b->seed);
    require(!a->report == !b->report);
    if (a->report && b->report && *a->report)
        require(strcmp(a->report, b->report) == 0);
    for (int way = 0; way < HL_N_MODALITIES; way++) {
        compare_maps(a->ways[way].judged, b->ways[way].judged);
        compare_maps(a->ways[way].faithful, b->ways[way].faithful);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hl_bridge *bridge = load(data, size), *again;
    struct hl_buf buf;
    struct hl_err err;

    if (!bridge)
        return 0;
    hl_buf_init(&buf, 4 * size + (1 << 20));
    require(hl_bridge_print(bridge, &buf, &err) == HL_OK);
    again = load(buf.data, buf.len);
    require(again != NULL);
    compare(bridge, again);
    hl_bridge_free(again);
    hl_buf_done(&buf);
    hl_bridge_free(bridge);
    return 0;
}
