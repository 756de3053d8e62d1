#!/usr/bin/env python3
"""Draws bench/history.tsv and the latencies of the last run as SVG, with nothing but Python's own library.

usage: plot.py HISTORY.tsv DIRECTORY     writes DIRECTORY/history.svg, and latency.svg when DIRECTORY/phases.json is there
"""
import csv
import json
import math
import os
import sys

COLOURS = ["#1b6ca8", "#c8553d", "#4a7c59", "#8f5ea2", "#b8860b", "#555555", "#2a9d8f"]
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 760, 260, 70, 30, 40
# Figure, its goal (None: drawn without one): a panel each.
PANELS = [("read", 1.0), ("insert", 0.5), ("update", 0.5), ("delete", 0.5), ("multi_per_update", 0.5), ("redo_insert", 0.8),
          ("bytes_per_row", 80), ("half_load_p99_ms", 0.3), ("reorg_seconds", 1.5), ("node_restart_seconds", 2),
          ("cluster_restart_seconds", 2), ("kill9_stall_ms", 100), ("worker_ratio", 0.9)]


def text(x, y, s, anchor="start", size=12):
    s = str(s).replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-family="sans-serif">{s}</text>'


def line(points, colour, dash=""):
    p = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{p}" fill="none" stroke="{colour}" stroke-width="1.6" stroke-dasharray="{dash}"/>'


def svg(width, height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
            f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n')


def panel(y0, name, goal, rows):
    """One figure over the runs, from left to right; the goal is dashed."""
    points = [(i, float(r[name])) for i, r in enumerate(rows) if r.get(name)]
    if not points:
        return []
    top = max([v for _, v in points] + [goal or 0]) * 1.1 or 1
    inner = HEIGHT - TOP - BOTTOM
    x = lambda i: LEFT + (WIDTH - LEFT - 20) * (i / max(len(rows) - 1, 1))
    y = lambda v: y0 + TOP + inner * (1 - v / top)
    out = [text(LEFT, y0 + 18, name, size=14)]
    for k in range(5):
        v = top * k / 4
        out += [line([(LEFT, y(v)), (WIDTH - 20, y(v))], "#dddddd"), text(LEFT - 6, y(v) + 4, f"{v:.3g}", "end", 10)]
    if goal:
        out.append(line([(LEFT, y(goal)), (WIDTH - 20, y(goal))], COLOURS[1], "6 4"))
    out.append(line([(x(i), y(v)) for i, v in points], COLOURS[0]))
    out += [f'<circle cx="{x(i):.1f}" cy="{y(v):.1f}" r="3" fill="{COLOURS[0]}"><title>{rows[i]["commit"]}: {v:g}</title></circle>'
            for i, v in points]
    step = max(1, len(rows) // 8)
    out += [text(x(i), y0 + HEIGHT - 14, rows[i]["commit"], "middle", 10) for i in range(0, len(rows), step)]
    return out


def history(rows):
    parts, y = [], 0
    for name, goal in PANELS:
        p = panel(y, name, goal, rows)
        if p:
            parts += p
            y += HEIGHT
    return svg(WIDTH, max(y, HEIGHT), parts or [text(LEFT, 60, "nothing measured yet")])


def latency(phases):
    """The share of transactions that took longer than x: both axes logarithmic, so that the tail can be seen."""
    height = 420
    curves = []
    for i, p in enumerate(p for p in phases if p.get("histogram")):
        total = sum(n for _, n in p["histogram"])
        left, points = total, []
        for edge, n in p["histogram"]:
            left -= n
            if left > 0:
                points.append((edge, left / total))
        curves.append((p["phase"], COLOURS[i % len(COLOURS)], points))
    edges = [e for _, _, points in curves for e, _ in points] or [1, 10]
    lo, hi = math.floor(math.log10(min(edges))), math.ceil(math.log10(max(edges)))
    x = lambda us: LEFT + (WIDTH - LEFT - 120) * (math.log10(us) - lo) / max(hi - lo, 1)
    y = lambda share: TOP + (height - TOP - BOTTOM) * min(-math.log10(share), 6) / 6
    out = [text(LEFT, 18, "share of transactions slower than ..", size=14)]
    for d in range(lo, hi + 1):
        out += [line([(x(10 ** d), TOP), (x(10 ** d), height - BOTTOM)], "#dddddd"),
                text(x(10 ** d), height - 18, f"{10 ** d:g} us", "middle", 10)]
    for d in range(7):
        out += [line([(LEFT, y(10 ** -d)), (WIDTH - 120, y(10 ** -d))], "#dddddd"), text(LEFT - 6, y(10 ** -d) + 4, f"{10 ** -d:g}", "end", 10)]
    for i, (name, colour, points) in enumerate(curves):
        out += [line([(x(e), y(s)) for e, s in points], colour), text(WIDTH - 110, TOP + 16 * (i + 1), name, size=12),
                line([(WIDTH - 118, TOP + 16 * (i + 1) - 4), (WIDTH - 112, TOP + 16 * (i + 1) - 4)], colour)]
    return svg(WIDTH, height, out)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, directory = sys.argv[1:]
    os.makedirs(directory, exist_ok=True)
    rows = []
    if os.path.exists(source):
        with open(source, encoding="utf-8") as f:
            rows = list(csv.DictReader(f, delimiter="\t"))
    written = [("history.svg", history(rows))]
    phases = os.path.join(directory, "phases.json")
    if os.path.exists(phases):
        with open(phases, encoding="utf-8") as f:
            written.append(("latency.svg", latency(json.load(f)["phases"])))
    for name, content in written:
        path = os.path.join(directory, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(content)
        print(path)


main()
