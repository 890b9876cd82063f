#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Searches, each for a vector of its own, sent as it is: float32.
. "$(dirname "$0")/common.sh"
queries search "$model"
search search "$model"
report
