/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/map.h"

#include "compat/linalg.h"
#include "proto/alloc.h"

#include <string.h>

enum hl_code hl_map_new(size_t dim_in, size_t dim_out, size_t n_hidden,
                        struct hl_map **ret_map, struct hl_err *err)
{
    size_t of_p = 0, of_a = 0, of_b = 0, n = 0;
    struct hl_map *map = hl_alloc_zeroed(1, sizeof *map);

    if (map && hl_size_mul(dim_in, dim_out, &of_p) &&
        hl_size_mul(dim_in, n_hidden, &of_a) && hl_size_mul(dim_out, n_hidden, &of_b) &&
        hl_size_add(of_p, of_a, &n) && hl_size_add(n, of_b, &n) &&
        hl_size_add(n, dim_out + n_hidden, &n))
        map->p = hl_alloc_zeroed(n, sizeof(float));
    if (!map || !map->p) {
        hl_free(map);
        return hl_fail(err, HL_NO_MEMORY, "no memory for a map from %zu to %zu dimensions",
                       dim_in, dim_out);
    }
    map->dim_in = dim_in;
    map->dim_out = dim_out;
    map->n_hidden = n_hidden;
    map->c = map->p + of_p;
    map->a = map->c + dim_out;
    map->a_bias = map->a + of_a;
    map->b = map->a_bias + n_hidden;
    *ret_map = map;
    return HL_OK;
}

void hl_map_free(struct hl_map *map)
{
    if (!map)
        return;
    hl_free(map->p); /* the head of the one block */
    hl_free(map);
}

/* rows (n x out) := bias + in (n x k) · weight^T. */
static void send_through(const float *in, const float *weight, const float *bias,
                         const struct hl_product *sizes, float *rows)
{
    for (size_t row = 0; bias && row < sizes->m; row++)
        memcpy(rows + row * sizes->n, bias, sizes->n * sizeof *rows);
    hl_linalg_multiply(sizes, in, weight, rows);
}

void hl_map_forward(const struct hl_map *map, const float *in, size_t n, float *hidden,
                    float *norms, float *out)
{
    struct hl_product product = {.m = n, .is_b_turned = true, .alpha = 1, .beta = 1};

    product.n = map->dim_out;
    product.k = map->dim_in;
    send_through(in, map->p, map->c, &product, out);
    if (map->n_hidden > 0) {
        product.n = map->n_hidden;
        send_through(in, map->a, map->a_bias, &product, hidden);
        for (size_t i = 0; i < n * map->n_hidden; i++)
            hidden[i] = hidden[i] > 0 ? hidden[i] : map->slope * hidden[i];
        product.n = map->dim_out;
        product.k = map->n_hidden;
        send_through(hidden, map->b, NULL, &product, out);
    }
    hl_linalg_normalise(out, n, map->dim_out, norms);
}

void hl_map_rows(const struct hl_map *map, const float *in, size_t n, float *hidden,
                 float *out)
{
    hl_map_forward(map, in, n, hidden, NULL, out);
}

void hl_map_blend(float *judged, const float *faithful, size_t n, size_t dim,
                  float fidelity)
{
    for (size_t i = 0; i < n * dim; i++)
        judged[i] = (1 - fidelity) * judged[i] + fidelity * faithful[i];
    hl_linalg_normalise(judged, n, dim, NULL);
}
