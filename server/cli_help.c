/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli.h"

#include "server/fold.h"

#include <string.h>

static const char general[] =
    "heirloom: a backward-compatible embedding retrieval server\n"
    "\n"
    "usage: heirloom COMMAND [FLAG …]\n"
    "\n"
    "commands:\n"
    "    serve      run the server\n"
    "    version    the versions of heirloom and of what it is made of\n"
    "    help       this text, or that of a command: heirloom help serve\n";

static const char general_end[] =
    "\n"
    "examples:\n"
    "    heirloom serve --data /var/lib/heirloom\n"
    "    heirloom import photos.npy --collection photos --create Cosine\n"
    "    curl http://127.0.0.1:6333/collections/photos\n"
    "\n"
    "Exit status: 0 when all went well, 1 when it did not, 2 when the command line was "
    "wrong.\n";

static const char serve_begin[] =
    "heirloom serve: run the server until SIGTERM or SIGINT\n"
    "\n"
    "usage: heirloom serve [--config FILE] [--data DIR] [--host HOST] [--port PORT]\n"
    "       heirloom serve … --check-config\n"
    "       heirloom serve … --print-config\n"
    "\n"
    "flags:\n"
    "    --config FILE     read settings from this file\n"
    "    --data DIR        the folder of the data: [storage] path\n"
    "    --host HOST       the address to listen on: [service] host\n"
    "    --port PORT       the port, 0 for a free one: [service] http_port\n"
    "    --check-config    say whether the settings are sound, and end\n"
    "    --print-config    print every setting and who set it, as a file, and end\n"
    "\n"
    "examples:\n"
    "    heirloom serve                            on 127.0.0.1:6333, with ./data\n"
    "    heirloom serve --port 0                   on a free port; the log says which\n"
    "    heirloom serve --print-config >my.ini     a file to begin with\n"
    "    HEIRLOOM__LOG__LEVEL=debug heirloom serve --config my.ini\n"
    "\n"
    "SIGTERM and SIGINT: readiness goes, requests finish, exit status 0. A second one "
    "ends\n"
    "at once. SIGHUP reads keys and the log's settings again.\n"
    "\n"
    "settings: [section] key = default. The file is overruled by the environment,\n"
    "HEIRLOOM__SECTION__KEY, and that by the flags. A name nobody knows is an error.\n";

static const char serve_keys[] =
    "\n"
    "[keys.ID]    who may call; without any, whoever reaches the port may do everything\n"
    "    secret = …            16 to 256 visible characters; callers send them as\n"
    "                          \"api-key: …\" or \"Authorization: Bearer …\"\n"
    "    secret_file = PATH    or a file that holds nothing but the secret\n"
    "    access = full         or read_only\n";

static const char version_text[] =
    "heirloom version: one line for heirloom and for each library it is made of, the "
    "compiler,\n"
    "and the kernels (the functions that measure distances) chosen on this processor\n"
    "\n"
    "usage: heirloom version\n"
    "\n"
    "examples:\n"
    "    heirloom version\n"
    "    HEIRLOOM__SEARCH__KERNELS=portable heirloom version\n";

static void print_settings(struct hl_buf *buf)
{
    const char *section = "";

    for (unsigned i = 0; i < HL_N_SETTINGS; i++) {
        const struct hl_setting_row *row = hl_setting_row((enum hl_setting)i);
        char wanted[128];

        hl_setting_wanted((enum hl_setting)i, wanted, sizeof wanted);
        if (strcmp(section, row->section) != 0)
            hl_buf_print(buf, "\n[%s]\n", row->section);
        section = row->section;
        hl_buf_print(buf, "    %s = %s    (%s)\n", row->key, row->standard, wanted);
        hl_fold(row->help, "        ", 80, buf);
    }
}

static void print_general(struct hl_buf *buf)
{
    hl_buf_add_text(buf, general);
    for (size_t i = 0; i < hl_n_tools; i++)
        hl_buf_print(buf, "    %-10s %s\n", hl_tools[i]->name, hl_tools[i]->summary);
    hl_buf_add_text(buf, general_end);
}

void hl_cli_help(const struct hl_cli *cli, struct hl_buf *buf)
{
    switch (cli->topic) {
    case HL_COMMAND_TOOL:
        hl_tool_help(cli->tool, buf);
        return;
    case HL_COMMAND_SERVE:
        hl_buf_add_text(buf, serve_begin);
        print_settings(buf);
        hl_buf_add_text(buf, serve_keys);
        return;
    case HL_COMMAND_VERSION:
        hl_buf_add_text(buf, version_text);
        return;
    case HL_COMMAND_HELP:
    default:
        print_general(buf);
    }
}
