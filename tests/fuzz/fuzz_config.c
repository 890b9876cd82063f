/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration file is refused in a sentence that names the file, or it says something
 * that, printed and read again, says the same. */

#include "server/config.h"
#include "server/ini.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(claim)                                                                       \
    do {                                                                                   \
        if (!(claim))                                                                      \
            abort();                                                                       \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(const char *slice, size_t len, const char *text, size_t size)
{
    return slice >= text && len <= size && (size_t)(slice - text) <= size - len;
}

/* Every slice lies in the text, and lines only go forward. */
static void check_lines(const char *text, size_t size)
{
    struct hl_ini ini;
    struct hl_ini_entry entry = {0};
    struct hl_err err;
    bool is_end = false;
    size_t line = 0;

    hl_ini_init(&ini, text, size);
    while (hl_ini_next(&ini, &entry, &is_end, &err) == HL_OK && !is_end) {
        CHECK(entry.line > line && entry.line == ini.line);
        line = entry.line;
        CHECK(entry.section_len > 0);
        CHECK(is_inside(entry.section, entry.section_len, text, size));
        if (entry.is_section)
            continue;
        CHECK(entry.key_len > 0 && is_inside(entry.key, entry.key_len, text, size));
        CHECK(is_inside(entry.value, entry.value_len, text, size));
        CHECK(!memchr(entry.value, '\n', entry.value_len));
    }
}

/* Without keys, whose secrets are hidden, and without who set what. */
static void print_values(struct hl_config *config, struct hl_buf *text)
{
    size_t n_keys = config->n_keys;

    hl_buf_init(text, 1 << 20);
    config->n_keys = 0;
    for (size_t i = 0; i < HL_N_SETTINGS; i++)
        config->origins[i].name[0] = '\0';
    hl_config_print(config, text);
    config->n_keys = n_keys;
    CHECK(text->failed == HL_OK);
}

static void check_keys(const struct hl_config *config)
{
    for (size_t i = 0; i < config->n_keys; i++) {
        CHECK(config->keys[i].id[0] != '\0');
        CHECK(strlen(config->keys[i].secret) >= HL_SECRET_MIN);
        for (size_t j = 0; j < i; j++) {
            CHECK(strcmp(config->keys[i].id, config->keys[j].id) != 0);
            CHECK(strcmp(config->keys[i].secret, config->keys[j].secret) != 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct hl_config *config = NULL, *again = NULL;
    struct hl_buf printed, reprinted;
    struct hl_err err;

    check_lines(text, size);
    if (hl_config_read("fuzz", text, size, &config, &err) != HL_OK) {
        CHECK(!config && strncmp(err.msg, "fuzz:", 5) == 0);
        return 0;
    }
    check_keys(config);
    print_values(config, &printed);
    CHECK(hl_config_read("again", printed.data, printed.len, &again, &err) == HL_OK);
    print_values(again, &reprinted);
    CHECK(strcmp(printed.data, reprinted.data) == 0);
    hl_buf_done(&printed);
    hl_buf_done(&reprinted);
    hl_config_free(config);
    hl_config_free(again);
    return 0;
}
