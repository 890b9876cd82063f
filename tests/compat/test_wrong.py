# SPDX-License-Identifier: Apache-2.0
"""Wrong data for `heirloom fit` and `heirloom evaluate`: each is refused with exit status 1, a sentence
that says what came and what to do, and no file. Usage: test_wrong.py HEIRLOOM"""
import os
import subprocess
import sys
import tempfile

import numpy as np

import files

HEIRLOOM = os.path.abspath(sys.argv[1])
N = 400


def make():
    rng = np.random.default_rng(1)
    new = rng.standard_normal((N, 12)).astype("f4")
    old = (new[:, :8] + .1 * rng.standard_normal((N, 8))).astype("f4")
    marks = np.argmax(new[:, :4], axis=1).astype("i2")
    head = np.eye(4, 8, dtype="f4")
    saved = {"new": new, "old": old, "labels": marks, "one_class": marks * 0, "unknown": marks * 0 - 1,
             "others": marks + 100, "short": marks[:-1], "halves": marks / 2, "few": new[:10],
             "few_old": old[:10], "none": new[:0], "none_old": old[:0], "shorter": old[:-1],
             "eleven": new[:, :11], "alike": old * 0 + 1, "new_alike": new[:1] + new * 0,
             "other": new[100:], "other_old": old[100:], "last": new[200:], "last_old": old[200:]}
    for name, row, value in (("nan", 17, np.nan), ("inf", 17, np.inf), ("zeros", 17, 0)):
        saved[name] = new.copy()
        saved[name][row] = value
    for name, array in saved.items():
        np.save(f"{name}.npy", array)
    files.save_head("head.safetensors", head, np.zeros(4, "f4"), [0, 1, 2, 3])
    files.save_head("new_head.safetensors", np.eye(4, 12, dtype="f4"), np.zeros(4, "f4"), [0, 1, 2, 3])
    files.save_dataset("data.safetensors", {"v2": new, "v1": old}, marks)
    files.save_dataset("bad_marks.safetensors", {"v2": new, "v1": old}, marks, marks)
    files.save_bridge("bridge.safetensors", "v2", "v1", np.eye(8, 12, dtype="f4"))
    files.save_bridge("back.safetensors", "v1", "v2", np.eye(12, 8, dtype="f4"))
    files.save_bridge("broken.safetensors", "v2", "v1", np.full((8, 12), np.nan, "f4"))
    with open("text.npy", "w", encoding="ascii") as file:
        file.write("no numbers")


FIT = ["fit", "new.npy", "old.npy", "--kind", "ridge"]
CASES = [
    # what is wrong, what is typed, what the sentence says
    ("one class only", [*FIT, "--labels", "one_class.npy"], "are of one class: nothing can be told apart; send"),
    ("no known label", [*FIT, "--labels", "unknown.npy"], "no row of \"new\" has a known class: send labels"),
    ("labels that the head does not have", [*FIT, "--labels", "others.npy", "--head", "head.safetensors"],
     "none of the rows' labels is a class of the head"),
    ("labels of other rows", [*FIT, "--labels", "short.npy"],
     "\"short.npy\" has 399 rows, what came before it 400: row i of both must be the same photograph"),
    ("labels that are no whole numbers", [*FIT, "--labels", "halves.npy"],
     "\"halves.npy\" holds no labels: one whole number a row was wanted"),
    ("labels in the place of vectors", ["fit", "labels.npy", "old.npy"],
     "\"labels.npy\" holds no vectors: rows x dimensions of real numbers were wanted (are these labels? --labels)"),
    ("fewer rows than dimensions", ["fit", "few.npy", "few_old.npy"],
     "10 rows are too few to learn from, to choose by and to report on: send more"),
    ("fewer rows to learn from than dimensions",
     ["fit", "few.npy", "few_old.npy", "--choose", "other.npy,other_old.npy", "--report", "last.npy,last_old.npy"],
     "10 rows cannot say where 12 dimensions of \"few\" lead: send at least 12"),
    ("no pairs", ["fit", "none.npy", "none_old.npy"], "there are 0 rows to learn from: photographs are wanted"),
    ("rows of other photographs", ["fit", "new.npy", "shorter.npy"],
     "\"shorter.npy\" has 399 rows, what came before it 400: row i of both must be the same photograph"),
    ("what is not a number", ["fit", "nan.npy", "old.npy", "--kind", "ridge"],
     "row 17 of \"nan.npy\" holds a number that is not finite or too large: a vector needs a direction"),
    ("infinity", ["fit", "inf.npy", "old.npy", "--kind", "ridge"],
     "row 17 of \"inf.npy\" holds a number that is not finite or too large: a vector needs a direction"),
    ("a row of zeros", ["fit", "zeros.npy", "old.npy", "--kind", "ridge"],
     "row 17 of \"zeros.npy\" is all zeros: a vector needs a direction"),
    ("vectors that are all the same", ["fit", "new.npy", "alike.npy", "--kind", "ridge"],
     "all vectors of \"alike\" are the same"),
    ("new vectors that are all the same", ["fit", "new_alike.npy", "old.npy", "--kind", "ridge"],
     "all vectors of \"new_alike\" are the same"),
    ("one file twice", ["fit", "new.npy", "new.npy", "--to", "v1"],
     "are the same numbers: was one model's file given for both?"),
    ("one model twice", ["fit", "new.npy", "old.npy", "--from", "v1", "--to", "v1"],
     "both models are \"v1\": a bridge joins two models"),
    ("swapped models", ["fit", "old.npy", "new.npy", "--head", "head.safetensors", "--labels", "labels.npy"],
     "are the two models swapped? The head wanted is that of the model a bridge leads to"),
    ("the head of the other model", [*FIT, "--head", "new_head.safetensors", "--labels", "labels.npy"],
     "the head is for vectors of 12 dimensions, those of \"old\", where the bridge leads, have 8"),
    ("a kind that needs more", ["fit", "new.npy", "old.npy", "--kind", "residual"],
     "a bridge of kind \"residual\" needs"),
    ("a kind that does not exist", ["fit", "new.npy", "old.npy", "--kind", "magic"],
     "\"--kind\" is one of influence, anchored, residual, procrustes, ridge, lowrank, faithful, lsq, auto, not "
     "\"magic\""),
    ("rows to choose by of another size", [*FIT, "--choose", "eleven.npy,old.npy"],
     "the rows to choose by have 11 and 8 dimensions, those to learn from 12 and 8"),
    ("rows to choose by that are learnt from", [*FIT, "--choose", "new.npy,old.npy"],
     "the rows to choose by are those to learn from: a bridge must be measured on rows that it has not seen"),
    ("rows to report on that are learnt from", [*FIT, "--report", "new.npy,old.npy"],
     "the rows to report on are those to learn from: a bridge must be measured on rows that it has not seen"),
    ("rows to report on that are chosen by",
     [*FIT, "--choose", "other.npy,other_old.npy", "--report", "other.npy,other_old.npy"],
     "the rows to report on are those to choose by: a bridge must be measured on rows that it has not seen"),
    ("rows to report on of one model alone", [*FIT, "--report", "new.npy"],
     "the rows to report on must be pairs: vectors of both models of the same photographs"),
    ("neither pairs nor labels", ["fit", "new.npy", "--head", "head.safetensors"],
     "without pairs the rows of \"new\" need labels"),
    ("a data set without the model", ["fit", "data.safetensors", "--from", "v9", "--to", "v1"],
     "\"data.safetensors\" has no tensor \"v9\" but \"v2\", \"v1\", \"labels\""),
    ("a data set and no names", ["fit", "data.safetensors"], "with \"--from NAME\" and \"--to NAME\""),
    ("marks that are no modality", ["fit", "bad_marks.safetensors", "--from", "v2", "--to", "v1"],
     "0 (image) or 1 (text) was wanted"),
    ("a file that is none", ["fit", "text.npy", "old.npy"], "\"text.npy\""),
    ("a missing file", ["fit", "absent.npy", "old.npy"], "\"absent.npy\""),
    ("a seed that is none", [*FIT, "--seed", "x"], "\"--seed\" wants a whole number, not \"x\""),
    ("weights that are none", [*FIT, "--focal", "1"], "\"--focal\" wants two numbers such as 0.1,0.5, not \"1\""),
    ("a bridge of the other direction", ["evaluate", "old.npy", "new.npy", "--bridge", "bridge.safetensors"],
     "12: they are swapped, the rows of the model it comes from go first"),
    ("a bridge of other sizes", ["evaluate", "eleven.npy", "old.npy", "--bridge", "bridge.safetensors"],
     "the bridge leads from 12 dimensions to 8, the rows of \"v2\" have 11 and those of \"v1\" 8"),
    ("a bridge of no numbers", ["evaluate", "new.npy", "old.npy", "--bridge", "broken.safetensors"],
     "cannot use \"broken.safetensors\" as a bridge: tensor \"faithful.weight\": number 0 is not finite"),
    ("a head as a bridge", ["evaluate", "new.npy", "old.npy", "--bridge", "head.safetensors"],
     "there is no metadata \"format_version\": this is not a bridge"),
    ("a bridge as a head", ["evaluate", "new.npy", "old.npy", "--head", "bridge.safetensors"],
     "there is no tensor \"weight\" of classes x size, a row for each class"),
    ("two bridges that do not meet",
     ["evaluate", "new.npy", "old.npy", "--bridge", "bridge.safetensors", "--then", "bridge.safetensors"],
     "one bridge leads to \"v1\" (8 dimensions), the next comes from \"v2\" (12): they make no chain"),
    ("a second bridge without a first", ["evaluate", "new.npy", "old.npy", "--then", "bridge.safetensors"],
     "\"--then\" goes with \"--bridge FILE\""),
    ("one model to judge", ["evaluate", "new.npy"], "two files are wanted, FROM.npy and TO.npy, or one data set"),
    ("nothing to judge on", ["evaluate", "none.npy", "none_old.npy"], "there are 0 rows to judge on"),
    ("another direction than the data set's", ["evaluate", "data.safetensors", "--bridge", "back.safetensors",
                                              "--from", "v2", "--to", "v1"],
     "the bridge leads from 8 dimensions to 12"),
]


def check(words, sentence):
    made = ("out.safetensors", "out.safetensors.new", "out.json")
    for name in made:
        if os.path.exists(name):
            os.remove(name)
    done = subprocess.run([HEIRLOOM, *words, *(["--out", "out.safetensors"] if words[0] == "fit" else []),
                           "--json", "out.json"], capture_output=True, text=True, timeout=240)
    said = [line for line in done.stderr.splitlines() if not line.startswith(words[0] + ":  ")]
    if done.returncode != 1:
        return f"exit status {done.returncode}: {done.stderr}{done.stdout[-300:]}"
    if sentence not in done.stderr:
        return f"said {said}"
    left = [name for name in made if os.path.exists(name)]
    return f"left {left}" if left else None


def check_full():
    """A report that nobody can read is no success."""
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([HEIRLOOM, "evaluate", "new.npy", "old.npy"], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=240)
    if done.returncode != 1 or "could not write to standard output" not in done.stderr:
        return f"exit status {done.returncode}: {done.stderr}"
    return None


def main():
    n_failed = 0
    print(f"1..{len(CASES) + 1}")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        make()
        found = [(name, check(words, sentence)) for name, words, sentence in CASES]
        found.append(("a full standard output", check_full()))
        for i, (name, wrong) in enumerate(found):
            print(f"{'not ok' if wrong else 'ok'} {i + 1} - {name} is refused")
            if wrong:
                n_failed += 1
                print(f"# {wrong}")
        os.chdir("/")
    return 1 if n_failed else 0


sys.exit(main())
