#!/usr/bin/env python3
"""The page of pictures of the model card: twenty hits, every miss, and every mark on the real scans that no label explains.

    pictures.py --real real.npz --figures OUT --threshold T --page PAGE.jpg

real.npz comes from prepare.py, OUT from figures.py. Each picture: 50 mm, axial, coronal, sagittal, window -1200 to 600 HU, with the
network's score; what an unlabelled mark is stands in scan_marks.csv. Needs Matplotlib.
"""
import argparse
import csv
import math
import os

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from figures import near
from patches import load_real
from prepare import SCANS

HALF = 25  # voxels of 1 mm
COLUMNS = 3


def read(path):
    return list(csv.DictReader(open(path)))


def place(row, last):
    return [float(row[k]) for k in ("coordX", "coordY", "coordZ", last)]


def planes(image, at):
    """Axial, coronal and sagittal pictures around a voxel (z, y, x), side by side; mirrored beyond the border."""
    z, y, x = np.rint(at).astype(int) + HALF
    padded = np.pad(image, HALF, mode="symmetric")
    z0, y0, x0 = z - HALF, y - HALF, x - HALF
    side = 2 * HALF + 1
    box = padded[z0:z0 + side, y0:y0 + side, x0:x0 + side]
    line = np.full((side, 2), 255, np.uint8)
    return np.hstack([box[HALF], line, box[::-1, HALF], line, box[::-1, :, HALF]])


def groups(args, folder):
    """(title, [(caption, image, voxel)]) of the page, the surest first."""
    cubes, scans = load_real(args.real)
    cube, scan = {c.name: c for c in cubes}, {s.name: s for s in scans}
    marks = {}
    for row in read(os.path.join(args.figures, "detections.csv")):
        marks.setdefault(row["seriesuid"], []).append(place(row, "probability"))
    known = read(os.path.join(folder, "scan_marks.csv"))
    hits, misses, others, labels = [], [], [], {}
    for row in read(os.path.join(args.figures, "annotations.csv")):
        name, lesion = row["seriesuid"], place(row, "diameter_mm")
        score = max([m[3] for m in marks[name] if near(m, [lesion])], default=0.0)
        labels.setdefault(name, []).append(lesion)
        image = scan[name].image if name in scan else cube[name].image
        at = lesion[2::-1] - scan[name].corner - 0.5 if name in scan else np.array(cube[name].nodules[0][:3])
        (hits if score >= args.threshold else misses).append((score, f"{name}: {lesion[3]:.0f} mm, {row['texture']}", image, at))
    for name in SCANS:
        for mark in marks[name]:
            if mark[3] < args.threshold or near(mark, labels.get(name, [])):
                continue
            notes = [r for r in known if r["scan"] == name and near(mark, [place(r, "diameter_mm")], 4)]
            said = (notes[0]["note"] or notes[0]["class"]) if notes else "not looked at"
            doubt = {"nodule": "nodule: ", "uncertain": "unsure: "}.get(notes[0]["class"], "false: ") if notes else ""
            others.append((mark[3], f"{name}: {doubt}{said}", scan[name].image, mark[2::-1] - scan[name].corner - 0.5))
    ordered = lambda found: sorted(found, key=lambda f: -f[0])
    hits = ordered(hits)
    shown = [hits[round(i * (len(hits) - 1) / 19)] for i in range(20)]
    return [(f"20 of {len(hits)} hits, from the strongest to the weakest", shown),
            (f"all {len(misses)} misses", ordered(misses)),
            (f"all {len(others)} unlabelled marks on five complete scans", ordered(others))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("real", "figures", "page"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--threshold", type=float, required=True)
    args = parser.parse_args()
    parts = groups(args, os.path.dirname(os.path.abspath(__file__)))
    rows = [math.ceil(len(found) / COLUMNS) for _, found in parts]
    page = plt.figure(figsize=(4.6 * COLUMNS, sum(1.8 * n + 0.5 for n in rows)))
    for part, n, (title, found) in zip(page.subfigures(len(parts), 1, height_ratios=[1.8 * n + 0.5 for n in rows]), rows, parts):
        part.suptitle(title, x=0.005, ha="left", y=1 - 0.1 / (1.8 * n + 0.5), fontsize=11, weight="bold")
        part.subplots_adjust(left=0.005, right=0.995, bottom=0.01, top=1 - 0.6 / (1.8 * n + 0.5), wspace=0.02, hspace=0.15)
        axes = part.subplots(n, COLUMNS, squeeze=False).ravel()
        for axis in axes:
            axis.axis("off")
        for axis, (score, caption, image, at) in zip(axes, found):
            axis.imshow(planes(image, at), cmap="gray", vmin=0, vmax=255)
            axis.set_title(f"{score:.2f}  {caption}", fontsize=6.5, loc="left", pad=2)
    plt.savefig(args.page, dpi=64, pil_kwargs={"quality": 80})


if __name__ == "__main__":
    main()
