# SPDX-License-Identifier: Apache-2.0
"""What tests/bench/run makes of rounds: the middle and the spread, marks, files after every round, failures that
stay alone, another time. Nothing is measured here."""
import json
import os
import pathlib
import sys
import tempfile
import xml.dom.minidom

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "figures"))
import inside  # noqa: E402
import plot  # noqa: E402
import report as shown  # noqa: E402
import rounds  # noqa: E402
import spread  # noqa: E402
from figure import Figure, Ratio  # noqa: E402


class Said(Figure):
    """A figure that says what it is told: a list of values for each side, an exception where one is to be raised."""
    unit = "us"

    def __init__(self, name, values, ratios=()):
        self.rig = self.options = None
        self.name, self.title, self.notes, self.values = name, f"what {name} takes", {}, values
        self.sides, self.ratios, self.order = {side: side for side in values}, list(ratios), []
        self.is_done = False

    def take(self, side):
        self.order.append(side)
        value = self.values[side].pop(0)
        if isinstance(value, BaseException):
            raise value
        return {side: value}

    def turns(self):
        return [lambda side=side: self.take(side) for side in self.values]

    def done(self):
        self.is_done = True


FASTER = [Ratio("slow / fast", "slow", "fast", 4)]


def pair(name="pair", slow=(8, 10, 12), fast=(2, 2, 2), ratios=FASTER):
    return Said(name, {"slow": list(slow), "fast": list(fast)}, ratios)


def measure(figures, folder, n_rounds=3, commit="a-dirty"):
    """The file as it stands afterwards, and whether all was measured."""
    report = shown.Report(folder, {"processor": "one", "commit": commit}, {"rounds": n_rounds}, "a machine")
    is_whole = rounds.all_figures(figures, report, n_rounds, lambda _: None, lambda _: None)
    with open(f"{folder}/figures.json", encoding="utf-8") as file:
        content = json.load(file)
    assert content == report.content
    return content, is_whole, report


def the_median_lies_between_the_middle_two(_):
    assert spread.of([4, 1, 3, 2]) == {"median": 2.5, "q1": 1.75, "q3": 3.25, "min": 1, "max": 4}
    assert spread.quantile([7], .25) == 7


def spreads_are_apart_when_their_middle_halves_are(_):
    low, high, wide = spread.of([1, 2, 3]), spread.of([4, 5, 6]), spread.of([1, 4, 9])
    assert spread.is_apart(low, high) and spread.is_apart(high, low)
    assert not spread.is_apart(low, wide) and not spread.is_apart(low, low)


def numbers_are_shown_with_the_figures_that_count(_):
    assert [spread.text(v) for v in (0, .012, .5, 3.14159, 31.4159, 314.159, 31415.9)] == [
        "0", "0.0120", "0.50", "3.14", "31.4", "314", "31,416"]


def a_ratio_is_of_the_values_of_one_round(folder):
    content, is_whole, _ = measure([pair(slow=(8, 20, 12), fast=(2, 4, 2))], folder)
    ratio = content["figures"]["pair"]["ratios"][0]
    assert is_whole and ratio["values"] == [4, 5, 6] and ratio["median"] == 5 and ratio["is_met"]


def every_other_round_goes_backwards(folder):
    figure = pair()
    measure([figure], folder)
    assert figure.order == ["slow", "fast", "fast", "slow", "slow", "fast"] and figure.is_done


def marks_are_missed_on_the_wrong_side_alone(folder):
    ratios = [Ratio("a", "slow", "fast", 5), Ratio("b", "slow", "fast", 5.1), Ratio("c", "slow", "fast", 5, True),
              Ratio("d", "slow", "fast", 4.9, True), Ratio("e", "slow", "fast")]
    content, _, report = measure([pair(ratios=ratios)], folder)
    assert [r["is_met"] for r in content["figures"]["pair"]["ratios"]] == [True, False, True, False, True]
    assert report.n_missed() == 2
    said = shown.lines("pair", content["figures"]["pair"])
    assert sum("MISSED" in line for line in said) == 2 and sum("met" in line for line in said) == 2


def a_figure_that_fails_leaves_its_rounds_and_the_other_figures(folder):
    broken, whole = pair("broken", slow=(8, ValueError("no wind")), fast=(2, 2)), pair("whole")
    content, is_whole, report = measure([broken, whole], folder)
    assert is_whole and report.n_failed() == 1 and broken.is_done
    part = content["figures"]["broken"]
    assert part["error"] == "ValueError: no wind" and part["rounds"] == [{"slow": 8, "fast": 2}]
    assert len(content["figures"]["whole"]["rounds"]) == 3 and not content["figures"]["whole"]["error"]
    assert any("no wind" in line for line in shown.lines("broken", part))


def one_that_cannot_even_begin_is_a_failed_mark(folder):
    class Absent(Said):
        def prepare(self):
            sys.exit("the server did not start")
    content, _, report = measure([Absent("absent", {"slow": [], "fast": []}, FASTER)], folder)
    assert report.n_failed() == 1 and not os.path.exists(f"{folder}/absent.svg")
    assert shown.table(content)[2] == "| absent: slow / fast | not measured | at least 4 | **failed** |"
    unbuilt = pair("unbuilt")
    unbuilt.missing = "no compiler"
    content, _, report = measure([unbuilt, pair()], folder)
    assert report.n_failed() == 1 and "no compiler" in content["figures"]["unbuilt"]["error"] and unbuilt.order == []


def who_is_interrupted_leaves_what_was_measured(folder):
    stopped, never = pair("stopped", slow=(8, KeyboardInterrupt()), fast=(2, 2)), pair("never")
    content, is_whole, _ = measure([stopped, never], folder)
    assert not is_whole and stopped.is_done and never.order == [] and list(content["figures"]) == ["stopped"]
    assert content["figures"]["stopped"]["error"] == "interrupted"
    assert content["figures"]["stopped"]["rounds"] == [{"slow": 8, "fast": 2}]


def a_plot_has_a_dot_for_each_round_and_a_line_for_each_mark(folder):
    measure([pair(), pair("unmarked", ratios=[Ratio("a<b", "slow", "fast")])], folder)
    marked, unmarked = (xml.dom.minidom.parse(f"{folder}/{name}.svg") for name in ("pair", "unmarked"))
    for drawn, n_marks in ((marked, 1), (unmarked, 0)):
        assert len(drawn.getElementsByTagName("circle")) == 9
        assert sum(line.getAttribute("class") == "mark" for line in drawn.getElementsByTagName("line")) == n_marks
    said = [text.firstChild.data for text in marked.getElementsByTagName("text")]
    assert {"what pair takes", "us, less is better", "slow", "fast", "slow / fast", "10.0", "2.00", "5.00", "≥ 4",
            "met", "a machine"} <= set(said)


def all_that_is_drawn_stands_inside_of_the_plot(folder):
    for slow in ((8, 10, 12), (.001, .002, .003), (90000, 1e6, 5e6), (0, 0, 0)):
        measure([pair(slow=slow)], folder)
        drawn = xml.dom.minidom.parse(f"{folder}/pair.svg")
        height = float(drawn.documentElement.getAttribute("height"))
        for circle in drawn.getElementsByTagName("circle"):
            assert plot.LEFT - 1 <= float(circle.getAttribute("cx")) <= plot.WIDTH - plot.RIGHT + 1
            assert 0 < float(circle.getAttribute("cy")) < height


def another_time_is_told_apart_beyond_the_spread_alone(folder):
    old, _, _ = measure([pair(), pair("gone")], f"{folder}/old")
    same, _, _ = measure([pair(slow=(9, 10, 11))], f"{folder}/same")
    new, _, _ = measure([pair(slow=(4, 5, 6))], f"{folder}/new")
    new["machine"]["processor"] = "another"
    assert shown.against(old, same) == ["beyond the spread, of 3 numbers that both times have:", "    nothing changed"]
    said = shown.against(old, new)
    assert said[1:] == ["    processor: one then, another now",
                        "    pair: slow, us: 10.0 (9.00 to 11.0) then, 5.00 (4.50 to 5.50) now, -50.0%",
                        "    pair: slow / fast, times: 5.00 (4.50 to 5.50) then, 2.50 (2.25 to 2.75) now, -50.0%"]


def who_measures_one_figure_again_keeps_the_others_of_the_same_code(folder):
    def again(**how):
        return list(measure([pair("a", slow=(8, 9), fast=(2, 2))], folder, n_rounds=how.pop("n", 2), **how)[0]["figures"])
    measure([pair("a", slow=(8, 9), fast=(2, 2)), pair("b", slow=(8, 9), fast=(2, 2))], folder, 2, "c")
    assert again(commit="c") == ["a", "b"] and again(commit="d") == ["a"]
    measure([pair("b", slow=(8, 9), fast=(2, 2))], folder, 2, "c-dirty")
    assert again(commit="c-dirty") == ["a"]
    measure([pair("b", slow=(8, 9), fast=(2, 2))], folder, 2, "c")
    assert again(commit="c", n=1) == ["a"]


def the_least_beam_is_the_first_that_finds_enough(_):
    for right in (10, 11, 15, 16, 17, 63, 64, 65, 1000):
        asked = []

        def recall(beam, right=right, asked=asked):
            asked.append(beam)
            return .99 if beam >= right else .9
        assert inside.least_beam(recall, .99) == right and len(asked) < 20
    try:
        inside.least_beam(lambda beam: .9, .99)
    except inside.of.Failed:
        return
    raise AssertionError("a recall that is never reached was reached")


def a_load_that_fails_says_why_and_one_that_was_late_leaves_a_note(_):
    said = {"requests": 10, "failed": 0, "errors": [], "generator": {"was_limit": False, "was_late": False}}
    notes = {}
    assert inside.of.checked(said, None, notes) is said and not notes
    inside.of.checked({**said, "generator": {"was_late": True}}, None, notes)
    assert "late" in notes["beware of the load"]
    for bad, why in (({"failed": 3, "errors": [{"n": 3, "status": 503, "error": "the server stops"}]}, "503 the server stops"),
                     ({"requests": 0}, "0 of 0 requests failed")):
        try:
            inside.of.checked({**said, **bad}, None, notes)
        except inside.of.Failed as fault:
            assert why in str(fault)
        else:
            raise AssertionError("a load that failed did not")


TESTS = [the_median_lies_between_the_middle_two, spreads_are_apart_when_their_middle_halves_are,
         numbers_are_shown_with_the_figures_that_count, a_ratio_is_of_the_values_of_one_round,
         every_other_round_goes_backwards, marks_are_missed_on_the_wrong_side_alone,
         a_figure_that_fails_leaves_its_rounds_and_the_other_figures, one_that_cannot_even_begin_is_a_failed_mark,
         who_is_interrupted_leaves_what_was_measured, a_plot_has_a_dot_for_each_round_and_a_line_for_each_mark,
         all_that_is_drawn_stands_inside_of_the_plot, another_time_is_told_apart_beyond_the_spread_alone,
         who_measures_one_figure_again_keeps_the_others_of_the_same_code, the_least_beam_is_the_first_that_finds_enough,
         a_load_that_fails_says_why_and_one_that_was_late_leaves_a_note]


def main():
    print(f"TAP version 13\n1..{len(TESTS)}")
    n_failed = 0
    for n, test in enumerate(TESTS, 1):
        fault = None
        with tempfile.TemporaryDirectory(prefix="heirloom-figures-") as folder:
            try:
                test(folder)
            except Exception as raised:  # pylint: disable=broad-except
                fault = raised
        n_failed += fault is not None
        print(f"{'not ok' if fault else 'ok'} {n} - {test.__name__.replace('_', ' ')}")
        if fault:
            print(f"# {type(fault).__name__} in line {fault.__traceback__.tb_next.tb_lineno}: {fault}")
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
