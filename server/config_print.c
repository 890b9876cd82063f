/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config.h"

#include "server/fold.h"

#include <string.h>

static const char head[] =
    "# Every setting of heirloom serve. Whatever is not the default says who set it.\n"
    "#\n"
    "# The same setting is [service] http_port = 6333 in a file (--config FILE) and\n"
    "# HEIRLOOM__SERVICE__HTTP_PORT=6333 in the environment; some have a flag as well. "
    "The\n"
    "# defaults give way to the file, the file to the environment, the environment to "
    "flags.\n"
    "# A value goes to the end of its line and is written without quotes.\n";

static const char keys_help[] =
    "\n"
    "# Who may call. Without a key, whoever reaches the port may do everything. Callers "
    "send\n"
    "# \"api-key: SECRET\" or \"Authorization: Bearer SECRET\". SIGHUP reads keys again.\n"
    "#\n"
    "#     [keys.ID]                 ID: lower case letters, digits, \"-\", \"_\"; for the "
    "log\n"
    "#     secret = …                16 to 256 visible characters\n"
    "#     secret_file = PATH        or a file that holds nothing but the secret\n"
    "#     access = full             or read_only\n"
    "#\n"
    "# In the environment: HEIRLOOM__KEYS__ID__SECRET.\n";

static void print_value(const struct hl_setting_row *row, const void *place,
                        struct hl_buf *buf)
{
    switch (row->type) {
    case HL_SETTING_NUMBER:
        hl_buf_print(buf, "%llu", (unsigned long long)*(const uint64_t *)place);
        return;
    case HL_SETTING_BOOL:
        hl_buf_add_text(buf, *(const bool *)place ? "true" : "false");
        return;
    case HL_SETTING_CHOICE:
        hl_buf_add_text(buf, *(const char *const *)place);
        return;
    case HL_SETTING_TEXT:
    default:
        hl_buf_add_text(buf, place);
    }
}

void hl_config_value(const struct hl_config *config, enum hl_setting setting,
                     struct hl_buf *buf)
{
    const struct hl_setting_row *row = hl_setting_row(setting);

    print_value(row, (const char *)config + row->offset, buf);
}

static void print_setting(const struct hl_config *config, enum hl_setting setting,
                          struct hl_buf *buf)
{
    const struct hl_setting_row *row = hl_setting_row(setting);
    const char *origin = config->origins[setting].name;
    char wanted[128];

    hl_setting_wanted(setting, wanted, sizeof wanted);
    hl_buf_add_char(buf, '\n');
    hl_fold(row->help, "# ", 86, buf);
    hl_buf_print(buf, "# %c%s. Default: %s\n", wanted[0] - 'a' + 'A', wanted + 1,
                 row->standard);
    if (*origin)
        hl_buf_print(buf, "# Set by %s\n", origin);
    hl_buf_print(buf, "%s = ", row->key);
    hl_config_value(config, setting, buf);
    hl_buf_add_char(buf, '\n');
}

void hl_config_print(const struct hl_config *config, struct hl_buf *buf)
{
    const char *section = "";

    hl_buf_add_text(buf, head);
    for (unsigned i = 0; i < HL_N_SETTINGS; i++) {
        const struct hl_setting_row *row = hl_setting_row((enum hl_setting)i);

        if (strcmp(section, row->section) != 0)
            hl_buf_print(buf, "\n[%s]\n", row->section);
        section = row->section;
        print_setting(config, (enum hl_setting)i, buf);
    }
    hl_buf_add_text(buf, keys_help);
    for (size_t i = 0; i < config->n_keys; i++)
        hl_buf_print(buf, "\n[keys.%s]\n# secret = (hidden)\naccess = %s\n",
                     config->keys[i].id,
                     config->keys[i].access == HL_ACCESS_FULL ? "full" : "read_only");
}
