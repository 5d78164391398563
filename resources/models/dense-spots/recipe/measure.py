#!/usr/bin/env python3
"""Counts what lynceus.dense-spots finds in phantoms and what it marks wrongly.

usage: measure.py PHANTOMS RESULTS      (each a folder with one folder for each phantom; python3 alone)

A spot is found where a mark's centre lies in its box, widened by 3 mm. A mark that lies in no calcified or metal thing is
false, on bone, too; marks in large ones, which are no spots, count neither way.
"""
import json
import pathlib
import sys
from collections import Counter

MARGIN = 3.0
SPOTS = ["calcified-lymph-node", "surgical-clip", "coronary-calcium", "aortic-calcium", "calcified-rib-cartilage"]
OTHER = ["pacemaker", "port", "central-line", "sternal-wire", "stent", "suture-line", "pleural-plaque"]


def inside(point, box):
    return all(box["min"][i] - MARGIN <= point[i] <= box["max"][i] + MARGIN for i in range(3))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    found, there, false, phantoms = Counter(), Counter(), [], 0
    for results in sorted(pathlib.Path(sys.argv[2]).iterdir()):
        truth = json.loads((pathlib.Path(sys.argv[1]) / results.name / "truth.json").read_text())
        things = [("calcified lesion, " + f["tags"]["calcification"], f["boxMm"])
                  for f in truth["findings"] if f["tags"]["calcified"] == "yes"]
        things += [(d["kind"], d["boxMm"]) for d in truth["distractors"] if d["kind"] in SPOTS]
        other = [d["boxMm"] for d in truth["distractors"] if d["kind"] in OTHER]
        marks = [f["centerMm"] for f in json.loads((results / "findings.json").read_text())["findings"]]
        for kind, box in things:
            there[kind] += 1
            found[kind] += any(inside(m, box) for m in marks)
        boxes = [box for _, box in things] + other
        false.append(sum(not any(inside(m, box) for box in boxes) for m in marks))
        phantoms += 1
    for kind in sorted(there):
        print(f"{kind}: {found[kind]} of {there[kind]}")
    lesions = [k for k in there if k.startswith("calcified lesion")]
    print(f"all calcified lesions: {sum(found[k] for k in lesions)} of {sum(there[k] for k in lesions)}")
    print(f"false marks in {phantoms} phantoms: {sum(false)} ({', '.join(map(str, false))})")


main()
