#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes openapi.yaml the C file that holds it as JSON: openapi.py IN.yaml VERSION OUT.c

The same input gives the same bytes. What YAML would pass over in silence is refused: keys
that stand twice, keys that are not text (an unquoted 200), references that lead nowhere.
"""
import json
import sys

import yaml


class Strict(yaml.SafeLoader):
    """Refuses what SafeLoader lets the last one win at."""

    def construct_mapping(self, node, deep=False):
        own = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        names = [self.construct_object(key, deep=True) for key in own]
        for i, name in enumerate(names):
            if not isinstance(name, str):
                raise ValueError(f"line {own[i].start_mark.line + 1}: the key {name!r} is not text: quote it")
            if name in names[:i]:
                raise ValueError(f"line {own[i].start_mark.line + 1}: the key {name!r} is there twice")
        return super().construct_mapping(node, deep)

    def flatten_mapping(self, node):
        """Own keys win over merged ones, and stand once."""
        own = {key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"}
        before = {id(key) for key, _ in node.value}
        super().flatten_mapping(node)
        node.value = [(k, v) for k, v in node.value if id(k) in before or k.value not in own]


def references(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def check_reference(document, reference):
    node = document
    if not reference.startswith("#/"):
        raise ValueError(f'"{reference}" is not in this document')
    for name in reference[2:].split("/"):
        if name not in node:
            raise ValueError(f'"{reference}" leads nowhere')
        node = node[name]


def main(source, version, target):
    with open(source, encoding="utf-8") as file:
        text = file.read().replace("@VERSION@", version)
    try:
        document = yaml.load(text, Loader=Strict)
        for reference in references(document):
            check_reference(document, reference)
    except (ValueError, yaml.YAMLError) as error:
        sys.exit(f"{source}: {error}")
    data = json.dumps(document, ensure_ascii=True, separators=(",", ":")).encode()
    lines = [",".join(str(byte) for byte in data[i:i + 24]) for i in range(0, len(data), 24)]
    with open(target, "w", encoding="ascii") as file:
        file.write("/* SPDX-License-Identifier: Apache-2.0 */\n"
                   "/* Made by openapi.py from openapi.yaml. */\n"
                   '#include "proto/openapi.h"\n\n'
                   f"static const char json[{len(data) + 1}] = {{\n"
                   + ",\n".join(lines) + ",0\n};\n\n"
                   "const char *hl_openapi_json(size_t *ret_len)\n"
                   "{\n    *ret_len = sizeof json - 1;\n    return json;\n}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
