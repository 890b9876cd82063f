#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Searches with the vectors of two models, while the bridge between them is activated and deactivated, as often as it
# can be. Takes a collection's first bridge, which nobody may be served through; README.md makes one for the demo.
. "$(dirname "$0")/common.sh"
read -r from to current < <(ask "$c/bridges" | sed -E 's/\{"from":/\n&/g' |
    sed -nE 's/^\{"from":"([^"]*)","to":"([^"]*)","revision":[0-9].*"current":(.).*/\1 \2 \3/p') || true
[[ -n ${from:-} ]] || { echo "the collection \"$2\" has no bridge" >&2; exit 1; }
[[ $current == n ]] || { echo "the bridge from \"$from\" to \"$to\" is active: deactivate it first, if nobody needs it" >&2; exit 1; }

step() { load "$1" -X POST "$c/bridges/$from/$to/$1?wait=true&timeout=600"; }
clean_up() { ask -X POST "$c/bridges/$from/$to/deactivate?wait=true&timeout=600" >/dev/null; }

queries from "$from"
queries to "$to"
search from "$from" &
search to "$to" &
while step activate && step deactivate && [[ -n $(jobs -r) ]]; do :; done
report
