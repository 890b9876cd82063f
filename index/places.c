/* SPDX-License-Identifier: Apache-2.0 */
#include "index/places.h"

#include "proto/number.h"

#include <math.h>

static const double earth_m = 6371008.8;
static const double radians = 0.017453292519943295;

/* Far more than the rounding of what follows, far less than a metre. */
static const double slack = 1e-7;

bool hl_geo_box_has(const struct hl_geo_box *box, struct hl_geo_point point)
{
    double west = box->top_left.lon, east = box->bottom_right.lon;
    bool is_between = west > east ? point.lon > west || point.lon < east
                                  : point.lon > west && point.lon < east;

    return is_between && point.lat > box->bottom_right.lat && point.lat < box->top_left.lat;
}

static double distance_m(struct hl_geo_point a, struct hl_geo_point b)
{
    double lat = sin((b.lat - a.lat) * radians / 2);
    double lon = sin((b.lon - a.lon) * radians / 2);
    double h = lat * lat + cos(a.lat * radians) * cos(b.lat * radians) * lon * lon;

    return 2 * earth_m * asin(sqrt(h < 1 ? h : 1));
}

bool hl_geo_circle_has(const struct hl_geo_circle *circle, struct hl_geo_point point)
{
    return distance_m(circle->center, point) < circle->radius_m;
}

enum side { OUTSIDE, ON_EDGE, INSIDE };

static bool is_between(double value, double a, double b)
{
    return a < b ? value >= a && value <= b : value >= b && value <= a;
}

/* Crossings of a line to the east. */
static enum side side_of(const struct hl_geo_ring *ring, struct hl_geo_point point)
{
    bool is_inside = false;

    for (size_t i = 0; i + 1 < ring->n_points; i++) {
        struct hl_geo_point a = ring->points[i], b = ring->points[i + 1];
        double cross =
            (b.lon - a.lon) * (point.lat - a.lat) - (b.lat - a.lat) * (point.lon - a.lon);

        if (fabs(cross) <= 0 && is_between(point.lon, a.lon, b.lon) &&
            is_between(point.lat, a.lat, b.lat))
            return ON_EDGE;
        if ((a.lat > point.lat) != (b.lat > point.lat) && (cross > 0) == (b.lat > a.lat))
            is_inside = !is_inside;
    }
    return is_inside ? INSIDE : OUTSIDE;
}

bool hl_geo_polygon_has(const struct hl_geo_polygon *polygon, struct hl_geo_point point)
{
    if (side_of(&polygon->exterior, point) != INSIDE)
        return false;
    for (size_t i = 0; i < polygon->n_interiors; i++)
        if (side_of(&polygon->interiors[i], point) != OUTSIDE)
            return false;
    return true;
}

static bool read_degrees(const struct hl_value *value, const char *name, double limit,
                         double *ret_degrees)
{
    const struct hl_value *member = hl_value_member(value, name, 3);
    double degrees;

    if (!member || member->kind != HL_TOKEN_NUMBER)
        return false;
    degrees = hl_number_double(member->text, member->len);
    if (!(degrees >= -limit && degrees <= limit))
        return false;
    *ret_degrees = degrees;
    return true;
}

bool hl_geo_of_value(const struct hl_value *value, struct hl_geo_point *ret_point)
{
    struct hl_geo_point point;

    if (!read_degrees(value, "lon", 180, &point.lon) ||
        !read_degrees(value, "lat", 90, &point.lat))
        return false;
    *ret_point = point;
    return true;
}

struct hl_geo_frame hl_geo_box_frame(const struct hl_geo_box *box)
{
    return (struct hl_geo_frame){box->top_left.lon, box->bottom_right.lon,
                                 box->bottom_right.lat, box->top_left.lat};
}

struct hl_geo_frame hl_geo_circle_frame(const struct hl_geo_circle *circle)
{
    double angle = circle->radius_m / earth_m, degrees = angle / radians + slack;
    struct hl_geo_frame frame = {-180, 180, circle->center.lat - degrees,
                                 circle->center.lat + degrees};
    double width;

    /* Over a pole every meridian is in it. */
    if (frame.south <= -90 || frame.north >= 90)
        return frame;
    width = asin(fmin(1, sin(angle) / cos(circle->center.lat * radians))) / radians;
    width += slack / cos(fmin(fabs(circle->center.lat) + degrees, 89.999) * radians);
    if (width >= 180)
        return frame;
    frame.west = circle->center.lon - width;
    frame.east = circle->center.lon + width;
    if (frame.west < -180)
        frame.west += 360;
    if (frame.east > 180)
        frame.east -= 360;
    return frame;
}

struct hl_geo_frame hl_geo_polygon_frame(const struct hl_geo_polygon *polygon)
{
    struct hl_geo_frame frame = {180, -180, 90, -90};

    for (size_t i = 0; i < polygon->exterior.n_points; i++) {
        struct hl_geo_point point = polygon->exterior.points[i];

        frame.west = fmin(frame.west, point.lon);
        frame.east = fmax(frame.east, point.lon);
        frame.south = fmin(frame.south, point.lat);
        frame.north = fmax(frame.north, point.lat);
    }
    return frame;
}
