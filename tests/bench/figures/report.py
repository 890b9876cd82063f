# SPDX-License-Identifier: Apache-2.0
"""What was measured, as lines, as JSON and as plots; and what is different from another time."""
import json
import os

import plot
import spread

FORMAT = 1


def measured(figure, rounds, error, seconds):
    """A figure's part of the file, from its rounds so far: the value of each side, by its name."""
    sides = {}
    for name, label in figure.sides.items():
        values = [values[name] for values in rounds if name in values]
        sides[name] = {"label": label, "values": values, **(spread.of(values) if values else {})}
    ratios = []
    for ratio in figure.ratios:
        values = [values[ratio.of] / values[ratio.to] for values in rounds
                  if ratio.of in values and values.get(ratio.to)]
        entry = {"label": ratio.label, "of": ratio.of, "to": ratio.to, "mark": ratio.mark,
                 "at_most": ratio.at_most, "values": values}
        if values:
            entry |= spread.of(values)
            entry["is_met"] = ratio.mark is None or (
                entry["median"] <= ratio.mark if ratio.at_most else entry["median"] >= ratio.mark)
        ratios.append(entry)
    return {"title": figure.title, "unit": figure.unit, "better": figure.better, "rounds": rounds, "sides": sides,
            "ratios": ratios, "notes": figure.notes, "error": error, "seconds": round(seconds, 1)}


def save_whole(path, text):
    """There is never half a file of it."""
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(f"{path}.new", path)


class Report:
    def __init__(self, folder, machine, settings, machine_line):
        os.makedirs(folder, exist_ok=True)
        self.folder, self.machine_line = folder, machine_line
        self.content = {"format": FORMAT, "machine": machine, "settings": settings,
                        "figures": self.earlier(machine, settings)}

    def earlier(self, machine, settings):
        """What stands in the folder already, where it is of the same code, machine and sizes: who measures one figure
        again keeps the others."""
        try:
            with open(f"{self.folder}/figures.json", encoding="utf-8") as file:
                content = json.load(file)
        except (OSError, ValueError):
            return {}
        same = [content.get("format") == FORMAT, content.get("settings") == settings,
                "dirty" not in machine.get("commit", "dirty"),
                *(content.get("machine", {}).get(key) == machine.get(key) for key in ("commit", "processor", "kernel"))]
        return content["figures"] if all(same) else {}

    def keep(self, name, part):
        """After each round, so that whatever happens leaves what was measured."""
        self.content["figures"][name] = part
        save_whole(f"{self.folder}/figures.json", json.dumps(self.content, indent=1) + "\n")
        if part["rounds"]:
            save_whole(f"{self.folder}/{name}.svg", plot.svg(part, self.machine_line))

    def n_missed(self):
        return sum(not ratio.get("is_met", True) for part in self.content["figures"].values()
                   for ratio in part["ratios"])

    def n_failed(self):
        return sum(bool(part["error"]) for part in self.content["figures"].values())


# ---- lines ----

def range_of(entry):
    return f"{spread.text(entry['median'])} ({spread.text(entry['q1'])} to {spread.text(entry['q3'])})"


def verdict(ratio):
    if ratio["mark"] is None:
        return ""
    bound = f"at {'most' if ratio['at_most'] else 'least'} {ratio['mark']:g}"
    return f"  {bound}: {'met' if ratio['is_met'] else 'MISSED'}"


def lines(name, part):
    out = [f"{name}: {part['title']} ({part['unit']}, {part['better']} is better)"]
    for side in part["sides"].values():
        if side["values"]:
            out.append(f"    {side['label']:<34} {range_of(side)}")
    for ratio in part["ratios"]:
        if ratio["values"]:
            out.append(f"    {ratio['label']:<34} {range_of(ratio)} times{verdict(ratio)}")
    out += [f"    {what}: {value}" for what, value in part["notes"].items()]
    if part["error"]:
        out.append(f"    ENDED EARLY, after {len(part['rounds'])} rounds: {part['error']}")
    return out


def table(content):
    """One line a mark, in Markdown."""
    out = ["| figure | median (quartiles) | mark | |", "| --- | --- | --- | --- |"]
    for name, part in content["figures"].items():
        marked = [ratio for ratio in part["ratios"] if ratio["mark"] is not None]
        for ratio in marked:
            value = f"{range_of(ratio)}" if ratio["values"] else "not measured"
            said = ("met" if ratio["is_met"] else "**missed**") if ratio["values"] else "**failed**"
            out.append(f"| {name}: {ratio['label']} | {value} | at {'most' if ratio['at_most'] else 'least'} "
                       f"{ratio['mark']:g} | {said} |")
    return out


# ---- another time ----

def pairs(old, new):
    """What both have: a label, and the two."""
    for name, part in new["figures"].items():
        before = old["figures"].get(name)
        if not before:
            continue
        for side, entry in part["sides"].items():
            if entry["values"] and before["sides"].get(side, {}).get("values"):
                yield f"{name}: {entry['label']}, {part['unit']}", before["sides"][side], entry
        known = {(ratio["of"], ratio["to"]): ratio for ratio in before["ratios"] if ratio["values"]}
        for ratio in part["ratios"]:
            if ratio["values"] and (ratio["of"], ratio["to"]) in known:
                yield f"{name}: {ratio['label']}, times", known[ratio["of"], ratio["to"]], ratio


def against(old, new):
    """What changed by more than the rounds of either time differ among themselves."""
    out, n = [], 0
    for key in ("processor", "kernel", "compiler", "commit"):
        if old["machine"].get(key) != new["machine"].get(key):
            out.append(f"    {key}: {old['machine'].get(key)} then, {new['machine'].get(key)} now")
    for key in sorted(old["settings"].keys() & new["settings"].keys()):
        if old["settings"][key] != new["settings"][key]:
            out.append(f"    {key}: {old['settings'][key]} then, {new['settings'][key]} now")
    for label, before, entry in pairs(old, new):
        n += 1
        if spread.is_apart(before, entry):
            change = entry["median"] / before["median"] - 1 if before["median"] else 0
            out.append(f"    {label}: {range_of(before)} then, {range_of(entry)} now, {change:+.1%}")
    return [f"beyond the spread, of {n} numbers that both times have:", *(out or ["    nothing changed"])]
