/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/floats.h"

#include "proto/number.h"

#include <endian.h>
#include <math.h>
#include <string.h>

enum {
    WINDOW = 128,  /* no number that the fast way reads is longer, its loads included */
    MIN_TEN = -57, /* 10^-58 and any mantissa are below the smallest normal float */
    MAX_TEN = 38,
    LOW_BITS = 40, /* of 64 bits of a product, what a float has no place for */
    SLACK = 4,     /* units that the product may be short of the truth */
};

__extension__ typedef unsigned __int128 u128;

static const uint64_t tens[] = {
    UINT64_C(1),       UINT64_C(10),       UINT64_C(100),
    UINT64_C(1000),    UINT64_C(10000),    UINT64_C(100000),
    UINT64_C(1000000), UINT64_C(10000000), UINT64_C(100000000),
};

/* Mantissas below these still have room for so many digits more in 64 bits. */
static const uint64_t room_for[] = {
    UINT64_MAX,
    UINT64_C(1000000000000000000),
    UINT64_C(100000000000000000),
    UINT64_C(10000000000000000),
    UINT64_C(1000000000000000),
    UINT64_C(100000000000000),
    UINT64_C(10000000000000),
    UINT64_C(1000000000000),
    UINT64_C(100000000000),
};

/* 10^MIN_TEN … 10^MAX_TEN as 64 bits, the top one set, what follows them cut off. */
static const uint64_t power_bits[] = {
    UINT64_C(0xC8DE047564D20A8B), UINT64_C(0xFB158592BE068D2E),
    UINT64_C(0x9CED737BB6C4183D), UINT64_C(0xC428D05AA4751E4C),
    UINT64_C(0xF53304714D9265DF), UINT64_C(0x993FE2C6D07B7FAB),
    UINT64_C(0xBF8FDB78849A5F96), UINT64_C(0xEF73D256A5C0F77C),
    UINT64_C(0x95A8637627989AAD), UINT64_C(0xBB127C53B17EC159),
    UINT64_C(0xE9D71B689DDE71AF), UINT64_C(0x9226712162AB070D),
    UINT64_C(0xB6B00D69BB55C8D1), UINT64_C(0xE45C10C42A2B3B05),
    UINT64_C(0x8EB98A7A9A5B04E3), UINT64_C(0xB267ED1940F1C61C),
    UINT64_C(0xDF01E85F912E37A3), UINT64_C(0x8B61313BBABCE2C6),
    UINT64_C(0xAE397D8AA96C1B77), UINT64_C(0xD9C7DCED53C72255),
    UINT64_C(0x881CEA14545C7575), UINT64_C(0xAA242499697392D2),
    UINT64_C(0xD4AD2DBFC3D07787), UINT64_C(0x84EC3C97DA624AB4),
    UINT64_C(0xA6274BBDD0FADD61), UINT64_C(0xCFB11EAD453994BA),
    UINT64_C(0x81CEB32C4B43FCF4), UINT64_C(0xA2425FF75E14FC31),
    UINT64_C(0xCAD2F7F5359A3B3E), UINT64_C(0xFD87B5F28300CA0D),
    UINT64_C(0x9E74D1B791E07E48), UINT64_C(0xC612062576589DDA),
    UINT64_C(0xF79687AED3EEC551), UINT64_C(0x9ABE14CD44753B52),
    UINT64_C(0xC16D9A0095928A27), UINT64_C(0xF1C90080BAF72CB1),
    UINT64_C(0x971DA05074DA7BEE), UINT64_C(0xBCE5086492111AEA),
    UINT64_C(0xEC1E4A7DB69561A5), UINT64_C(0x9392EE8E921D5D07),
    UINT64_C(0xB877AA3236A4B449), UINT64_C(0xE69594BEC44DE15B),
    UINT64_C(0x901D7CF73AB0ACD9), UINT64_C(0xB424DC35095CD80F),
    UINT64_C(0xE12E13424BB40E13), UINT64_C(0x8CBCCC096F5088CB),
    UINT64_C(0xAFEBFF0BCB24AAFE), UINT64_C(0xDBE6FECEBDEDD5BE),
    UINT64_C(0x89705F4136B4A597), UINT64_C(0xABCC77118461CEFC),
    UINT64_C(0xD6BF94D5E57A42BC), UINT64_C(0x8637BD05AF6C69B5),
    UINT64_C(0xA7C5AC471B478423), UINT64_C(0xD1B71758E219652B),
    UINT64_C(0x83126E978D4FDF3B), UINT64_C(0xA3D70A3D70A3D70A),
    UINT64_C(0xCCCCCCCCCCCCCCCC), UINT64_C(0x8000000000000000),
    UINT64_C(0xA000000000000000), UINT64_C(0xC800000000000000),
    UINT64_C(0xFA00000000000000), UINT64_C(0x9C40000000000000),
    UINT64_C(0xC350000000000000), UINT64_C(0xF424000000000000),
    UINT64_C(0x9896800000000000), UINT64_C(0xBEBC200000000000),
    UINT64_C(0xEE6B280000000000), UINT64_C(0x9502F90000000000),
    UINT64_C(0xBA43B74000000000), UINT64_C(0xE8D4A51000000000),
    UINT64_C(0x9184E72A00000000), UINT64_C(0xB5E620F480000000),
    UINT64_C(0xE35FA931A0000000), UINT64_C(0x8E1BC9BF04000000),
    UINT64_C(0xB1A2BC2EC5000000), UINT64_C(0xDE0B6B3A76400000),
    UINT64_C(0x8AC7230489E80000), UINT64_C(0xAD78EBC5AC620000),
    UINT64_C(0xD8D726B7177A8000), UINT64_C(0x878678326EAC9000),
    UINT64_C(0xA968163F0A57B400), UINT64_C(0xD3C21BCECCEDA100),
    UINT64_C(0x84595161401484A0), UINT64_C(0xA56FA5B99019A5C8),
    UINT64_C(0xCECB8F27F4200F3A), UINT64_C(0x813F3978F8940984),
    UINT64_C(0xA18F07D736B90BE5), UINT64_C(0xC9F2C9CD04674EDE),
    UINT64_C(0xFC6F7C4045812296), UINT64_C(0x9DC5ADA82B70B59D),
    UINT64_C(0xC5371912364CE305), UINT64_C(0xF684DF56C3E01BC6),
    UINT64_C(0x9A130B963A6C115C), UINT64_C(0xC097CE7BC90715B3),
    UINT64_C(0xF0BDC21ABB48DB20), UINT64_C(0x96769950B50D88F4),
};

/* The worth of eight ASCII digits, already without their '0', the first in the lowest byte:
 * pairs, then fours, then all. */
static uint64_t worth_of_eight(uint64_t eight)
{
    const uint64_t pairs = UINT64_C(0x000000FF000000FF);
    const uint64_t high = UINT64_C(0x000F424000000064); /* 100, 1000000 */
    const uint64_t low = UINT64_C(0x0000271000000001);  /* 1, 10000 */

    eight = eight * 10 + (eight >> 8);
    return ((eight & pairs) * high + ((eight >> 16) & pairs) * low) >> 32;
}

/* Appends the digits that come to the mantissa. NULL when it has no room for them. */
static const char *add_digits(const char *at, uint64_t *mantissa)
{
    uint64_t eight, stop, sum = *mantissa;

    for (int i = 0; i < 4; i++) {
        unsigned n = 8;

        memcpy(&eight, at, sizeof eight);
        eight = le64toh(eight) ^ UINT64_C(0x3030303030303030);
        /* Above 9, a byte reaches its top bit. A carry spoils only bytes behind the first.
         */
        stop =
            ((eight + UINT64_C(0x7676767676767676)) | eight) & UINT64_C(0x8080808080808080);
        if (stop)
            n = (unsigned)__builtin_ctzll(stop) / 8;
        if (sum >= room_for[n])
            return NULL;
        if (n)
            sum = sum * tens[n] + worth_of_eight(eight << (64 - 8 * n));
        at += n;
        if (n < 8) {
            *mantissa = sum;
            return at;
        }
    }
    return NULL;
}

/* Behind the 'e'. NULL when it is no exponent, or one of four digits. */
static const char *read_exponent(const char *at, int *exponent)
{
    bool is_negative = *at == '-';
    int value = 0, n = 0;

    if (*at == '-' || *at == '+')
        at++;
    for (; *at >= '0' && *at <= '9' && n < 4; n++)
        value = value * 10 + (*at++ - '0');
    if (n == 0 || n == 4)
        return NULL;
    *exponent += is_negative ? -value : value;
    return at;
}

/* mantissa * 10^ten as a normal float, or false: undecided, subnormal, too large. */
static bool make_float(uint64_t mantissa, int ten, bool is_negative, float *ret_value)
{
    const uint64_t half = UINT64_C(1) << (LOW_BITS - 1);
    uint64_t top, low;
    uint32_t bits;
    int n_zeros, exponent;
    u128 product;

    if (mantissa == 0) {
        *ret_value = is_negative ? -0.0F : 0.0F;
        return true;
    }
    if (ten < MIN_TEN || ten > MAX_TEN)
        return false;
    n_zeros = __builtin_clzll(mantissa);
    product = (u128)(mantissa << n_zeros) * power_bits[ten - MIN_TEN];
    /* The floor of log2(10^ten), kept positive for the shift. */
    exponent = ((ten * 217706 + (256 << 16)) >> 16) - 256 + 64 - n_zeros;
    if (!(product >> 127)) {
        product <<= 1;
        exponent--;
    }
    top = (uint64_t)(product >> 64);
    low = top & (2 * half - 1);
    /* The truth is at most SLACK above `low`: on this side of half, beyond, or who knows.
     */
    if (low + SLACK >= half && low <= half)
        return false;
    if (exponent < -126 || exponent > 127)
        return false;
    /* The mantissa's top bit adds the one that is missing from the exponent, and so does a
     * carry out of it. */
    bits = ((uint32_t)(exponent + 126) << 23) + (uint32_t)(top >> LOW_BITS) + (low > half);
    if (bits >= UINT32_C(0x7F800000))
        return false;
    bits |= (uint32_t)is_negative << 31;
    memcpy(ret_value, &bits, sizeof bits);
    return true;
}

/* The number at `at`, from which WINDOW bytes can be read: where it ends, or NULL when it
 * is for somebody slower to say. */
static inline const char *read_number(const char *at, float *ret_value)
{
    bool is_negative = *at == '-';
    const char *point;
    uint64_t mantissa;
    int ten = 0;

    at += is_negative;
    mantissa = (uint64_t)(unsigned char)*at - '0';
    if (mantissa > 9)
        return NULL;
    at++;
    if (*at >= '0' && *at <= '9') {
        if (mantissa == 0)
            return NULL;
        at = add_digits(at, &mantissa);
        if (!at)
            return NULL;
    }
    if (*at == '.') {
        point = at + 1;
        at = add_digits(point, &mantissa);
        if (!at || at == point)
            return NULL;
        ten = (int)(point - at);
    }
    if (*at == 'e' || *at == 'E') {
        at = read_exponent(at + 1, &ten);
        if (!at)
            return NULL;
    }
    return make_float(mantissa, ten, is_negative, ret_value) ? at : NULL;
}

/* The same where the text ends sooner. */
static const char *read_last_number(const char *at, const char *end, float *ret_value)
{
    char window[2 * WINDOW] = {0};
    const char *behind;

    if (at >= end)
        return NULL;
    memcpy(window, at, (size_t)(end - at));
    behind = read_number(window, ret_value);
    return behind ? at + (behind - window) : NULL;
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

/* What an array is read into. */
struct sink {
    float *values;
    size_t n_room;
    size_t n;
};

static void keep(struct sink *sink, float value)
{
    if (sink->n < sink->n_room)
        sink->values[sink->n] = value;
    sink->n++;
}

/* Numbers and commas as long as that is all there is. Stops before an item it cannot read,
 * or behind one that no comma follows. */
static const char *read_run(const char *at, const char *end, struct sink *sink,
                            bool *ret_is_behind)
{
    const char *behind;
    float value = 0;

    for (;;) {
        if (end - at >= WINDOW)
            behind = read_number(at, &value);
        else
            behind = read_last_number(at, end, &value);
        *ret_is_behind = behind != NULL;
        if (!behind)
            return at;
        keep(sink, value);
        at = behind;
        if (at < end && *at != ',')
            at = skip_space(at, end);
        if (at == end || *at != ',')
            return at;
        at = skip_space(at + 1, end);
    }
}

/* The item that the fast way left, by the slow one. */
static enum hl_code keep_token(const struct hl_field *field, const struct hl_token *token,
                               struct sink *sink, struct hl_err *err)
{
    const struct hl_field item = {
        .parent = field, .tokens = field->tokens, .index = sink->n};
    float value;

    if (token->kind != HL_TOKEN_NUMBER)
        return hl_field_fail_type(&item, "a number", token, err);
    value = hl_number_float(token->text, token->len);
    if (!isfinite(value))
        return hl_field_fail_value(&item, token, "within the range of a 32-bit float", err);
    keep(sink, value);
    return HL_OK;
}

/* From behind the opening bracket to behind the closing one. */
static enum hl_code read_items(const struct hl_field *field, struct sink *sink,
                               struct hl_err *err)
{
    struct hl_tokens *tokens = field->tokens;
    const char *end = tokens->text + tokens->len, *at;
    struct hl_token token;
    enum hl_code code;
    bool is_behind;

    for (;;) {
        at = skip_space(tokens->text + tokens->at, end);
        is_behind = sink->n > 0;
        if (is_behind && at < end && *at == ',') {
            at = skip_space(at + 1, end);
            is_behind = false;
        }
        if (!is_behind)
            at = read_run(at, end, sink, &is_behind);
        if (is_behind)
            hl_tokens_resume_behind(tokens, (size_t)(at - tokens->text));
        else if (sink->n > 0)
            hl_tokens_resume_before(tokens, (size_t)(at - tokens->text));
        code = hl_tokens_next(tokens, &token, err);
        if (code != HL_OK || token.kind == HL_TOKEN_ARRAY_END)
            return code;
        code = keep_token(field, &token, sink, err);
        if (code != HL_OK)
            return code;
    }
}

static enum hl_code begin(const struct hl_field *field, struct hl_err *err)
{
    struct hl_token token;
    enum hl_code code = hl_tokens_next(field->tokens, &token, err);

    if (code == HL_OK && token.kind != HL_TOKEN_ARRAY_BEGIN)
        return hl_field_fail_type(field, "an array of numbers", &token, err);
    return code;
}

enum hl_code hl_floats_fill(const struct hl_field *field, float *values, size_t n_room,
                            size_t *ret_n, struct hl_err *err)
{
    enum hl_code code = begin(field, err);
    struct sink sink = {0};

    sink.values = values;
    sink.n_room = n_room;
    if (code == HL_OK)
        code = read_items(field, &sink, err);
    if (code == HL_OK)
        *ret_n = sink.n;
    return code;
}

/* One more than the commas up to the first closing bracket: exact for an array of numbers,
 * enough for anything else. */
static size_t count_items(const struct hl_tokens *tokens)
{
    const char *at = tokens->text + tokens->at;
    const char *close = memchr(at, ']', tokens->len - tokens->at);
    size_t n = 1;

    for (; close && at < close; at++)
        n += *at == ',';
    return n;
}

enum hl_code hl_floats_read(const struct hl_field *field, float **ret_values, size_t *ret_n,
                            struct hl_err *err)
{
    struct hl_arena *arena = field->tokens->arena;
    enum hl_code code = begin(field, err);
    struct sink sink = {0};

    if (code != HL_OK)
        return code;
    sink.n_room = count_items(field->tokens);
    sink.values = hl_arena_floats(arena, sink.n_room, 1);
    if (!sink.values)
        return hl_arena_fail(arena, err, "an array of %zu numbers", sink.n_room);
    code = read_items(field, &sink, err);
    if (code != HL_OK)
        return code;
    *ret_values = sink.values;
    *ret_n = sink.n;
    return HL_OK;
}
