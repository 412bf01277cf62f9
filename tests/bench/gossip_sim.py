"""Gossip in the simulator: the production cores in virtual time at many sizes, against the bars.

Every figure, size and seed is a run of gossip_sim of its own, two at a time. What they print as
JSON is kept in one file, a line each, which --from reads again in place of running anything. The
plots of docs/img are made of it, and of what gossip_table_bench says of the bytes that make two
tables equal.
"""

import concurrent.futures
import json
import pathlib
import subprocess
import tempfile

from measure import HERE, REPO, say

SIZES = (25, 100, 250, 1000, 10000)
FIGURES = ("quiet", "churn", "death", "starved", "partition", "idle")
# Above this many nodes only what does not take hours.
LARGE = 2000
LARGE_FIGURES = ("quiet", "idle")
KNOWN = "known_everywhere_"
SENT = "sent_bytes_per_node_s"
# What, its figure, its values (the worst of them counts), its unit, and by number of nodes its bar.
ROWS = (
    ("a change everywhere, median", "quiet", ("everywhere_median_s",), "s", {25: 0.4}),
    ("a change everywhere, p99", "quiet", ("everywhere_p99_s",), "s", {1000: 1.5, 10000: 2}),
    ("under churn, p90", "churn", ("everywhere_p90_s",), "s", {25: 2, 1000: 2}),
    ("under churn, the last", "churn", ("everywhere_max_s",), "s", {25: 5, 1000: 5}),
    ("under churn, a new process shows all there was", "churn", ("joined_max_s",), "s", {}),
    ("under churn, sent by a node", "churn", (SENT,), "B/s", {}),
    ("a death known everywhere, median", "death", (KNOWN + "median_s",), "s", {1000: 2.5}),
    ("a death known everywhere, p99", "death", (KNOWN + "p99_s",), "s", {1000: 6}),
    ("starved nodes watched for", "starved", ("watched_s",), "s", {}),
    ("declared failed and ran", "starved", ("false_failures_count",), "", {250: 0, 1000: 0}),
    (
        "equal after a partition, the worst shape",
        "partition",
        (
            "halves_healed_s",
            "one_host_healed_s",
            "thirds_healed_s",
            "random_healed_s",
            "bridge_healed_s",
            "one_way_healed_s",
            "flapping_healed_s",
        ),
        "s",
        {size: 5 for size in (25, 100, 250, 1000)},
    ),
    ("sent at rest by a node", "idle", (SENT,), "B/s", {1000: 2000, 10000: 4000}),
)


def binary(name):
    for kind in ("release", "dev"):
        path = REPO / "build" / kind / "bin" / name
        if path.exists():
            return path
    raise SystemExit(f"no {name}: build it first")


def simulate(job, options):
    """One run's JSON object; a failure of its own when it takes too long."""
    figure, nodes, seed = job
    with tempfile.NamedTemporaryFile("r", suffix=".json") as out:
        command = [binary("gossip_sim"), "--figures", figure, "--nodes", nodes, "--seed", seed]
        command += ["--model", options.model, "--json", out.name]
        try:
            subprocess.run(
                [str(part) for part in command],
                stdout=subprocess.DEVNULL,
                timeout=options.patience,
                check=False,
            )
            text = out.read()
        except subprocess.TimeoutExpired:
            text = ""
    if not text:
        text = json.dumps(
            {
                "figure": figure,
                "nodes": nodes,
                "seed": seed,
                "failure": f"did not end within {options.patience} s",
                "values": {},
            }
        )
    result = json.loads(text)
    took = f"{result['wall_s']:.0f} s, {result['rss_mb']:.0f} MB" if "wall_s" in result else ""
    say(f"{figure} at {nodes}, seed {seed}: {result['failure'] or 'ran'} {took}")
    return result


def all_results(options):
    if options.source:
        return [json.loads(line) for line in open(options.source, encoding="utf-8")]
    # The large ones first: the last to end is then a small one.
    jobs = [
        (figure, nodes, seed)
        for nodes in sorted(options.nodes, reverse=True)
        for figure in options.figures
        if nodes <= LARGE or figure in LARGE_FIGURES
        for seed in range(1, options.seeds + 1)
    ]
    path = pathlib.Path(options.results)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool, open(
        path, "w", encoding="utf-8"
    ) as kept:
        results = []
        for result in pool.map(lambda job: simulate(job, options), jobs):
            results.append(result)
            kept.write(json.dumps(result) + "\n")
            kept.flush()
    say(f"results: {path}")
    return results


def worst(results, figure, nodes, names):
    """The worst of the seeds and of the values; None without a run, a text when it failed."""
    runs = [r for r in results if r["figure"] == figure and r["nodes"] == nodes]
    failed = [r["failure"] for r in runs if r["failure"]]
    if failed:
        return failed[0]
    values = [r["values"][name] for r in runs for name in names if name in r["values"]]
    return max(values) if values else None


def report(results):
    sizes = sorted({r["nodes"] for r in results})
    model = next((r["model"] for r in results if "model" in r), None)
    out = []
    if model:
        out.append(
            f"Model {model['name']}: one-way delay {model['min_delay_ms']:g} to "
            f"{model['max_delay_ms']:g} ms, half of the span the link's for ever, the other half "
            f"drawn for each packet; loss {model['loss']:.1%} in the mean, a link's anywhere from "
            f"none to twice that; duplicates {model['duplicates']:.1%}. "
            f"Seeds: {len({r['seed'] for r in results})}, the worst counts.\n"
        )
    out.append("| what | " + " | ".join(f"{size:,} nodes" for size in sizes) + " | bar | |")
    out.append("|---|" + "---|" * len(sizes) + "---|---|")
    broken = []
    for what, figure, names, unit, bars in ROWS:
        cells, met, measured = [], [], []
        for size in sizes:
            value = worst(results, figure, size, names)
            if isinstance(value, str):
                cells.append("failed")
                broken.append(f"- {figure} at {size:,}: {value}")
                met.append(size not in bars)
            else:
                cells.append("-" if value is None else f"{value:.3g} {unit}".strip())
                if value is not None and size in bars:
                    met.append(value <= bars[size])
                    measured.append(f"{size:,}")
        if all(cell == "-" for cell in cells):
            continue
        shown = [f"{bar:g} {unit} at {size:,}".replace("  ", " ") for size, bar in bars.items()]
        if len(set(bars.values())) == 1 and len(bars) > 2:
            shown = [f"{next(iter(bars.values())):g} {unit}"]
        good = "met" if len(measured) == len(bars) else f"met at {', '.join(measured)}"
        verdict = "" if not bars or not met else good if all(met) else "MISSED"
        bar = "<= " + ", ".join(shown) if bars else ""
        out.append(f"| {what} | " + " | ".join(cells) + f" | {bar} | {verdict} |")
    return "\n".join(out + [""] + sorted(set(broken))).rstrip("\n") + "\n"


def measure(options):
    results = all_results(options)
    if options.plots:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as table:
            subprocess.run([binary("gossip_table_bench"), "bytes"], stdout=table, check=True)
            kept = options.source or options.results
            # Debian's python, as matplotlib is Debian's.
            subprocess.run(["/usr/bin/python3", HERE / "plots.py", kept, table.name], check=True)
    return report(results)
