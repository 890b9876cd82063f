# SPDX-License-Identifier: Apache-2.0
"""What a figure is: sides that are measured turn about, and what is asked of their ratios."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Ratio:
    """`of` over `to`, by the rounds: each of its own moment."""
    label: str
    of: str
    to: str
    mark: float | None = None
    at_most: bool = False


class Figure:
    """`sides`: a label for each name. `turns`: functions that measure once, each giving the values of one side or
    several by their names; a round is all of them. What took part but is no number of a round goes to `notes`."""
    name = title = unit = ""
    better = "less"
    targets = ()       # what ninja is to build
    is_large = False   # only when asked for
    missing = None     # why what it takes cannot be built

    def __init__(self, rig):
        self.rig, self.options = rig, rig.options
        self.sides, self.ratios, self.notes = {}, [], {}

    def prepare(self):
        """All that is done once, before the first round."""

    def turns(self):
        raise NotImplementedError

    def done(self):
        """Ends what nobody else uses, also after a failure."""
