#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Searches, and beside them a tenth as many writes of POINTS=N points each (10), which are deleted afterwards.
. "$(dirname "$0")/common.sh"
queries search "$model"
points $(((requests + 9) / 10))
upsert &
search search "$model"
wait
report
