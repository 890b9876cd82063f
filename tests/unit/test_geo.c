/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/geo.h"

#include "tests/unit/reading.h"

static enum hl_code read_point(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_geo_point_read(field, out, err);
}

static enum hl_code read_box(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_geo_box_read(field, out, err);
}

static enum hl_code read_circle(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_geo_circle_read(field, out, err);
}

static enum hl_code read_polygon(const struct hl_field *field, void *out,
                                 struct hl_err *err)
{
    return hl_geo_polygon_read(field, out, err);
}

static void a_point_is_on_the_globe(void **state)
{
    static const struct reading_case cases[] = {
        {"{\"lon\":-180,\"lat\":90}", 200, NULL},
        {"{\"lat\":1e1,\"lon\":-0.0}", 200, NULL},
        {"{\"lon\":180.1,\"lat\":0}", 422,
         "[lon: value 180.1 invalid, must be from -180 to 180]"},
        {"{\"lon\":0,\"lat\":-91}", 422,
         "[lat: value -91 invalid, must be from -90 to 90]"},
        {"{\"lon\":\"0\",\"lat\":0}", 400, "lon: expected a number, got \"0\""},
        {"{\"lon\":0}", 400, "missing field \"lat\""},
        {"{\"lon\":0,\"lat\":null}", 400, "missing field \"lat\""},
        {"{\"lon\":0,\"lat\":0,\"alt\":0}", 400, "alt: unknown field"},
        {"[0,0]", 400, "expected an object, got an array"},
    };
    struct hl_geo_point point;

    ASSERT_READINGS(*state, cases, read_point, &point);
}

static void a_box_has_two_corners(void **state)
{
    static const struct reading_case accepted = {
        "{\"bottom_right\":{\"lon\":-170,\"lat\":-5},\"top_left\":{\"lon\":170,\"lat\":5}}",
        200, NULL};
    static const struct reading_case cases[] = {
        {"{\"top_left\":{\"lon\":1,\"lat\":1}}", 400, "missing field \"bottom_right\""},
        {"{\"top_left\":{\"lon\":1}}", 400, "top_left: missing field \"lat\""},
    };
    struct hl_geo_box box;

    assert_reading(*state, &accepted, read_box, &box);
    assert_true(box.top_left.lon > 169 && box.bottom_right.lon < -169);
    assert_true(box.top_left.lat > 4 && box.bottom_right.lat < -4);
    ASSERT_READINGS(*state, cases, read_box, &box);
}

static void a_circle_has_a_centre_and_a_radius(void **state)
{
    static const struct reading_case cases[] = {
        {"{\"center\":{\"lon\":1,\"lat\":1},\"radius\":0}", 200, NULL},
        {"{\"center\":{\"lon\":1,\"lat\":1},\"radius\":-1}", 422,
         "[radius: value -1 invalid, must be 0 or larger]"},
        {"{\"center\":{\"lon\":1,\"lat\":1}}", 400, "missing field \"radius\""},
    };
    struct hl_geo_circle circle;

    ASSERT_READINGS(*state, cases, read_circle, &circle);
}

#define SQUARE                                                                             \
    "{\"points\":[{\"lon\":0,\"lat\":0},{\"lon\":9,\"lat\":0},{\"lon\":0,\"lat\":9},"      \
    "{\"lon\":0,\"lat\":0}]}"

static void a_polygon_has_closed_rings(void **state)
{
    static const struct reading_case accepted = {
        "{\"interiors\":[" SQUARE "," SQUARE "],\"exterior\":" SQUARE "}", 200, NULL};
    static const struct reading_case cases[] = {
        {"{\"exterior\":" SQUARE "}", 200, NULL},
        {"{\"interiors\":[]}", 400, "missing field \"exterior\""},
        {"{\"exterior\":{\"points\":[]}}", 422,
         "[exterior.points: value an array invalid, must be 4 points or more, of which the "
         "last is the first again]"},
        {"{\"exterior\":" SQUARE ",\"interiors\":[{\"points\":[{\"lon\":0,\"lat\":0}]}]}",
         422,
         "[interiors[0].points: value an array invalid, must be 4 points or more, of which "
         "the last is the first again]"},
        {"{\"exterior\":{}}", 400, "exterior: missing field \"points\""},
    };
    struct hl_geo_polygon polygon;

    assert_reading(*state, &accepted, read_polygon, &polygon);
    assert_int_equal(polygon.exterior.n_points, 4);
    assert_int_equal(polygon.n_interiors, 2);
    assert_true(polygon.interiors[1].points[1].lon > 8);
    ASSERT_READINGS(*state, cases, read_polygon, &polygon);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_reading, stop_reading)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_point_is_on_the_globe),
        TEST(a_box_has_two_corners),
        TEST(a_circle_has_a_centre_and_a_radius),
        TEST(a_polygon_has_closed_rings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
