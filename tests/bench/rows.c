/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that look like embeddings (tests/support/gallery.h), as an .npy of float32.
 *
 * Usage: bench_rows FIRST COUNT DIM FILE.npy [WIDTH]. WIDTH: each row is followed by so
 * many small numbers that WIDTH stand in it, as if a wider model had made it; a matrix that
 * drops them leads back. */
#include "proto/random.h"
#include "tests/support/gallery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = 128 };

/* Version 1.0 of the format: the header is padded to whole blocks of 64 bytes. */
static int write_head(FILE *file, size_t n_rows, size_t width)
{
    char head[HEAD + 1], text[HEAD - 10];

    (void)snprintf(text, sizeof text,
                   "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }",
                   n_rows, width);
    (void)snprintf(head, sizeof head, "\x93NUMPY\x01%c%c%c%-*s\n", '?', '?', '?', HEAD - 11,
                   text);
    head[7] = 0;
    head[8] = HEAD - 10;
    head[9] = 0;
    return fwrite(head, HEAD, 1, file) == 1;
}

static void widen(float *row, size_t dim, size_t width, uint64_t number)
{
    uint64_t state = hl_random_mix(number);

    for (size_t i = dim; i < width; i++)
        row[i] = ((float)(hl_random_mix(++state) >> 40) * 0x1p-24F - 0.5F) * 0.04F;
}

static int write_rows(FILE *file, uint64_t first, size_t n_rows, size_t dim, size_t width)
{
    struct hl_gallery *gallery = hl_gallery_new(dim, 1);
    float *row = malloc(width * sizeof *row);
    int is_written = gallery && row && write_head(file, n_rows, width);

    for (size_t i = 0; is_written && i < n_rows; i++) {
        hl_gallery_row(gallery, first + i, row);
        widen(row, dim, width, first + i);
        is_written = fwrite(row, sizeof *row, width, file) == width;
    }
    free(row);
    hl_gallery_free(gallery);
    return is_written;
}

int main(int argc, char **argv)
{
    const size_t dim = argc > 4 ? strtoul(argv[3], NULL, 10) : 0;
    const size_t width = argc > 5 ? strtoul(argv[5], NULL, 10) : dim;
    FILE *file = dim > 0 && width >= dim ? fopen(argv[4], "wbe") : NULL;
    int is_written;

    if (!file) {
        fprintf(stderr, "usage: bench_rows FIRST COUNT DIM FILE.npy [WIDTH]\n");
        return 2;
    }
    is_written = write_rows(file, strtoull(argv[1], NULL, 10), strtoul(argv[2], NULL, 10),
                            dim, width);
    if (fclose(file) != 0 || !is_written) {
        fprintf(stderr, "bench_rows: could not write \"%s\"\n", argv[4]);
        return 1;
    }
    return 0;
}
