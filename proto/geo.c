/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/geo.h"

#include "proto/list.h"
#include "proto/members.h"

#include <float.h>

enum { MIN_RING = 4 };

static enum hl_code read_point_member(const struct hl_field *member, size_t which,
                                      void *self, struct hl_err *err)
{
    struct hl_geo_point *point = self;

    if (which == 0)
        return hl_field_double(member, -180, 180, &point->lon, err);
    return hl_field_double(member, -90, 90, &point->lat, err);
}

enum hl_code hl_geo_point_read(const struct hl_field *field, struct hl_geo_point *ret_point,
                               struct hl_err *err)
{
    static const char *const names[] = {"lon", "lat"};
    static const struct hl_members members = {
        HL_MEMBERS_OF(names), HL_MEMBER(0) | HL_MEMBER(1), read_point_member};
    struct hl_geo_point point = {0};
    enum hl_code code = hl_members_read(field, &members, &point, err);

    if (code == HL_OK)
        *ret_point = point;
    return code;
}

static enum hl_code read_box_member(const struct hl_field *member, size_t which, void *self,
                                    struct hl_err *err)
{
    struct hl_geo_box *box = self;

    return hl_geo_point_read(member, which == 0 ? &box->top_left : &box->bottom_right, err);
}

enum hl_code hl_geo_box_read(const struct hl_field *field, struct hl_geo_box *ret_box,
                             struct hl_err *err)
{
    static const char *const names[] = {"top_left", "bottom_right"};
    static const struct hl_members members = {HL_MEMBERS_OF(names),
                                              HL_MEMBER(0) | HL_MEMBER(1), read_box_member};
    struct hl_geo_box box = {0};
    enum hl_code code = hl_members_read(field, &members, &box, err);

    if (code == HL_OK)
        *ret_box = box;
    return code;
}

static enum hl_code read_circle_member(const struct hl_field *member, size_t which,
                                       void *self, struct hl_err *err)
{
    struct hl_geo_circle *circle = self;

    if (which == 0)
        return hl_geo_point_read(member, &circle->center, err);
    return hl_field_double(member, 0, DBL_MAX, &circle->radius_m, err);
}

enum hl_code hl_geo_circle_read(const struct hl_field *field,
                                struct hl_geo_circle *ret_circle, struct hl_err *err)
{
    static const char *const names[] = {"center", "radius"};
    static const struct hl_members members = {
        HL_MEMBERS_OF(names), HL_MEMBER(0) | HL_MEMBER(1), read_circle_member};
    struct hl_geo_circle circle = {0};
    enum hl_code code = hl_members_read(field, &members, &circle, err);

    if (code == HL_OK)
        *ret_circle = circle;
    return code;
}

/* Closed means that the first point was written again, so the numbers are the same ones. */
static bool is_ring(const struct hl_geo_ring *ring)
{
    const struct hl_geo_point *first = ring->points, *last;

    if (ring->n_points < MIN_RING)
        return false;
    last = &ring->points[ring->n_points - 1];
    return first->lon >= last->lon && first->lon <= last->lon && first->lat >= last->lat &&
           first->lat <= last->lat;
}

static enum hl_code add_point(const struct hl_field *item, void *self, struct hl_err *err)
{
    struct hl_list *list = self;
    struct hl_geo_point point;
    enum hl_code code = hl_geo_point_read(item, &point, err);

    return code == HL_OK ? hl_list_add(list, &point, err) : code;
}

static enum hl_code read_ring_member(const struct hl_field *member, size_t which,
                                     void *self, struct hl_err *err)
{
    static const struct hl_token got = {.kind = HL_TOKEN_ARRAY_BEGIN};
    struct hl_list list = hl_list_of(member->tokens->arena, sizeof(struct hl_geo_point));
    struct hl_geo_ring *ring = self;
    enum hl_code code = hl_each_read(member, add_point, &list, err);

    (void)which;
    if (code != HL_OK)
        return code;
    *ring = (struct hl_geo_ring){list.items, list.n};
    if (!is_ring(ring))
        return hl_field_fail_value(
            member, &got, "4 points or more, of which the last is the first again", err);
    return HL_OK;
}

static enum hl_code read_ring(const struct hl_field *field, struct hl_geo_ring *ring,
                              struct hl_err *err)
{
    static const char *const names[] = {"points"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), HL_MEMBER(0),
                                              read_ring_member};

    return hl_members_read(field, &members, ring, err);
}

static enum hl_code add_ring(const struct hl_field *item, void *self, struct hl_err *err)
{
    struct hl_list *list = self;
    struct hl_geo_ring ring = {0};
    enum hl_code code = read_ring(item, &ring, err);

    return code == HL_OK ? hl_list_add(list, &ring, err) : code;
}

static enum hl_code read_holes(const struct hl_field *field, struct hl_geo_polygon *polygon,
                               struct hl_err *err)
{
    struct hl_list list = hl_list_of(field->tokens->arena, sizeof(struct hl_geo_ring));
    enum hl_code code = hl_each_read(field, add_ring, &list, err);

    polygon->interiors = list.items;
    polygon->n_interiors = list.n;
    return code;
}

static enum hl_code read_polygon_member(const struct hl_field *member, size_t which,
                                        void *self, struct hl_err *err)
{
    struct hl_geo_polygon *polygon = self;

    if (which == 0)
        return read_ring(member, &polygon->exterior, err);
    return read_holes(member, polygon, err);
}

enum hl_code hl_geo_polygon_read(const struct hl_field *field,
                                 struct hl_geo_polygon *ret_polygon, struct hl_err *err)
{
    static const char *const names[] = {"exterior", "interiors"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), HL_MEMBER(0),
                                              read_polygon_member};
    struct hl_geo_polygon polygon = {0};
    enum hl_code code = hl_members_read(field, &members, &polygon, err);

    if (code == HL_OK)
        *ret_polygon = polygon;
    return code;
}
