#!/usr/bin/env python3
"""Sensitivity against false marks per scan for a batch over phantoms.

    lynceus batch PHANTOMS -o RESULTS --threshold 0.000001
    froc.py PHANTOMS RESULTS

Each folder of PHANTOMS has a truth.json; RESULTS has a folder of the same name with findings.json. The rule is LUNA16's: a
mark hits if it lies strictly inside the lesion's sphere; further marks in a lesion that was hit do not count.
"""
import json
import os
import sys

RATES = (0.125, 0.25, 0.5, 1, 2, 4, 8)


def inside(mark, lesion):
    squared = sum((a - b) ** 2 for a, b in zip(mark["centerMm"], lesion["centerMm"]))
    return squared < (lesion["diameterMm"] / 2) ** 2


def main():
    phantoms, results = sys.argv[1:3]
    best, false, diameters, scans = [], [], [], 0
    for name in sorted(os.listdir(results)):
        truth_path, found_path = os.path.join(phantoms, name, "truth.json"), os.path.join(results, name, "findings.json")
        if not (os.path.exists(truth_path) and os.path.exists(found_path)):
            continue
        lesions, result = json.load(open(truth_path))["findings"], json.load(open(found_path))
        if result["status"] != "succeeded":
            sys.exit(f"{name}: {result['status']}: {result['reason']}")
        scans += 1
        for lesion in lesions:
            best.append(max((m["score"] for m in result["findings"] if inside(m, lesion)), default=0))
            diameters.append(lesion["diameterMm"])
        false += [m["score"] for m in result["findings"] if not any(inside(m, l) for l in lesions)]
    false.sort(reverse=True)
    print(f"{scans} scans, {len(best)} lesions, {len(false)} false marks at the lowest threshold")
    sensitivities = []
    for rate in RATES:
        allowed = int(rate * scans)
        threshold = false[allowed] if allowed < len(false) else 0
        sensitivities.append(sum(b > threshold for b in best) / len(best))
        print(f"{rate:6.3f} false marks per scan: sensitivity {sensitivities[-1]:.3f} (score above {threshold:.3f})")
    print(f"mean: {sum(sensitivities) / len(sensitivities):.3f}")
    threshold = false[scans] if scans < len(false) else 0
    for low, high in ((3, 5), (5, 8), (8, 15), (15, 60)):
        group = [b > threshold for b, d in zip(best, diameters) if low <= d < high]
        if group:
            print(f"{low} to {high} mm at 1 false mark per scan: {sum(group)} of {len(group)}")


if __name__ == "__main__":
    main()
