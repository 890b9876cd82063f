# SPDX-License-Identifier: Apache-2.0
"""Every figure of a report, worked out a second time, in numpy and from the definitions of
compat/README.md alone: plain, in double precision, whole matrices at once.

A figure is (value, low, high, of, slack). Scores of ours are of single precision; `slack` is how far the
value may move by decisions that hang on less than NEAR."""
import numpy as np

NEAR = 2e-6
Z = 1.96
FIDELITIES = [i / 10 for i in range(11)]


def unit(rows):
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1)


# ---- an exam ----

class Exam:
    def __init__(self, new, old, labels=None, texts=None, max_ranked=2500):
        n = len(new)
        texts = np.zeros(n, bool) if texts is None else texts
        shown = ~texts if (~texts).any() else np.ones(n, bool)
        images = np.flatnonzero(shown)
        captions = np.flatnonzero(~shown)
        if labels is not None and not (labels >= 0).any():
            labels = None
        self.is_dealt = False
        queries, gallery = images[:len(images) // 2], images[len(images) // 2:]
        if labels is not None:
            def asked(q, g):
                q = q[labels[q] >= 0]
                return np.isin(labels[q], labels[g]).sum(), len(q)
            halves, n_labelled = asked(queries, gallery)
            if halves < n_labelled // 2 and asked(images[::2], images[1::2])[0] > halves:
                self.is_dealt = True
                queries, gallery = images[::2], images[1::2]

        def ranked(q, of):
            step = max(1, -(-of // max_ranked)) if self.is_dealt else 1
            first = q[::step][:max_ranked]
            return first, np.setdiff1d(q, first)
        image_first, image_rest = ranked(queries, len(images) // 2)
        text_first, text_rest = ranked(captions, len(captions))
        self.order = np.concatenate([image_first, text_first, image_rest, text_rest, gallery])
        self.n_queries = len(queries) + len(captions)
        self.n_ranked = len(image_first) + len(text_first)
        self.new, self.old = unit(new[self.order]), unit(old[self.order])
        self.labels = None if labels is None else labels[self.order]
        self.texts = texts[self.order]

    def split(self, rows):
        return rows[:self.n_queries], rows[self.n_queries:]


# ---- figures ----

def share(hits, n, slack=0):
    if n == 0:
        return None
    p = hits / n
    middle = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * np.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    return p, middle - half, middle + half, n, slack / n


def around(value, cases, slack=0):
    """cases: each one's share in the deviation of the value."""
    half = Z * np.std(cases, ddof=1) / np.sqrt(len(cases)) if len(cases) > 1 else np.nan
    return value, value - half, value + half, len(cases), slack


def mean(values, slack=0):
    if len(values) == 0:
        return None
    return around(values.mean(), values, slack / len(values))


def ratio(a, b, slack=0):
    if len(a) == 0 or not b.sum() > 0:
        return None
    value = a.sum() / b.sum()
    return around(value, (a - value * b) / b.mean(), slack / b.sum())


def product_ratio(a, b, c, slack=0):
    if len(a) == 0 or not b.sum() > 0 or not c.sum() > 0:
        return None
    value = a.mean() / (b.mean() * c.mean())
    cases = a / (b.mean() * c.mean()) - value * (b / b.mean() + c / c.mean())
    return around(value, cases, 3 * slack / len(a) / (b.mean() * c.mean()))


# ---- retrieval ----

def precision(is_same):
    """Average precision of items in the order in which they were found."""
    places = np.flatnonzero(is_same) + 1
    return (np.arange(1, len(places) + 1) / places).mean()


class Answers:
    """Of scores, queries x gallery, whole."""

    def __init__(self, scores, query_labels, gallery_labels, n_ranked):
        n, k = len(scores), min(10, scores.shape[1])
        order = np.argsort(-scores, axis=1, kind="stable")
        self.top = order[:, :k]
        sorted_scores = np.take_along_axis(scores, order, 1)
        self.top_close = np.zeros(n, bool)
        if scores.shape[1] > k:
            self.top_close = sorted_scores[:, k - 1] - sorted_scores[:, k] < NEAR
        self.asked = np.zeros(n, bool)
        self.top1 = np.zeros(n, bool)
        self.recall10 = np.zeros(n, bool)
        self.ap = np.full(n, np.nan)
        self.top1_close = np.zeros(n, bool)
        self.recall10_close = np.zeros(n, bool)
        self.ap_slack = np.zeros(n)
        if query_labels is None:
            return
        same = (query_labels[:, None] == gallery_labels[None, :]) & (query_labels >= 0)[:, None]
        self.asked = same.any(1)
        self.top1 = same[np.arange(n), order[:, 0]]
        self.recall10 = np.take_along_axis(same, self.top, 1).any(1)
        best_same = np.where(same, scores, -9).max(1)
        best_other = np.where(same, -9, scores).max(1)
        self.top1_close = abs(best_same - best_other) < NEAR
        tenth = sorted_scores[:, k - 1]
        self.recall10_close = abs(best_same - tenth) < NEAR
        for q in np.flatnonzero(self.asked[:n_ranked]):
            self.ap[q] = precision(same[q][order[q]])
            turns = np.diff(same[q][order[q]].astype(int)) != 0
            if (turns & (-np.diff(sorted_scores[q]) < 2 * NEAR)).any():
                for shift in (-NEAR, NEAR):
                    shifted = same[q][np.argsort(-(scores[q] + shift * same[q]), kind="stable")]
                    self.ap_slack[q] = max(self.ap_slack[q], abs(precision(shifted) - self.ap[q]))

    def retrieval(self, who):
        who = who & self.asked
        ranked = who & ~np.isnan(self.ap)
        return {"top1": share(self.top1[who].sum(), who.sum(), self.top1_close[who].sum()),
                "recall10": share(self.recall10[who].sum(), who.sum(), self.recall10_close[who].sum()),
                "map": mean(self.ap[ranked], self.ap_slack[ranked].sum())}


def overlap(a, b, who):
    k = a.top.shape[1]
    shared = np.array([len(set(x) & set(y)) for x, y in zip(a.top[who], b.top[who])]) / k
    return mean(shared, (a.top_close | b.top_close)[who].sum() / k)


class Selves:
    def __init__(self, mapped, gallery):
        scores = mapped @ gallery.T
        own = np.diag(scores)[:, None]
        after = np.arange(len(gallery))[None, :] < np.arange(len(gallery))[:, None]
        self.place = ((scores > own) | ((scores == own) & after)).sum(1)
        others = ~np.eye(len(gallery), dtype=bool)
        self.least = ((scores > own + NEAR) & others).sum(1)
        self.most = ((scores > own - NEAR) & others).sum(1)

    def share(self, k, who):
        close = ((self.least < k) != (self.most < k))[who].sum()
        return share((self.place < k)[who].sum(), who.sum(), close)


# ---- maps ----

def through(map_, rows):
    out = rows @ map_["p"].T + map_["c"]
    if "a" in map_:
        hidden = rows @ map_["a"].T + map_["a_bias"]
        out = out + np.where(hidden < 0, map_["slope"] * hidden, hidden) @ map_["b"].T
    return unit(out)


def way_of(bridge, is_text):
    return bridge["text"] if is_text and bridge.get("text") else bridge["image"]


def map_rows(bridge, rows, texts, fidelity=None):
    """fidelity None: the bridge's own."""
    f = bridge["fidelity"] if fidelity is None else fidelity
    out = np.zeros((len(rows), len(bridge["image"]["faithful"]["c"])))
    for is_text in (False, True):
        way, who = way_of(bridge, is_text), texts == is_text
        faithful = through(way["faithful"], rows[who])
        judged = through(way["judged"], rows[who]) if way.get("judged") else faithful
        out[who] = unit((1 - f) * judged + f * faithful)
    return out


def map_all(bridges, exam, fidelity=None):
    rows = exam.new
    for bridge in bridges:
        rows = map_rows(bridge, rows, exam.texts, fidelity)
    return rows


# ---- heads ----

class Judged:
    def __init__(self, head, rows, labels, classes=None):
        logits = rows @ head["weight"].T + head["bias"]
        classes = np.arange(len(logits[0])) if classes is None else classes
        ends = np.sort(logits, axis=1)
        self.asked = np.isin(labels, classes) & (labels >= 0)
        self.right = classes[logits.argmax(1)] == labels
        self.close = ends[:, -1] - ends[:, -2] < NEAR * 50


# ---- a report ----

def group_masks(exam, head):
    n = len(exam.order)
    masks = {"all": np.ones(n, bool)}
    if exam.labels is not None and head is not None:
        unknown = exam.labels >= len(head["weight"])
        if unknown.any():
            masks["known"] = (exam.labels >= 0) & ~unknown
            masks["unknown"] = unknown
    if exam.texts.any():
        masks["image"], masks["text"] = ~exam.texts, exam.texts
    return masks


def flips(was, new, who, was_close, new_close):
    was, now = was[who].astype(float), new[who].astype(float)
    close = (was_close | new_close)[who].sum()
    negative, positive = was * (1 - now), (1 - was) * now
    return (share(negative.sum(), len(was), close), share(positive.sum(), len(was), close),
            product_ratio(negative, was, 1 - now, close))


class Report:
    """All of it. `head`, `own`: {"weight", "bias"}; own_classes: the label of each row of `own`."""

    def __init__(self, exam, bridges=(), head=None, own=None, own_classes=None):
        self.exam, self.bridges, self.head = exam, bridges, head
        self.own, self.own_classes = own, own_classes
        self.old_queries, self.old_gallery = exam.split(exam.old)
        self.new_queries, self.new_gallery = exam.split(exam.new)
        self.old_old = self.answers(self.old_queries, self.old_gallery)
        self.new_new = self.answers(self.new_queries, self.new_gallery)
        if bridges:
            self.images = exam.split(map_all(bridges, exam, 1))[1]
            mixed = self.old_gallery.copy()
            mixed[1::2] = self.images[1::2]
            self.old_new = self.answers(self.old_queries, self.images)
            self.old_mixed = self.answers(self.old_queries, mixed)

    def answers(self, queries, gallery):
        labels = self.exam.labels
        q, g = (None, None) if labels is None else self.exam.split(labels)
        return Answers(queries @ gallery.T, q, g, self.exam.n_ranked)

    def mapped(self, fidelity=None):
        return map_all(self.bridges, self.exam, fidelity)

    # groups

    def groups(self):
        masks = group_masks(self.exam, self.head)
        mapped = self.mapped(0) if self.bridges else None
        found = self.answers(self.exam.split(mapped)[0], self.old_gallery) if self.bridges else None
        selves = Selves(self.exam.split(mapped)[1], self.old_gallery) if self.bridges else None
        groups = {name: self.group(mask, mapped, found, selves) for name, mask in masks.items()}
        if self.bridges:
            served = self.answers(self.exam.split(self.mapped())[0], self.old_gallery)
            for name, mask in masks.items():
                who = self.exam.split(mask)[0]
                groups[name]["served"] = served.retrieval(who)
                groups[name]["served_negative_flips"] = flips(
                    self.old_old.top1, served.top1, who & self.old_old.asked, self.old_old.top1_close,
                    served.top1_close)[0]
        return groups

    def group(self, mask, mapped, found, selves):
        who, items = self.exam.split(mask)
        new = found if self.bridges else self.new_new
        g = {"old_old": self.old_old.retrieval(who), "new_new": self.new_new.retrieval(who),
             "old_overlap10": overlap(self.old_old, self.new_new, who)}
        g.update(self.compare(who & self.old_old.asked, new))
        g.update(self.through_heads(mask, mapped))
        if self.bridges:
            g.update(new_old=found.retrieval(who), old_new=self.old_new.retrieval(who),
                     old_mixed=self.old_mixed.retrieval(who), self1=selves.share(1, items),
                     self10=selves.share(10, items), overlap10=overlap(found, self.new_new, who))
            g.update(self.forward(who & self.old_old.asked))
            for figure in ("top1", "map"):
                old, now = g["old_old"][figure], g["new_old"][figure]
                g["meets_" + figure] = None if now is None else bool(now[0] > old[0])
        return g

    def compare(self, who, new):
        old, own, g = self.old_old, self.new_new, {}
        close = (old.top1_close | new.top1_close | own.top1_close)[who].sum()
        for name, values in (("top1", [x.top1.astype(float) for x in (old, new, own)]),
                             ("map", [x.ap for x in (old, new, own)])):
            cases = who & ~np.isnan(values[0])
            was, now, could = (v[cases] for v in values)
            slack = close if name == "top1" else (old.ap_slack + new.ap_slack + own.ap_slack)[cases].sum()
            g[name + "_difference"] = mean(now - was, slack)
            if self.bridges:
                g[name + "_gain"] = ratio(now - was, could - was, 2 * slack)
        g["negative_flips"], g["positive_flips"], g["relative_flips"] = flips(
            old.top1, new.top1, who, old.top1_close, new.top1_close)
        return g

    def forward(self, who):
        images, own = self.old_new, self.new_new
        ranked = who & ~np.isnan(own.ap)
        top1 = images.top1[who].astype(float) - own.top1[who]
        ap = images.ap[ranked] - own.ap[ranked]
        return {"forward_top1_difference": mean(top1, (images.top1_close | own.top1_close)[who].sum()),
                "forward_map_difference": mean(ap, (images.ap_slack + own.ap_slack)[ranked].sum()),
                "meets_forward": bool(top1.sum() > 0 and ap.sum() > 0) if len(ap) else None}

    def through_heads(self, mask, mapped):
        g, labels, old, own, new = {}, self.exam.labels, None, None, None
        if labels is None:
            return g
        # Of very many classes the first rows alone are asked.
        most = (1 << 28) // max([len(h["weight"]) for h in (self.head, self.own) if h] or [1])
        mask = mask & (np.arange(len(mask)) < most)
        if self.head is not None:
            old = Judged(self.head, self.exam.old, labels)
            g["old_accuracy"] = self.accuracy(old, mask & old.asked)
            if self.bridges:
                new = Judged(self.head, mapped, labels)
                g["new_accuracy"] = self.accuracy(new, mask & old.asked)
        if self.own is not None:
            own = Judged(self.own, self.exam.new, labels, self.own_classes)
            g["own_accuracy"] = self.accuracy(own, mask & own.asked & (old.asked if old else True))
        other = new if self.bridges else own
        if old and other:
            who = mask & old.asked & other.asked
            (g["head_negative_flips"], g["head_positive_flips"], g["head_relative_flips"]) = flips(
                old.right, other.right, who, old.close, other.close)
        return g

    @staticmethod
    def accuracy(judged, who):
        return share(judged.right[who].sum(), who.sum(), judged.close[who].sum())

    # the dial

    def step(self, fidelity=None):
        queries, items = self.exam.split(self.mapped(fidelity))
        found, selves = self.answers(queries, self.old_gallery), Selves(items, self.old_gallery)
        everyone = np.ones(len(queries), bool)
        step = found.retrieval(everyone)
        step["negative_flips"] = flips(self.old_old.top1, found.top1, self.old_old.asked,
                                       self.old_old.top1_close, found.top1_close)[0]
        step["self1"], step["self10"] = (selves.share(k, np.ones(len(items), bool)) for k in (1, 10))
        step["overlap10"] = overlap(found, self.new_new, everyone)
        return step

    # pairs

    def pairs(self, queries, gallery):
        """Scores of ranked queries, and which pairs share a label; of rows whose label is known."""
        q, g = self.exam.split(self.exam.labels)
        q, known = q[:self.exam.n_ranked], g >= 0
        rows = q >= 0
        scores = (queries[:self.exam.n_ranked] @ gallery.T)[rows][:, known]
        return scores, q[rows][:, None] == g[known][None, :]

    def thresholds(self):
        if self.bridges:
            scores, same = self.pairs(self.exam.split(self.mapped())[0], self.old_gallery)
        else:
            scores, same = self.pairs(self.new_queries, self.new_gallery)
        out = []
        for i in range(41):
            t = -1 + i / 20
            over, close = scores >= t, (abs(scores - t) < NEAR).sum()
            hits = (over & same).sum(1).astype(float)
            out.append({"threshold": t,
                        "precision": self.of_pairs(hits, over.sum(1).astype(float), close),
                        "recall": self.of_pairs(hits, same.sum(1).astype(float), close)})
        return out

    @staticmethod
    def of_pairs(a, b, close):
        figure = ratio(a, b, close)
        return figure and figure[:3] + (int(b.sum()),) + figure[4:]

    def true_accepts(self):
        spaces = {"old_old": (self.old_queries, self.old_gallery),
                  "new_new": (self.new_queries, self.new_gallery)}
        if self.bridges:
            spaces["new_old"] = (self.exam.split(self.mapped())[0], self.old_gallery)
        out = []
        for rate in (.01, .001, .0001):
            row = {"false_accepts": rate}
            for name, space in spaces.items():
                scores, same = self.pairs(*space)
                strangers = np.sort(scores[~same])[::-1]
                allowed = int(rate * len(strangers))
                if rate * len(strangers) < 1:
                    continue
                over = (scores > strangers[allowed]) & same if allowed < len(strangers) else same
                close = (abs(scores - strangers[min(allowed, len(strangers) - 1)]) < 2 * NEAR) & same
                row[name] = self.of_pairs(over.sum(1).astype(float), same.sum(1).astype(float),
                                          close.sum())
            out.append(row)
        return out


# ---- what a fit chooses on its holdout ----

def logistic(scores, same):
    n_same, n_other = same.sum(), (~same).sum()
    if not n_same or not n_other:
        return 0.0, 0.0
    target = np.where(same, (n_same + 1) / (n_same + 2), 1 / (n_other + 2))
    middle, spread = scores.mean(), scores.std()
    rows = np.stack([(scores - middle) / spread, np.ones_like(scores)], 1)

    def loss(w):
        return np.sum(np.logaddexp(0, rows @ w) - target * (rows @ w))
    w = np.array([0, np.log(n_same / n_other)])
    for _ in range(200):
        p = 1 / (1 + np.exp(np.minimum(-(rows @ w), 700)))
        d = np.linalg.solve((rows * (p * (1 - p))[:, None]).T @ rows, rows.T @ (p - target))
        size = 1.0
        while size > 1e-9 and loss(w - size * d) > loss(w):
            size /= 2
        w = w - size * d
        if abs(size * d).max() < 1e-10:
            break
    slope = w[0] / spread
    return (slope, w[1] - slope * middle) if slope > 0 else (0.0, 0.0)


class Tuning:
    def __init__(self, report, is_same=False):
        self.report, self.exam = report, report.exam
        self.by_label = not is_same and self.exam.labels is not None

    def asking(self, is_text):
        """Rows that ask when a scale of that modality is measured."""
        exam = self.exam
        rows = np.arange(exam.n_ranked) if self.by_label else np.arange(exam.n_queries, len(exam.order))
        of = rows[exam.texts[rows] == is_text]
        if not is_text and len(of) == 0:
            of = rows
        return of[:1000]

    def scale(self, rows, gallery, is_text=False):
        ask = self.asking(is_text)
        if len(ask) == 0:
            return 0.0, 0.0
        scores = rows[ask] @ gallery.T
        if self.by_label:
            q, g = self.exam.labels[ask], self.exam.split(self.exam.labels)[1]
            return logistic(scores[q >= 0][:, g >= 0].ravel(),
                            (q[q >= 0][:, None] == g[g >= 0][None, :]).ravel())
        return logistic(scores.ravel(), (ask[:, None] - self.exam.n_queries
                                         == np.arange(len(gallery))[None, :]).ravel())

    def steps(self):
        return [self.report.step(f) for f in FIDELITIES]

    def fidelities(self, steps):
        """All that may be chosen, given what hangs on less than NEAR."""
        if not self.by_label:
            return [1.0]
        last = steps[-1]
        name = "self1" if last["self10"][0] > .9 else "self10"

        def kept(step, sign):
            return step[name][0] + sign * step[name][4] >= .65 * (last[name][0] - sign * last[name][4])
        sure = [s for s in steps if kept(s, -1) or s is last]
        most = min(s["negative_flips"][0] + s["negative_flips"][4] for s in sure)
        return [f for f, s in zip(FIDELITIES, steps) if (kept(s, 1) or s is last)
                and s["negative_flips"][0] - s["negative_flips"][4] <= most]

    def old_weights(self, fidelity):
        if not self.by_label:
            return [.3]
        report = self.report
        mapped = self.exam.split(map_all(report.bridges, self.exam, fidelity))[0]
        angle = np.arccos(np.clip((mapped * report.old_queries).sum(1, keepdims=True), -1, 1))
        rows = []
        for i in range(10):
            w = i / 10
            turned = unit(np.sin((1 - w) * angle) * mapped + np.sin(w * angle) * report.old_queries)
            found = report.answers(turned if i else mapped, report.old_gallery)
            who = report.old_old.asked
            close = (found.top1_close | report.old_old.top1_close)[who].sum()
            rows.append((w, found.top1[who].sum(), (report.old_old.top1 & ~found.top1)[who].sum(), close))
        floor, slack = rows[0][1] - len(mapped) // 200, rows[0][3]
        sure = [r for r in rows if r[1] - r[3] >= floor + slack or r is rows[0]]
        most = min(r[2] + r[3] for r in sure)
        return [r[0] for r in rows if r[1] + r[3] >= floor - slack and r[2] - r[3] <= most]


# ---- which strategy serves better ----

def random_mix(x):
    x = (x + 0x9e3779b97f4a7c15) % 2 ** 64
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9 % 2 ** 64
    x = (x ^ x >> 27) * 0x94d049bb133111eb % 2 ** 64
    return x ^ x >> 31


def shuffled(n, state):
    """0 to n - 1, as hl_random_shuffle leaves them."""
    items = list(range(n))
    for left in range(n, 1, -1):
        chosen = (random_mix(state) >> 32) * left >> 32
        items[chosen], items[left - 1] = items[left - 1], items[chosen]
        state += 1
    return np.array(items)


class Mixes:
    """scales: of mapped queries and old items at that fidelity, of them and images, and of the new model's own;
    (0, 0) where they were not measured."""

    SHARES = (.25, .5, .75)

    def __init__(self, report, fidelity, scales, seed=0, is_same=False):
        exam, by_label = report.exam, not is_same and report.exam.labels is not None
        ask = Tuning(report, is_same).asking(False)
        mapped = map_all(report.bridges, exam, fidelity)[ask]
        self.old, self.images = mapped @ report.old_gallery.T, mapped @ report.images.T
        self.new = exam.new[ask] @ report.new_gallery.T
        n, (old, images, own) = len(report.old_gallery), scales
        self.labels = (exam.labels[ask], exam.split(exam.labels)[1]) if by_label else (ask - exam.n_queries, np.arange(n))
        self.has_dual = old[0] > 0 and own[0] > 0
        if self.has_dual:
            images = images if images[0] > 0 else old
            self.old, self.images = ((of[0] * scores + of[1] - own[1]) / own[0]
                                     for of, scores in ((old, self.old), (images, self.images)))
        order, first = shuffled(n, random_mix(seed)), {}
        for place, item in enumerate(order):
            first.setdefault(self.labels[1][item], place)
        by_class = np.array(sorted(order, key=lambda item: first[self.labels[1][item]]))
        self.chance = [self.found(order, is_dual, len(ask)) for is_dual in (False, True)]
        self.classes = [[self.found(way, is_dual, 0) for way in (by_class, by_class[::-1])] if by_label else []
                        for is_dual in (False, True)]

    def found(self, order, is_dual, n_ranked):
        """At each share."""
        answers = []
        for share_ in self.SHARES if self.has_dual or not is_dual else ():
            is_new = np.zeros(len(order), bool)
            is_new[order[:int(share_ * len(order) + .5)]] = True
            scores = np.where(is_new[None, :], self.new if is_dual else self.images, self.old)
            answers.append(Answers(scores, *self.labels, n_ranked))
        return answers

    def figures(self, i, is_dual):
        if is_dual and not self.has_dual:
            return {}
        chance, classes = self.chance[is_dual][i], [deal[i] for deal in self.classes[is_dual]]
        worth = chance.retrieval(chance.asked)
        return {"top1": worth["top1"], "map": worth["map"], "top1_by_class": share(
            sum(a.top1.sum() for a in classes), sum(a.asked.sum() for a in classes),
            sum(a.top1_close[a.asked].sum() for a in classes))}

    def mixes(self):
        return [{"share": share_, "backward": self.figures(i, False), "dual": self.figures(i, True)}
                for i, share_ in enumerate(self.SHARES)]

    def lead(self, backward, dual):
        """Lists of answers, of the same mixes."""
        if not backward or not dual:
            return None
        asked = backward[0].asked
        leads = np.mean([(d.top1.astype(float) - b.top1)[asked] for b, d in zip(backward, dual)], 0)
        close = sum((b.top1_close | d.top1_close)[asked].sum() for b, d in zip(backward, dual)) / len(backward)
        return mean(leads, close)

    def leads(self):
        backward, dual = (sum(deals, []) for deals in self.classes)
        return {"lead": self.lead(*self.chance), "lead_by_class": self.lead(backward, dual)}

    def better(self):
        """All that may be chosen."""
        if not self.has_dual or not self.mixes()[0]["dual"]["map"]:
            return ["backward"]
        worth = [(m["backward"]["map"], m["dual"]["map"]) for m in self.mixes()]
        most = np.mean([d[0] - b[0] + d[4] + b[4] for b, d in worth]) + 1e-5
        least = np.mean([d[0] - b[0] - d[4] - b[4] for b, d in worth]) - 1e-5
        ends = [(lead[2] - 3 * lead[4] - 1e-5, lead[2] + 3 * lead[4] + 1e-5) for lead in self.leads().values() if lead]
        sure = least <= 0 or any(low < 0 for low, _ in ends)
        return (["dual"] if most > 0 and all(high >= 0 for _, high in ends) else []) + (["backward"] if sure else [])
