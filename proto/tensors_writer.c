/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/tensors.h"

#include "proto/alloc.h"
#include "proto/buf.h"
#include "proto/encode.h"
#include "proto/file.h"
#include "proto/tensors_header.h"
#include "proto/utf8.h"

#include <inttypes.h>
#include <string.h>

/* MAX_HEADER: the labels of 100,000 classes, quoted twice. */
enum { ALIGNMENT = 8, LENGTH_SIZE = 8, CHUNK_VALUES = 2048, MAX_HEADER = 32 << 20 };

/* What is left to write of one tensor. */
struct part {
    enum hl_dtype type;
    uint64_t n_left;
};

struct hl_tensors_writer {
    struct hl_replacement *replacement; /* NULL: into `buf`, which is the caller's */
    struct hl_buf *buf;
    struct part *parts;
    size_t n_parts, part;
    bool is_broken; /* an addition failed halfway */
    unsigned char chunk[CHUNK_VALUES * sizeof(double)];
};

static const char *name_of(const struct hl_tensors_writer *writer)
{
    return writer->buf ? "tensors" : hl_file_path(hl_replacement_file(writer->replacement));
}

static enum hl_code put(struct hl_tensors_writer *writer, const void *bytes, size_t size,
                        struct hl_err *err)
{
    if (!writer->buf)
        return hl_file_write(hl_replacement_file(writer->replacement), bytes, size, err);
    hl_buf_add(writer->buf, bytes, size);
    return hl_buf_check(writer->buf, "tensors", err);
}

static bool is_text(const char *text)
{
    size_t len = strlen(text);

    return hl_utf8_valid_len(text, len) == len;
}

static enum hl_code check_names(const char **names, const struct hl_tensors_plan *plan,
                                struct hl_err *err)
{
    const char *twice;

    for (size_t i = 0; i < plan->n_tensors; i++) {
        names[i] = plan->tensors[i].name;
        if (!is_text(names[i]) || strcmp(names[i], "__metadata__") == 0)
            return hl_fail(err, HL_INVALID, "cannot write tensor %zu: its name is %s", i,
                           is_text(names[i]) ? "\"__metadata__\"" : "not UTF-8");
    }
    twice = hl_tensors_twice(names, plan->n_tensors);
    if (twice)
        return hl_fail(err, HL_INVALID, "cannot write tensor \"%s\" twice", twice);
    for (size_t i = 0; i < plan->n_metadata; i++) {
        names[i] = plan->metadata[i].key;
        if (!is_text(names[i]) || !is_text(plan->metadata[i].value))
            return hl_fail(err, HL_INVALID, "cannot write metadata %zu: it is not UTF-8",
                           i);
    }
    twice = hl_tensors_twice(names, plan->n_metadata);
    if (twice)
        return hl_fail(err, HL_INVALID, "cannot write metadata \"%s\" twice", twice);
    return HL_OK;
}

static enum hl_code check_plan(const struct hl_tensors_plan *plan, struct hl_err *err)
{
    size_t n_most = plan->n_tensors > plan->n_metadata ? plan->n_tensors : plan->n_metadata;
    const char **names = hl_alloc_zeroed(n_most, sizeof *names);
    enum hl_code code;

    if (!names)
        return hl_fail(err, HL_NO_MEMORY, "no memory to write tensors");
    code = check_names(names, plan, err);
    hl_free(names);
    return code;
}

static void print_metadata(struct hl_buf *buf, const struct hl_tensors_plan *plan)
{
    hl_encode_key(buf, "__metadata__");
    for (size_t i = 0; i < plan->n_metadata; i++) {
        hl_buf_add_char(buf, i ? ',' : '{');
        hl_encode_key(buf, plan->metadata[i].key);
        hl_encode_string(buf, plan->metadata[i].value);
    }
    hl_buf_add_char(buf, '}');
}

static void print_tensor(struct hl_buf *buf, const struct hl_tensor *tensor, uint64_t begin,
                         uint64_t end)
{
    hl_encode_key(buf, tensor->name);
    hl_buf_print(buf, "{\"dtype\":\"%s\",\"shape\":[", hl_dtype_name(tensor->type));
    for (unsigned i = 0; i < tensor->n_dims; i++)
        hl_buf_print(buf, "%s%" PRIu64, i ? "," : "", tensor->shape[i]);
    hl_buf_print(buf, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", begin, end);
}

static enum hl_code print_header(struct hl_buf *buf, const struct hl_tensors_plan *plan,
                                 struct part *parts, struct hl_err *err)
{
    uint64_t begin = 0, bytes = 0;

    hl_buf_add(buf, "\0\0\0\0\0\0\0", LENGTH_SIZE);
    hl_buf_add_char(buf, '{');
    if (plan->n_metadata)
        print_metadata(buf, plan);
    for (size_t i = 0; i < plan->n_tensors; i++) {
        const struct hl_tensor *tensor = &plan->tensors[i];

        if (tensor->n_dims > HL_TENSOR_MAX_DIMS || !hl_tensor_bytes(tensor, &bytes) ||
            bytes > INT64_MAX - begin)
            return hl_fail(err, HL_INVALID, "cannot write tensor \"%s\": it is too large",
                           tensor->name);
        if (i || plan->n_metadata)
            hl_buf_add_char(buf, ',');
        print_tensor(buf, tensor, begin, begin + bytes);
        parts[i] = (struct part){.type = tensor->type,
                                 .n_left = bytes / hl_dtype_size(tensor->type)};
        begin += bytes;
    }
    hl_buf_add_char(buf, '}');
    while (buf->failed == HL_OK && buf->len % ALIGNMENT != 0)
        hl_buf_add_char(buf, ' ');
    return hl_buf_check(buf, "the header", err);
}

static enum hl_code write_header(struct hl_tensors_writer *writer,
                                 const struct hl_tensors_plan *plan, struct hl_err *err)
{
    struct hl_buf buf;
    enum hl_code code;

    hl_buf_init(&buf, MAX_HEADER);
    code = print_header(&buf, plan, writer->parts, err);
    if (code == HL_OK) {
        for (size_t i = 0; i < LENGTH_SIZE; i++)
            buf.data[i] = (char)((uint64_t)(buf.len - LENGTH_SIZE) >> (8 * i) & 0xff);
        code = put(writer, buf.data, buf.len, err);
    }
    hl_buf_done(&buf);
    return code;
}

/* To `path`, or into `buf` where there is none. */
static enum hl_code open_writer(const char *path, struct hl_buf *buf,
                                const struct hl_tensors_plan *plan,
                                struct hl_tensors_writer **ret_writer, struct hl_err *err)
{
    struct hl_tensors_writer *writer = NULL;
    enum hl_code code = check_plan(plan, err);

    if (code != HL_OK)
        goto out;
    writer = hl_alloc_zeroed(1, sizeof *writer);
    if (writer)
        writer->parts = hl_alloc_zeroed(plan->n_tensors, sizeof *writer->parts);
    if (!writer || !writer->parts) {
        code = hl_fail(err, HL_NO_MEMORY, "no memory to write tensors");
        goto out;
    }
    writer->n_parts = plan->n_tensors;
    writer->buf = buf;
    if (path)
        code = hl_replacement_open(path, &writer->replacement, err);
    if (code == HL_OK)
        code = write_header(writer, plan, err);
    if (code != HL_OK)
        goto out;
    *ret_writer = writer;
    writer = NULL;
out:
    hl_tensors_writer_abandon(writer);
    return code;
}

enum hl_code hl_tensors_writer_open(const char *path, const struct hl_tensors_plan *plan,
                                    struct hl_tensors_writer **ret_writer,
                                    struct hl_err *err)
{
    enum hl_code code = open_writer(path, NULL, plan, ret_writer, err);

    return code == HL_OK ? HL_OK : hl_fail_in(err, "could not write \"%s\"", path);
}

enum hl_code hl_tensors_writer_open_memory(struct hl_buf *buf,
                                           const struct hl_tensors_plan *plan,
                                           struct hl_tensors_writer **ret_writer,
                                           struct hl_err *err)
{
    return open_writer(NULL, buf, plan, ret_writer, err);
}

/* The part that the next numbers belong to: empty tensors need none. */
static enum hl_code find_part(struct hl_tensors_writer *writer, bool is_real,
                              struct part **ret_part, struct hl_err *err)
{
    struct part *part;

    while (writer->part < writer->n_parts && writer->parts[writer->part].n_left == 0)
        writer->part++;
    if (writer->is_broken || writer->part == writer->n_parts)
        return hl_fail(err, HL_INVALID, "cannot write \"%s\": %s", name_of(writer),
                       writer->is_broken ? "an addition failed"
                                         : "more numbers came than were declared");
    part = &writer->parts[writer->part];
    if (hl_dtype_is_real(part->type) != is_real)
        return hl_fail(err, HL_INVALID, "tensor %zu holds %s, %s numbers came",
                       writer->part, hl_dtype_name(part->type), is_real ? "real" : "whole");
    *ret_part = part;
    return HL_OK;
}

static enum hl_code write_chunk(struct hl_tensors_writer *writer, struct part *part,
                                size_t n, size_t n_fit, struct hl_err *err)
{
    enum hl_code code;

    writer->is_broken = true;
    if (n_fit < n)
        return hl_fail(err, HL_INVALID,
                       "tensor %zu: the number %" PRIu64 " before its end is too large "
                       "for %s",
                       writer->part, part->n_left - n_fit, hl_dtype_name(part->type));
    code = put(writer, writer->chunk, n * hl_dtype_size(part->type), err);
    if (code != HL_OK)
        return code;
    part->n_left -= n;
    writer->is_broken = false;
    return HL_OK;
}

static size_t fit_chunk(const struct part *part, size_t n)
{
    size_t n_now = n < CHUNK_VALUES ? n : CHUNK_VALUES;

    return n_now < part->n_left ? n_now : (size_t)part->n_left;
}

/* `values` are floats or 64-bit integers, as `is_real` says. */
static enum hl_code add(struct hl_tensors_writer *writer, const void *values, bool is_real,
                        size_t n, struct hl_err *err)
{
    const float *reals = values;
    const int64_t *wholes = values;

    for (size_t done = 0; done < n;) {
        struct part *part;
        size_t n_now, n_fit;
        enum hl_code code = find_part(writer, is_real, &part, err);

        if (code != HL_OK)
            return code;
        n_now = fit_chunk(part, n - done);
        n_fit = is_real ? hl_dtype_of_floats(part->type, reals + done, n_now, writer->chunk)
                        : hl_dtype_of_i64(part->type, wholes + done, n_now, writer->chunk);
        code = write_chunk(writer, part, n_now, n_fit, err);
        if (code != HL_OK)
            return code;
        done += n_now;
    }
    return HL_OK;
}

enum hl_code hl_tensors_writer_add_floats(struct hl_tensors_writer *writer,
                                          const float *values, size_t n, struct hl_err *err)
{
    return add(writer, values, true, n, err);
}

enum hl_code hl_tensors_writer_add_i64(struct hl_tensors_writer *writer,
                                       const int64_t *values, size_t n, struct hl_err *err)
{
    return add(writer, values, false, n, err);
}

enum hl_code hl_tensors_writer_commit(struct hl_tensors_writer *writer, struct hl_err *err)
{
    uint64_t n_left = 0;
    enum hl_code code = HL_OK;

    for (size_t i = 0; i < writer->n_parts; i++)
        n_left += writer->parts[i].n_left;
    if (writer->is_broken || n_left) {
        code = hl_fail(err, HL_INVALID,
                       "cannot write \"%s\": %" PRIu64 " numbers did not come",
                       name_of(writer), n_left);
    } else if (writer->replacement) {
        code = hl_replacement_commit(writer->replacement, err);
        writer->replacement = NULL;
    }
    hl_tensors_writer_abandon(writer);
    return code;
}

void hl_tensors_writer_abandon(struct hl_tensors_writer *writer)
{
    if (!writer)
        return;
    hl_replacement_abandon(writer->replacement);
    hl_free(writer->parts);
    hl_free(writer);
}
