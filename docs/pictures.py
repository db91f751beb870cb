"""Draw the pictures of docs/matching.md from the arrays in its blocks: ``python docs/pictures.py [FOLDER]``."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mitobench import RULES, evaluate_pair
from mitobench.matching import assign, match
from mitobench.metrics import precision_recall, raw_precision_recall
from mitobench.overlap import overlap_pass
from mitobench.strata import ALL_BUCKETS
from mitobench.volumes import open_labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from mitobench.matching import Matching
    from mitobench.rules import Rule

    Labels = NDArray[np.uint8]
    Scene = tuple[Labels, Labels]
    Elements = list[str]

DOCS = Path(__file__).parent
PAGE = DOCS / "matching.md"

# Blue and vermilion stay apart for every kind of colour vision; solid and dashed, plain and hatched, without colour.
_STYLE = """\
  <style>
    text { font: 13px sans-serif; fill: #222 }
    .note { font-size: 12px; fill: #555 }
    .id { font: bold 11px sans-serif; paint-order: stroke; stroke: #fff; stroke-width: 3px; stroke-linejoin: round }
    .gid { fill: #004a75 }
    .pid { fill: #8f3a00 }
    .card { fill: #fff; stroke: #c4c9d0 }
    .grid { fill: none; stroke: #000; stroke-opacity: .12 }
    .g { fill: #cfe6f5; stroke: #0072b2; stroke-width: 2.5 }
    .p { fill: url(#hatch); stroke: #a84300; stroke-width: 2; stroke-dasharray: 5 3 }
    .chosen { stroke: #222; stroke-width: 3 }
    .other { stroke: #888; stroke-width: 1.5; stroke-dasharray: 2 4 }
    .line { fill: none; stroke: #222; stroke-width: 2 }
    .steps { fill: none; stroke: #888; stroke-width: 1.5; stroke-dasharray: 4 3 }
    .area { fill: #eef1f4 }
  </style>
  <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
    <path d="M3 0V6" stroke="#d55e00" stroke-width="1.2"/>
  </pattern>
"""


class Place(NamedTuple):
    """Where a scene is drawn, and the size of its voxels, in pixels."""

    x: float
    y: float
    width: float
    height: float

    @classmethod
    def square(cls, x: float, y: float, edge: float) -> Place:
        """Return a place of square voxels."""
        return cls(x, y, edge, edge)


def main(arguments: list[str]) -> None:
    """Write the pictures into a folder, docs/images unless one is named."""
    folder = Path(arguments[0]) if arguments else DOCS / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures().items():
        (folder / name).write_text(picture, encoding="utf-8", newline="\n")


def pictures() -> dict[str, str]:
    """Return every picture, file name -> SVG."""
    page = run_page()
    drawings = {
        "table": table(page["two"]),
        "iou": iou(page["two"]),
        "choice": choice(page["chain"], page["pairing"], page["looking"]),
        "bucket": bucket(page["touching"], page["buckets"]),
        "ranked": ranked(page["ranked"]),
        "curve": curve(page["ranked"]),
        "repair": repair(page["neighbours"], page["erased"], page["repaired"]),
    }
    drawings |= {name: case(page["drawn"](voxels)) for name, (voxels, *_) in page["cases"].items()}
    return {f"matching-{name}.svg": drawing for name, drawing in drawings.items()}


def run_page() -> dict[str, Any]:
    """Run the blocks of the page, with their assertions, and return their names."""
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL):
        exec(compile(block, PAGE.name, "exec"), names)  # noqa: S102 - our own documentation
    return names


def table(scene: Scene) -> str:
    """Draw both volumes apart, on top of each other, and their table of overlaps."""
    gt, pred = scene
    nothing = np.zeros_like(gt)
    panels = {"ground truth": (gt, nothing), "prediction": (nothing, pred), "both": scene}
    elements = []
    for k, (caption, panel) in enumerate(panels.items()):
        elements += [text(18 + 190 * k, 26, caption), *draw(panel, Place.square(18 + 190 * k, 38, 17))]
    counts = matching_of(scene).table
    rows = zip(counts.gt_id.tolist(), counts.pred_id.tolist(), counts.count.tolist(), strict=True)
    elements += [text(x, 26, word, "note", "end") for x, word in ((616, "g"), (654, "p"), (712, "voxels"))]
    for k, (g, p, voxels) in enumerate(rows):
        values = (616, f"g{g}" if g else "0"), (654, f"p{p}" if p else "0"), (712, str(voxels))
        elements += [text(x, 47 + 17 * k, word, anchor="end") for x, word in values]
    elements.append('<path class="grid" d="M596 32H712"/>')
    return svg(730, 134, "Two volumes of labels and the table of voxels that their instances share", elements)


def iou(scene: Scene) -> str:
    """Draw g1 and p5, and count their voxels."""
    g, p = (side[:, :3, :7] == value for side, value in zip(scene, (1, 5), strict=True))
    pair = (g * 1).astype(np.uint8), (p * 5).astype(np.uint8)
    only_g, both, only_p = int((g & ~p).sum()), int((g & p).sum()), int((p & ~g).sum())
    elements = draw(pair, Place.square(18, 18, 28))
    counts = (only_g, "g", "only in g1"), (both, "gp", "in both"), (only_p, "p", "only in p5")
    for k, (count, sides, words) in enumerate(counts):
        swatch = f'x="250" y="{20 + 28 * k}" width="26" height="18"'
        elements += [f'<rect class="{side}" {swatch}/>' for side in sides]
        elements += [text(304, 34 + 28 * k, str(count), anchor="end"), text(314, 34 + 28 * k, words)]
    value = matching_of(scene).pair_iou[0]
    elements.append(text(410, 62, f"IoU = {both} / ({only_g} + {both} + {only_p}) = {value:.2f}"))
    return svg(630, 120, "g1 and p5: voxels of one, of both, of the other", elements)


def choice(scene: Scene, *rules: Rule) -> str:
    """Draw a chain of two and two, and what two rules make of it at their one threshold."""
    matching = matching_of(scene)
    threshold = rules[0].detection_ious[0]
    elements = draw(scene, Place(18, 62, 22, 40))
    columns = 262, 456
    captions = f"one to one at {threshold}", f"best overlap at {threshold}"
    for x, caption, rule in zip(columns, captions, rules, strict=True):
        chosen = _chosen(matching, rule)
        elements += [text(x, 26, caption), *_graph(matching, chosen, x)]
        elements.append(text(x, 168, counts_of(scene, threshold, rule)))
    return svg(600, 186, f"Two ways to compare two ground truths with two predictions at IoU {threshold}", elements)


def bucket(scene: Scene, size_thresholds: tuple[int, int]) -> str:
    """Draw a prediction that finds one ground truth and touches another, and what it is in each bucket."""
    matching = matching_of(scene, replace(RULES["mitoem-2020"], size_thresholds=size_thresholds))
    columns = 300, 374, 484
    elements = draw(scene, Place.square(18, 18, 24))
    header = "bucket", *(f"p{p}" for p in matching.pred.id.tolist())
    elements += [text(x, 32, words, "note") for x, words in zip(columns, header, strict=True)]
    elements.append('<path class="grid" d="M300 40H576"/>')
    for k, name in enumerate(("all", "large", "medium")):
        row = name, *_in_bucket(matching, name)
        elements += [text(x, 60 + 22 * k, words) for x, words in zip(columns, row, strict=True)]
    return svg(594, 132, "A prediction that finds one ground truth but stands for another one in a bucket", elements)


def ranked(scene: Scene) -> str:
    """Draw a scene with rank, IoU and outcome of each prediction below it."""
    matching = matching_of(scene)
    elements = draw(scene, Place.square(18, 18, 22))
    best = np.append(matching.pair_iou, 0.0)[matching.best_of_pred]
    hits = outcomes(matching)
    for rank, p in enumerate(matching.ranking.tolist()):
        x = 18 + 11 * (matching.pred.box_min[p, 2] + matching.pred.box_max[p, 2])
        words = f"{rank + 1}.", f"IoU {best[p]:.2f}", "hit" if hits[rank] else "no hit"
        elements += [text(x, 148 + 17 * k, word, "" if k else "note", "middle") for k, word in enumerate(words)]
    return svg(594, 196, "Predictions by descending voxel count, with the IoU of each", elements)


def curve(scene: Scene) -> str:
    """Draw precision over recall after each prediction, and the envelope."""
    matching = matching_of(scene)
    raw = raw_precision_recall(matching, iou_threshold=0.75)
    interpolated = precision_recall(matching, iou_threshold=0.75)
    if raw is None or interpolated is None:
        raise ValueError("the scene of the curve has no ground truth")
    points = [_at(r, p) for r, p in zip(raw.recall, raw.precision, strict=True)]
    envelope = _steps(*interpolated)
    elements = [
        *_axes(),
        f'<path class="area" d="{envelope}V214H58Z"/>',
        '<path class="line" d="M58 34V214H378" style="stroke-width: 1"/>',
        f'<path class="steps" d="M{"L".join(points)}"/>',
        f'<path class="line" d="{envelope}H378"/>',
    ]
    for rank, (point, hit) in enumerate(zip(points, outcomes(matching), strict=True), start=1):
        x, y = map(float, point.split())
        elements += [_dot(x, y, hit=hit), text(x + 9, y + 16, f"{rank}.", "note")]
    elements += _legend(interpolated[1].mean())
    return svg(600, 260, "Precision over recall after each prediction, and the envelope", elements)


def repair(scene: Scene, erased: Labels, repaired: Labels) -> str:
    """Draw a prediction, without the predictions of a mistake, and with the ground truth in their place."""
    gt, pred = scene
    gone, new = set(ids_in(pred)) - set(ids_in(erased)), set(ids_in(repaired)) - set(ids_in(pred))
    captions = (
        "before",
        " and ".join(f"p{p}" for p in sorted(gone)) + " erased",
        "".join(f"g{gt[repaired == p][0]} painted anew as p{p}" for p in new),
    )
    below = counts_of(scene, 0.75), "", counts_of((gt, repaired), 0.75)
    elements = []
    for k, (side, caption, counts) in enumerate(zip((pred, erased, repaired), captions, below, strict=True)):
        x = 18 + 230 * k
        elements += [text(x, 26, caption), *draw((gt, side), Place.square(x, 38, 17)), text(x, 126, counts)]
    return svg(700, 142, "A split before its repair, without its predictions, and repaired", elements)


def case(scene: Scene) -> str:
    """Draw a row of voxels, tall enough for its names."""
    return svg(196, 48, "Ground truth and prediction in one row of voxels", draw(scene, Place(8, 8, 18, 32)))


def matching_of(scene: Scene, rule: str | Rule = "mitoem-2020") -> Matching:
    """Return what a rule sees of a scene."""
    gt, pred = scene
    return match(overlap_pass(open_labels(gt), open_labels(pred)), rule)


def counts_of(scene: Scene, threshold: float, rule: str | Rule = "mitoem-2020") -> str:
    """Return what was found, invented and missed, in words."""
    gt, pred = scene
    metrics = evaluate_pair(pred, gt, rule=rule).volumes[0].metrics
    return ", ".join(
        f"{name.upper()} {metrics[f'{name}_{round(100 * threshold)}']['all']}" for name in ("tp", "fp", "fn")
    )


def outcomes(matching: Matching, name: str = "all") -> list[bool]:
    """Return whether each prediction that counts in a bucket is a hit at IoU 0.75, by rank: where the recall rises."""
    raw = raw_precision_recall(matching, iou_threshold=0.75, bucket=name)
    return [] if raw is None else (np.diff(raw.recall, prepend=0) > 0).tolist()


def _in_bucket(matching: Matching, name: str) -> Iterator[str]:
    """Yield the ground truth that each prediction stands for in a bucket, and what becomes of it."""
    raw = raw_precision_recall(matching, iou_threshold=0.75, bucket=name)
    sizes = [] if raw is None else raw.score.tolist()
    outcome = {
        size: "hit" if hit else "false positive" for size, hit in zip(sizes, outcomes(matching, name), strict=True)
    }
    inside = (matching.gt_bucket == ALL_BUCKETS.index(name) - 1) | (name == "all")
    for p, size in enumerate(matching.pred.size.tolist()):
        own = matching.pair_pred == p
        candidates = own & inside[matching.pair_gt] if (own & inside[matching.pair_gt]).any() else own
        best = np.where(candidates, matching.pair_iou, 0).argmax()
        yield f"g{matching.gt.id[matching.pair_gt[best]]}: {outcome.get(size, 'ignored')}"


def _chosen(matching: Matching, rule: Rule) -> set[tuple[int, int]]:
    """Return the pairs that a rule looks at, by position."""
    if rule.detection_matching == "best-overlap":
        best = matching.best_of_pred
        return set(zip(matching.pair_gt[best].tolist(), matching.pair_pred[best].tolist(), strict=True))
    pairs = assign(matching, rule.detection_ious[0])
    return set(zip(pairs.gt.tolist(), pairs.pred.tolist(), strict=True))


def _graph(matching: Matching, chosen: set[tuple[int, int]], x: float) -> Elements:
    """Draw the instances as boxes and the pairs as lines between them."""
    lines, words = [], []
    for g, p, value in zip(matching.pair_gt.tolist(), matching.pair_pred.tolist(), matching.pair_iou, strict=True):
        x0, x1 = x + 20 + 90 * g, x + 20 + 90 * p
        kind = "chosen" if (g, p) in chosen else "other"
        lines.append(f'<path class="{kind}" d="M{number(x0)} 66L{number(x1)} 120"/>')
        words.append(f'<rect x="{number((x0 + x1) / 2 - 15)}" y="85" width="30" height="16" fill="#fff"/>')
        words.append(text((x0 + x1) / 2, 97, f"{value:.2f}", "note", "middle"))
    boxes = []
    for y, side, ids in ((42, "g", matching.gt.id), (120, "p", matching.pred.id)):
        for k, value in enumerate(ids.tolist()):
            box = f'x="{number(x + 90 * k)}" y="{y}" width="40" height="24"'
            boxes += [f'<rect class="{side}" {box}/>']
            boxes += [text(x + 20 + 90 * k, y + 16, f"{side}{value}", f"id {side}id", "middle")]
    return [*lines, *words, *boxes]


def _at(recall: float, precision: float) -> str:
    return f"{number(58 + 320 * recall)} {number(214 - 180 * precision)}"


def _steps(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> str:
    """Return the path of the envelope: it drops behind the last recall of each height."""
    corners = [_at(0, precision[0])]
    for k in np.flatnonzero(np.diff(precision)).tolist():
        corners += [_at(recall[k], precision[k]), _at(recall[k], precision[k + 1])]
    return "M" + "L".join(corners)


def _axes() -> Elements:
    elements = [text(218, 250, "recall", "note", "middle"), text(18, 22, "precision", "note")]
    for value in (0, 0.25, 0.5, 0.75, 1):
        x, y = _at(value, value).split()
        elements.append(f'<path class="grid" d="M{x} 214V34M58 {y}H378"/>')
        elements.append(text(float(x), 231, f"{value:g}", "note", "middle"))
        elements.append(text(50, float(y) + 4, f"{value:g}", "note", "end"))
    return elements


def _dot(x: float, y: float, *, hit: bool) -> str:
    return f'<circle cx="{number(x)}" cy="{number(y)}" r="5" fill="{"#222" if hit else "#fff"}" stroke="#222"/>'


def _legend(ap: float) -> Elements:
    marks = (
        '<path class="line" d="M400 66h26"/>',
        '<path class="steps" d="M400 90h26"/>',
        _dot(413, 114, hit=True),
        _dot(413, 138, hit=False),
    )
    words = "envelope", "as measured", "after a hit", "after no hit"
    captions = [text(436, 70 + 24 * k, word) for k, word in enumerate(words)]
    return [*marks, *captions, text(400, 178, f"AP-75 = {ap:.3f},"), text(400, 196, "the mean of the envelope")]


def draw(scene: Scene, place: Place) -> Elements:
    """Draw the only section of both sides: a grid of voxels, outlines, names."""
    gt, pred = (side[0] for side in scene)
    rows, columns = gt.shape
    right, bottom = place.x + columns * place.width, place.y + rows * place.height
    lines = [f"M{number(place.x + k * place.width)} {number(place.y)}V{number(bottom)}" for k in range(columns + 1)]
    lines += [f"M{number(place.x)} {number(place.y + k * place.height)}H{number(right)}" for k in range(rows + 1)]
    elements = [f'<path class="g" d="{outline(gt == k, place, 1.25)}"/>' for k in ids_in(gt)]
    elements.append(f'<path class="grid" d="{"".join(lines)}"/>')
    elements += [f'<path class="p" d="{outline(pred == k, place, 4)}"/>' for k in ids_in(pred)]
    for k in ids_in(gt):
        y, x = np.argwhere(gt == k)[0]
        elements.append(text(place.x + x * place.width + 4, place.y + y * place.height + 13, f"g{k}", "id gid"))
    for k in ids_in(pred):
        voxels = np.argwhere(pred == k)
        y, x = voxels[voxels[:, 0] == voxels[-1, 0]][0]
        elements.append(text(place.x + x * place.width + 6, place.y + (y + 1) * place.height - 6, f"p{k}", "id pid"))
    return elements


def ids_in(labels: Labels) -> list[int]:
    """Return the ids of the instances."""
    return [int(k) for k in np.unique(labels) if k]


def outline(mask: NDArray[np.bool_], place: Place, inset: float) -> str:
    """Return the path around the voxels of a mask, a little inside of it."""
    return "".join(_closed(loop, place, inset) for loop in _loops(mask))


def _loops(mask: NDArray[np.bool_]) -> Iterator[list[tuple[int, int]]]:
    """Yield the corners (x, y) of the border of a mask, one by one, with the inside to the right."""
    padded = np.pad(mask, 1)
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for y, x in np.argwhere(mask).tolist():
        corners = (x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)
        neighbours = padded[y, x + 1], padded[y + 1, x + 2], padded[y + 2, x + 1], padded[y + 1, x]
        for k, inside in enumerate(neighbours):
            if not inside:
                following.setdefault(corners[k], []).append(corners[(k + 1) % 4])
    while following:
        loop = [next(iter(following))]
        while loop[-1] in following:
            end = following[loop[-1]].pop()
            if not following[loop[-1]]:
                del following[loop[-1]]
            loop.append(end)
        yield loop[:-1]


def _closed(loop: list[tuple[int, int]], place: Place, inset: float) -> str:
    points = []
    for before, here, after in zip(loop[-1:] + loop[:-1], loop, loop[1:] + loop[:1], strict=True):
        come, go = (here[0] - before[0], here[1] - before[1]), (after[0] - here[0], after[1] - here[1])
        if come != go:
            x = place.x + here[0] * place.width - inset * (come[1] + go[1])
            y = place.y + here[1] * place.height + inset * (come[0] + go[0])
            points.append(f"{number(x)} {number(y)}")
    return f"M{'L'.join(points)}Z"


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "") -> str:
    """Return a line of text, nothing for no words."""
    attributes = f' class="{kind}"' * bool(kind) + f' text-anchor="{anchor}"' * bool(anchor)
    return f'<text x="{number(x)}" y="{number(y)}"{attributes}>{words}</text>' if words else ""


def number(value: float) -> str:
    """Return a coordinate without needless digits."""
    return f"{round(float(value), 2):g}"


def svg(width: int, height: int, title: str, elements: Iterable[str]) -> str:
    """Return a picture on a card of its own, so that it looks the same on white and on dark pages."""
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    card = f'<rect class="card" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="6"/>'
    lines = "\n".join(f"  {element}" for element in (card, *elements) if element)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    return f"{head}\n  <title>{title}</title>\n{_STYLE}{lines}\n</svg>\n"


if __name__ == "__main__":
    main(sys.argv[1:])
