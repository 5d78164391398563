#!/usr/bin/env python3
"""Every figure of the model card on real CT, from the networks of the five folds, by the product itself.

    figures.py --lynceus PROGRAM --data DIR --models DIR --out OUT [--tta] [--precision P] [--single-stage] [--folds K …]

MODELS holds nodule_detector_K.onnx and nodule_classifier_K.onnx for folds 0 to 4, as train.py writes them. Each network reads only
what folds.csv left out when it was trained: nodules in cubes of 51 mm and one complete scan. A nodule and the false marks it is held
against come from different scans, so the curve is a pseudo-FROC. DIR is laid out as prepare.py says.

The cubes are read as they are. What stands around them changes what a network says: cubes cut out around 39 marks of two complete
scans got raw logits 0.15 below those in their scan (median); mirrored to 96 mm, 1.4 above them (version 0.2.0, which had seen
mirrored surroundings around nodules alone). With 22 mm of -1200 HU around them the first stage alone found .51 of the nodules at 4
marks per scan, bare .76.

Writes the tables of `lynceus evaluate` to OUT, and calibration.json: the logistic curve over the sum of both raw logits that ships,
fitted on all these marks, every unlabelled one taken for false. In the tables a mark's score comes from a curve of the other folds.
"""
import argparse
import csv
import hashlib
import json
import math
import os
import shutil
import subprocess

import numpy as np

from prepare import SCANS, box_lesion
from patches import read_mha

HERE = os.path.dirname(os.path.abspath(__file__))


def write_mha(path, hu, corner):
    with open(path, "wb") as f:
        f.write(f"ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = False\n"
                f"TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = {corner} {corner} {corner}\nElementSpacing = 1 1 1\n"
                f"DimSize = {hu.shape[2]} {hu.shape[1]} {hu.shape[0]}\nElementType = MET_SHORT\nElementDataFile = LOCAL\n".encode())
        f.write(np.ascontiguousarray(hu, "<i2").tobytes())


def package(args, fold, folder):
    """The shipped package with the fold's networks, uncalibrated: every candidate is reported with its raw scores."""
    os.makedirs(folder, exist_ok=True)
    names = {"nodule_detector.onnx": f"nodule_detector_{fold}.onnx", "nodule_classifier.onnx": f"nodule_classifier_{fold}.onnx"}
    lines, section = [], ""
    for line in open(os.path.join(HERE, "..", "model.toml")):
        section = line.strip() if line.startswith("[") else section
        key = line.split("=")[0].strip()
        if args.single_stage and (section == "[secondStage]" or key in ("secondStageSlope", '"nodule_classifier.onnx"')):
            continue
        if key.strip('"') in names:
            data = open(os.path.join(args.models, names[key.strip('"')]), "rb").read()
            line = f'{key} = "{hashlib.sha256(data).hexdigest()}"\n'
        if key == "candidateScore":
            line = "candidateScore = 0.005\n"
        if key == "coverageMm":
            line = "coverageMm = [40, 1500]\n"  # the cubes
        lines.append(line)
    open(os.path.join(folder, "model.toml"), "w").writelines(lines)
    for ours, theirs in names.items():
        if not (args.single_stage and "classifier" in ours):
            shutil.copy(os.path.join(args.models, theirs), os.path.join(folder, ours))
    shutil.copy(os.path.join(HERE, "..", "MODEL_CARD.md"), folder)


def detect(args, fold, cubes, rows, scans):
    """findings.json paths by series name for what a fold left out; what is there already is not read again."""
    model = os.path.join(args.out, "packages", str(fold))
    package(args, fold, model)
    common = ["--model", model, "--threshold", "0", "--precision", args.precision] + (["--tta"] if args.tta else [])
    folder, results = os.path.join(args.out, "cubes", str(fold)), os.path.join(args.out, "results", str(fold))
    os.makedirs(folder, exist_ok=True)
    mine = [i for i, row in enumerate(rows) if row["fold"] == fold]
    found = {rows[i]["patient"]: os.path.join(results, rows[i]["patient"] + ".mha", "findings.json") for i in mine}
    if not all(map(os.path.exists, found.values())):
        for i in mine:
            write_mha(os.path.join(folder, rows[i]["patient"] + ".mha"), cubes["hu"][i], 0)
        subprocess.run([args.lynceus, "batch", folder, "-o", results, "--region", "whole", *common], check=True)
    for name in scans:
        out = os.path.join(args.out, "results", name)
        found[name] = os.path.join(out, "findings.json")
        if not os.path.exists(found[name]):
            subprocess.run([args.lynceus, "detect", os.path.join(args.data, SCANS[name]), "-o", out, *common], check=True)
    return found


def marks_of(path):
    """(x, y, z, first raw logit, second) of each mark."""
    result = json.load(open(path))
    assert result["status"] == "succeeded", (path, result["reason"])
    logit = lambda p: math.log(max(p, 1e-9) / max(1 - p, 1e-9))
    return [[*f["centerMm"], logit(f["rawScore"]), logit(f["secondStageRawScore"]) if f.get("secondStageRawScore") is not None else 0.0]
            for f in result["findings"]]


def annotations(args, cubes, rows, lesions):
    """LUNA16 columns and the readers' opinion for the nodules of the cubes and the labelled lesions of the scans."""
    kinds = {1: "ground glass", 2: "part-solid", 3: "part-solid", 4: "solid", 5: "solid"}
    for i, row in enumerate(rows):
        z, y, x = np.array(np.nonzero(cubes["mask"][i])).mean(axis=1)
        yield [row["patient"], x, y, z, row["equiv_diam_mm"], kinds[round(float(row["texture"]))]]
    for name, found in lesions.items():
        for lesion in found:
            yield [name, *lesion, "solid"]


def labelled(args, name):
    """What the collections label in a scan: (x, y, z, d)."""
    found = [[float(r[k]) for k in ("x_mm_lps", "y_mm_lps", "z_mm_lps", "equivalent_diameter_mm")]
             for r in csv.DictReader(open(os.path.join(args.data, "chest_ct/lesions.csv"))) if r["scan"] == name]
    if name == "Lung_Dx-A0001":
        path = os.path.join(args.out, "scan.mha")
        subprocess.run([args.lynceus, "convert", os.path.join(args.data, SCANS[name]), path], check=True, stdout=subprocess.DEVNULL)
        _, spacing, corner = read_mha(path)
        found += box_lesion(args.data, corner, spacing)
    return found


def near(mark, places, at_least=0.0):
    return any(math.dist(mark[:3], p[:3]) < max(p[3] / 2, at_least) for p in places)


def fit(positive, negative):
    """Slope and intercept of the logistic curve over the sum of both raw logits, by Newton's method, with a whisper of a prior.

    One slope for both stages: a weight for each, fitted on so few nodules, differed by a factor of two between folds.
    """
    x = np.array([[m[3] + m[4], 1.0] for m in positive + negative])
    y = np.array([1.0] * len(positive) + [0.0] * len(negative))
    w = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ w))
        h = (x * (p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(2)
        w += np.linalg.solve(h, x.T @ (y - p) - 1e-3 * w)
    return w


def curves(positive, negative, fold_of):
    """fit() for each fold on the patients of the others, from (patient, mark); under "all" on everybody's."""
    marks_but = lambda marks, fold: [m for name, m in marks if fold_of[name] != fold]
    return {fold: fit(marks_but(positive, fold), marks_but(negative, fold)) for fold in {*fold_of.values(), "all"}}


def probability(curve, mark):
    return 1 / (1 + math.exp(-(curve[0] * (mark[3] + mark[4]) + curve[1])))


def write_csv(path, header, rows):
    with open(path, "w", newline="") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("lynceus", "data", "models", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--tta", action="store_true")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--single-stage", action="store_true")
    parser.add_argument("--folds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    fold_of = {r["patient"]: int(r["fold"]) for r in csv.DictReader(open(os.path.join(HERE, "folds.csv")))}
    cubes = np.load(os.path.join(args.data, "train/nodules134_train.npz"))
    by_name = {r["Filename"]: r for r in csv.DictReader(open(os.path.join(args.data, "train/nodules134_train.csv")))}
    rows = [by_name[str(n)] for n in cubes["name"]]
    for row in rows:
        row["fold"] = fold_of[row["patient"]]
    found = {}
    for fold in args.folds:
        found.update(detect(args, fold, cubes, rows, [n for n in SCANS if fold_of[n] == fold]))
    marks = {name: marks_of(path) for name, path in found.items()}
    scans = sorted(name for name in SCANS if name in found)
    lesions = {name: labelled(args, name) for name in scans}
    looked = {}
    for r in csv.DictReader(open(os.path.join(HERE, "scan_marks.csv"))):
        looked.setdefault(r["scan"], []).append((r["class"], [float(r[k]) for k in ("coordX", "coordY", "coordZ", "diameter_mm")]))

    truth = [t for t in annotations(args, cubes, rows, lesions) if t[0] in found]
    path = lambda name: os.path.join(args.out, name)
    write_csv(path("annotations.csv"), ["seriesuid", "coordX", "coordY", "coordZ", "diameter_mm", "texture"], truth)
    write_csv(path("series.csv"), ["seriesuid"], [[n] for n in sorted(marks)])
    write_csv(path("background.csv"), ["seriesuid"], [[n] for n in scans])
    # Left out of the adjudicated readings: what we took for a nodule among unlabelled marks; then also what we could not tell.
    for title, classes in (("nodules", ["nodule"]), ("doubtful", ["nodule", "uncertain"])):
        write_csv(path(title + ".csv"), ["seriesuid", "coordX", "coordY", "coordZ", "diameter_mm"],
                  [[n, *p[:3], max(p[3], 8)] for n in scans for c, p in looked.get(n, []) if c in classes])

    places = {t[0]: [[float(v) for v in t[1:5]]] for t in truth if t[0] not in SCANS}
    strongest = {name: max(hits, key=lambda m: m[3] + m[4]) for name in sorted(places)
                 if (hits := [m for m in marks[name] if near(m, places[name])])}
    positive = list(strongest.items())
    doubtful = {n: [p for c, p in looked.get(n, []) if c in ("nodule", "uncertain")] for n in scans}
    negative = [(n, m) for n in scans for m in marks[n] if not near(m, lesions[n])]
    curve = curves(positive, negative, fold_of)
    json.dump({"slope": curve["all"][0], "intercept": curve["all"][1], "nodules": len(positive), "others": len(negative)},
              open(path("calibration.json"), "w"), indent=1)
    write_csv(path("detections.csv"), ["seriesuid", "coordX", "coordY", "coordZ", "probability"],
              [[name, *m[:3], probability(curve[fold_of[name]], m)] for name in sorted(marks) for m in marks[name]])
    if not args.single_stage:  # the second stage alone: each nodule's mark against as many of the first stage's strongest sure errors
        sure = [(n, m) for n, m in negative if not near(m, doubtful[n], 4)]
        alone = lambda marks: [(name, [0, 0, 0, 0.0, m[4]]) for name, m in marks]
        hits, others = alone(positive), alone(sorted(sure, key=lambda n: -n[1][3])[:len(positive)])
        curve = curves(hits, others, fold_of)
        write_csv(path("patches.csv"), ["patient", "label", "score"], [[name, label, probability(curve[fold_of[name]], m)]
                                                                       for label, marked in ((1, hits), (0, others)) for name, m in marked])

    base = [args.lynceus, "evaluate", "--annotations", path("annotations.csv"), "--series", path("series.csv"), "--background",
            path("background.csv"), "--detections", path("detections.csv"), "--by", "texture"]
    for title, more in (("raw", []), ("without_nodules", ["--excluded", path("nodules.csv")]),
                        ("without_doubtful", ["--excluded", path("doubtful.csv")])):
        print(f"\n{title}:", flush=True)
        subprocess.run([*base, *more, "--json", path(title + ".json"), "--plot", path(title + ".svg")], check=True)
    if not args.single_stage:
        print("\nclassifier alone:", flush=True)
        subprocess.run([args.lynceus, "evaluate", "--patches", path("patches.csv"), "--json", path("patches.json"), "--plot",
                        path("patches.svg")], check=True)


if __name__ == "__main__":
    main()
