/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/swap/pair.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t shuffle(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

void pair_vector(int model, long number, float values[PAIR_DIM])
{
    uint64_t seed = shuffle((uint64_t)number * 4 + (uint64_t)model);
    double length = 0;

    for (int i = 0; i < PAIR_DIM; i++) {
        seed = shuffle(seed);
        values[i] = (float)(seed >> 40) / (float)(1 << 23) - 1;
        length += (double)values[i] * (double)values[i];
    }
    for (int i = 0; i < PAIR_DIM; i++)
        values[i] = (float)((double)values[i] / sqrt(length));
}

void pair_print(const float values[PAIR_DIM], char text[PAIR_VECTOR_TEXT])
{
    size_t len = 0;

    for (int i = 0; i < PAIR_DIM; i++)
        len += (size_t)snprintf(text + len, PAIR_VECTOR_TEXT - len, "%c%.9g", i ? ',' : '[',
                                (double)values[i]);
    snprintf(text + len, PAIR_VECTOR_TEXT - len, "]");
}

/* Four ways to deal out sixteen numbers with signs: out[i] = sign(i) · in[from(i)]. */
static size_t from(int way, size_t i)
{
    return (i * (size_t)(2 * way + 3) + (size_t)way) % PAIR_DIM;
}

static float sign(int way, size_t i)
{
    return (i >> way) & 1 ? -1.0f : 1.0f;
}

static void go(int way, const float in[PAIR_DIM], float out[PAIR_DIM])
{
    for (size_t i = 0; i < PAIR_DIM; i++)
        out[i] = sign(way, i) * in[from(way, i)];
}

void pair_judge(int revision, const float in[PAIR_DIM], float out[PAIR_DIM])
{
    go(revision - 1, in, out);
}

void pair_image(int revision, const float in[PAIR_DIM], float out[PAIR_DIM])
{
    go(revision + 1, in, out);
}

float pair_dot(const float a[PAIR_DIM], const float b[PAIR_DIM])
{
    double sum = 0;

    for (int i = 0; i < PAIR_DIM; i++)
        sum += (double)a[i] * (double)b[i];
    return (float)sum;
}

/* ---- the file ---- */

enum {
    N_MAPS = 2,
    WEIGHTS = PAIR_DIM * PAIR_DIM,
    N_STEPS = 11,
    HEADER_ROOM = 4096,
    N_SCALES = 5
};

static const char *const scale_names[N_SCALES] = {"scale.old_items", "scale.new_items",
                                                  "scale.from_own", "scale.to_own",
                                                  "scale.to_queries"};

static size_t steps_of(int scale)
{
    return scale < 2 ? N_STEPS : 1;
}

static size_t print_header(const char *const prints[2], char header[HEADER_ROOM])
{
    size_t at = (size_t)2 * WEIGHTS * sizeof(float);
    size_t len = (size_t)snprintf(
        header, HEADER_ROOM,
        "{\"__metadata__\":{\"format_version\":\"1\",\"from\":\"v2\",\"to\":\"v1\","
        "\"from_fingerprint\":\"%s\",\"to_fingerprint\":\"%s\"},"
        "\"judged.weight\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[0,%zu]},"
        "\"faithful.weight\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[%zu,%"
        "zu]}",
        prints[0], prints[1], PAIR_DIM, PAIR_DIM, at / 2, PAIR_DIM, PAIR_DIM, at / 2, at);

    for (int i = 0; i < N_SCALES; i++) {
        const size_t n = steps_of(i), end = at + 2 * n * sizeof(float);
        char shape[32] = "[2]";

        if (n > 1)
            snprintf(shape, sizeof shape, "[%zu,2]", n);
        len += (size_t)snprintf(
            header + len, HEADER_ROOM - len,
            ",\"%s\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}",
            scale_names[i], shape, at, end);
        at = end;
    }
    return len + (size_t)snprintf(header + len, HEADER_ROOM - len, "}");
}

char *pair_file(int revision, const char *const prints[2], size_t *ret_size)
{
    enum { N_FLOATS = N_MAPS * WEIGHTS + 2 * (2 * N_STEPS + 3) };
    char header[HEADER_ROOM];
    const uint64_t len = print_header(prints, header);
    char *file = malloc(sizeof len + HEADER_ROOM + N_FLOATS * sizeof(float));
    float values[N_FLOATS] = {0};

    if (!file)
        abort();
    for (int map = 0; map < N_MAPS; map++)
        for (size_t i = 0; i < PAIR_DIM; i++) {
            const int way = revision - 1 + 2 * map;

            values[(size_t)map * WEIGHTS + i * PAIR_DIM + from(way, i)] = sign(way, i);
        }
    for (size_t i = (size_t)N_MAPS * WEIGHTS; i < N_FLOATS; i += 2) {
        values[i] = 10;
        values[i + 1] = -5;
    }
    memcpy(file, &len, sizeof len);
    memcpy(file + sizeof len, header, len);
    memcpy(file + sizeof len + len, values, sizeof values);
    *ret_size = sizeof len + len + sizeof values;
    return file;
}
