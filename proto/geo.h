/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_GEO_H
#define HL_PROTO_GEO_H

#include "proto/field.h"

#include <stddef.h>

/* Places of a filter, as they came: what is inside of them is decided where payloads are
 * read. Plain data in the arena of the tokens. Longitudes are -180..180, latitudes -90..90,
 * in degrees. */
struct hl_geo_point {
    double lon;
    double lat;
};

/* Crosses the 180th meridian when its left side is east of its right one. Holds nothing
 * when its top is south of its bottom. */
struct hl_geo_box {
    struct hl_geo_point top_left;
    struct hl_geo_point bottom_right;
};

struct hl_geo_circle {
    struct hl_geo_point center;
    double radius_m; /* 0 or larger */
};

/* Four points at least, the last one equal to the first. */
struct hl_geo_ring {
    const struct hl_geo_point *points;
    size_t n_points;
};

struct hl_geo_polygon {
    struct hl_geo_ring exterior;
    const struct hl_geo_ring *interiors; /* holes */
    size_t n_interiors;
};

enum hl_code hl_geo_point_read(const struct hl_field *field, struct hl_geo_point *ret_point,
                               struct hl_err *err);
enum hl_code hl_geo_box_read(const struct hl_field *field, struct hl_geo_box *ret_box,
                             struct hl_err *err);
enum hl_code hl_geo_circle_read(const struct hl_field *field,
                                struct hl_geo_circle *ret_circle, struct hl_err *err);
enum hl_code hl_geo_polygon_read(const struct hl_field *field,
                                 struct hl_geo_polygon *ret_polygon, struct hl_err *err);

#endif
