/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_PLACES_H
#define HL_INDEX_PLACES_H

#include "index/payload.h"
#include "proto/geo.h"

#include <stdbool.h>

/* Whether a place is inside of another, as Qdrant decides it: what lies on the edge is
 * outside. Distances are great circles on a sphere of 6,371,008.8 m. Pure, any thread. */
bool hl_geo_box_has(const struct hl_geo_box *box, struct hl_geo_point point);
bool hl_geo_circle_has(const struct hl_geo_circle *circle, struct hl_geo_point point);

/* Edges are straight lines on the map of longitudes and latitudes, as in Qdrant. */
bool hl_geo_polygon_has(const struct hl_geo_polygon *polygon, struct hl_geo_point point);

/* `{"lon":…,"lat":…}` in the ranges of proto/geo.h; members beside them do not matter. */
bool hl_geo_of_value(const struct hl_value *value, struct hl_geo_point *ret_point);

/* A box, edges included, that everything in there is in. When `west` is east of `east` it
 * crosses the 180th meridian. */
struct hl_geo_frame {
    double west;
    double east;
    double south;
    double north;
};
struct hl_geo_frame hl_geo_box_frame(const struct hl_geo_box *box);
struct hl_geo_frame hl_geo_circle_frame(const struct hl_geo_circle *circle);
struct hl_geo_frame hl_geo_polygon_frame(const struct hl_geo_polygon *polygon);

#endif
