"""The plots of docs/img: gossip's convergence, detection and bytes against the number of nodes, and
what makes two tables equal against what differs.

    /usr/bin/python3 tests/bench/plots.py RESULTS TABLE

of files of JSON lines: gossip_sim's, and gossip_table_bench's of bytes. matplotlib is Debian's, and
so has to be the python."""

import json
import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  (the backend comes first)
from matplotlib.ticker import FuncFormatter, NullFormatter  # noqa: E402

from measure import REPO, say  # noqa: E402

IMAGES = REPO / "docs" / "img"


def points(results, figure, name):
    """By number of nodes, the worst of the seeds."""
    found = {}
    for result in results:
        value = result["values"].get(name)
        if result["figure"] == figure and not result["failure"] and value is not None:
            found[result["nodes"]] = max(value, found.get(result["nodes"], value))
    return sorted(found.items())


def axes(title, x_label, y_label, y_scale="log"):
    figure, ax = pyplot.subplots(figsize=(7, 4.5))
    ax.set_title(title)
    ax.set_xlabel(x_label)
    ax.set_ylabel(y_label)
    ax.set_xscale("log")
    ax.set_yscale(y_scale)
    ax.grid(True, which="both", alpha=0.25)
    return figure, ax


def save(figure, ax, name, ticks=()):
    if ticks:
        ax.set_xticks(ticks)
        ax.xaxis.set_minor_formatter(NullFormatter())
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    if ax.get_yscale() == "linear":
        ax.set_ylim(bottom=0)
    ax.legend(fontsize=8)
    figure.tight_layout()
    IMAGES.mkdir(exist_ok=True)
    figure.savefig(IMAGES / f"gossip-{name}.png", dpi=110, metadata={"Software": None})
    pyplot.close(figure)
    say(f"docs/img/gossip-{name}.png")


def lines(results, title, y_label, name, series, bars, y_scale="log"):
    """A line for each (label, figure, value); a dash for each (nodes, value, label) of the bars."""
    drawn = [(label, points(results, figure, value)) for label, figure, value in series]
    drawn = [(label, found) for label, found in drawn if found]
    if not drawn:
        return
    figure, ax = axes(title, "nodes", y_label, y_scale)
    for label, found in drawn:
        ax.plot(*zip(*found), marker="o", label=label)
    for nodes, value, label in bars:
        ax.plot([nodes], [value], marker="_", markersize=16, linestyle="", color="black")
        ax.annotate(label, (nodes, value), textcoords="offset points", xytext=(0, 4), fontsize=7)
    ticks = sorted({nodes for _, found in drawn for nodes, _ in found} | {bar[0] for bar in bars})
    save(figure, ax, name, ticks)


def anti_entropy(table):
    figure, ax = axes("Bytes that make two tables equal", "entries that differ", "bytes, both ways")
    for entries in sorted({line["entries"] for line in table}):
        some = [line for line in table if line["entries"] == entries]
        some.sort(key=lambda line: line["differing"])
        differing = [line["differing"] for line in some]
        (drawn,) = ax.plot(
            differing, [line["bytes"] for line in some], marker="o", label=f"{entries:,} entries"
        )
        color = drawn.get_color()
        ax.plot(differing, [line["bound"] for line in some], linestyle=":", color=color)
        ax.axhline(some[0]["whole_table"], linestyle="--", linewidth=0.8, color=color)
    ax.plot([], [], linestyle=":", color="gray", label="bound of O(d log n)")
    ax.plot([], [], linestyle="--", color="gray", label="the whole table")
    save(figure, ax, "anti-entropy")


def draw(results, table):
    lines(
        results,
        "From a change until every node shows it",
        "seconds",
        "convergence",
        (
            ("quiet, median", "quiet", "everywhere_median_s"),
            ("quiet, p99", "quiet", "everywhere_p99_s"),
            ("churn, p90", "churn", "everywhere_p90_s"),
            ("churn, the last", "churn", "everywhere_max_s"),
        ),
        (
            (25, 0.4, "bar: quiet, median"),
            (1000, 1.5, "bar: quiet, p99"),
            (1000, 2, "bar: churn, p90"),
        ),
    )
    lines(
        results,
        "Sent by each node",
        "bytes a second",
        "bytes",
        (
            ("at rest", "idle", "sent_bytes_per_node_s"),
            ("two changes a second in all", "quiet", "sent_bytes_per_node_s"),
            ("churn: a change a second of every node", "churn", "sent_bytes_per_node_s"),
        ),
        ((1000, 2000, "bar: at rest"), (10000, 4000, "bar: at rest")),
    )
    lines(
        results,
        "From a host's death until it is known",
        "seconds",
        "detection",
        (
            ("by every node, p99", "death", "known_everywhere_p99_s"),
            ("by every node, median", "death", "known_everywhere_median_s"),
            ("by a node, median", "death", "known_by_one_median_s"),
        ),
        ((1000, 2.5, "bar: median"), (1000, 6, "bar: p99")),
        "linear",
    )
    anti_entropy(table)


def read(path):
    with open(path, encoding="utf-8") as lines_of:
        return [json.loads(line) for line in lines_of]


if __name__ == "__main__":
    draw(read(sys.argv[1]), read(sys.argv[2]))
