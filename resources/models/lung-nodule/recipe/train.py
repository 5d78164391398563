#!/usr/bin/env python3
"""Trains the detector and the classifier of this package and writes both to ONNX.

    train.py --real real.npz --phantoms DIR --fold all --out OUT        what ships: trained on everything
    train.py --real real.npz --phantoms DIR --fold 0 1 2 3 4 --out OUT  for the figures: each leaves out its patients of folds.csv

real.npz comes from prepare.py, DIR from phantoms.sh. Needs PyTorch >= 2.2, SciPy, onnx and a GPU (a CPU does for --steps 2).
"""
import argparse
import collections
import copy
import csv
import json
import math
import multiprocessing
import os
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from networks import Medical3DNet, NoduleNet, export
from patches import AIR, Images, Plans, Renderer, Source, load_real

PATCH = 64          # mm, detector
CROP = 40           # mm, classifier
STRIDE = 2          # mm per output cell of the detector
MIN_DIAMETER = 3.0  # mm; smaller ones are neither lesion nor background
DETECTOR_BATCH = {"cube": 11, "cube_elsewhere": 4, "scan_nodule": 2, "scan_lung": 5, "scan_hard": 9, "paste_scan": 11,
                  "phantom_nodule": 3, "phantom_hard": 2, "paste_phantom": 1}
CLASSIFIER_BATCH = {"cube": 64, "cube_elsewhere": 24, "scan_nodule": 12, "scan_hard": 72, "paste_scan": 56,
                    "phantom_nodule": 14, "phantom_hard": 14}


# ---------------------------------------------------------------- detector

def targets(nodules, ignored, cells):
    """Heat, ln diameter, offset (x, y, z mm) and weight on the cells, from (n, k, 4) in patch voxels."""
    axis = torch.arange(cells, device=nodules.device) * STRIDE + (STRIDE - 1) / 2
    grid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"))             # 3, z, y, x
    delta = nodules[:, :, :3, None, None, None] - grid[None, None]                    # n, k, 3, z, y, x
    distance = delta.norm(dim=2)
    d = nodules[:, :, 3, None, None, None]
    counted, tiny = d >= MIN_DIAMETER, (d > 0) & (d < MIN_DIAMETER)
    sigma = (0.22 * d).clamp(min=1.2)
    heat = torch.exp(-(distance ** 2) / (2 * sigma ** 2)) * counted
    # The cell that holds the centre is exactly 1 so that even the smallest nodule has a positive.
    heat = torch.where((delta.abs().amax(dim=2) <= STRIDE / 2) & counted, torch.ones_like(heat), heat)
    best, which = heat.max(dim=1)
    size = d.expand_as(heat).gather(1, which[:, None])[:, 0].clamp(min=1).log()
    offset = delta.gather(1, which[:, None, None].expand(-1, 1, 3, -1, -1, -1))[:, 0].flip(1)
    unsure = (tiny & (distance < d / 2 + 2)).any(dim=1)
    far = (ignored[:, :, :3, None, None, None] - grid[None, None]).norm(dim=2) > ignored[:, :, 3, None, None, None] / 2 + 3
    unsure |= (~far & (ignored[:, :, 3, None, None, None] > 0)).any(dim=1)
    weight = torch.where(best >= 1, 1.0, 1 - unsure.float())
    return best[:, None], size[:, None], offset, weight[:, None]


def detector_loss(outputs, nodules, ignored):
    heat, size, offset = [o.float() for o in outputs]
    want, want_size, want_offset, weight = targets(nodules, ignored, heat.shape[-1])
    positive = (want >= 1).float() * weight
    p = heat.sigmoid()
    log_p, log_n = F.logsigmoid(heat), F.logsigmoid(-heat)
    focal = positive * (1 - p) ** 2 * -log_p + (1 - positive) * weight * (1 - want) ** 4 * p ** 2 * -log_n
    count = positive.sum().clamp(min=1)
    near = (want > 0.5).float() * weight
    size_loss = (near * (size - want_size).abs()).sum() / near.sum().clamp(min=1)
    offset_loss = (near * (offset - want_offset).abs()).sum() / near.sum().clamp(min=1) / 3
    return focal.sum() / count, size_loss, offset_loss


@torch.no_grad()
def peaks(net, image, threshold, limit):
    """Marks (z, y, x, d, score) of a uint8 image on the device, strongest first, found slab by slab."""
    core, halo = 96, 32
    found = []
    torch.backends.cudnn.benchmark = False  # every scan has another size
    for z in range(0, image.shape[0], core):
        lo, hi = max(z - halo, 0), min(z + core + halo, image.shape[0])
        slab = image[lo:hi].float()[None, None] / 255.0
        slab = F.pad(slab, [p for s in reversed(slab.shape[2:]) for p in (0, -s % 16)], value=AIR / 255)
        with torch.autocast(image.device.type, torch.bfloat16):
            heat, size, offset = [o.float() for o in net(slab.contiguous(memory_format=torch.channels_last_3d))]
        score = heat.sigmoid()
        top = ((score == F.max_pool3d(score, 3, 1, 1)) & (score > threshold)).nonzero()
        top = top[(lo + top[:, 2] * STRIDE >= z) & (lo + top[:, 2] * STRIDE < z + core)]
        k, j, i = top[:, 2], top[:, 3], top[:, 4]
        at = top[:, 2:] * STRIDE + 0.5 + offset[0, :, k, j, i].T.flip(1)
        at[:, 0] += lo
        found.append(torch.cat([at, size[0, 0, k, j, i].exp()[:, None], score[0, 0, k, j, i][:, None]], dim=1).cpu().numpy())
    torch.backends.cudnn.benchmark = True
    marks = np.concatenate(found)
    marks = marks[np.argsort(-marks[:, 4])][:4 * limit]
    distance = np.linalg.norm(marks[:, None, :3] - marks[None, :, :3], axis=2)
    near = distance <= np.maximum(3.0, 0.5 * np.maximum(marks[:, None, 3], marks[None, :, 3]))
    kept = np.ones(len(marks), bool)
    for i in range(len(marks)):
        kept[i + 1:] &= ~(kept[i] & near[i, i + 1:])
    return marks[kept][:limit]


def mine(net, images, sources, threshold, limit):
    """Adds to each source where the network is wrong now; forgets half of the weight of what it was wrong about before."""
    for source in sources:
        marks = peaks(net, images.of(source), threshold, limit)
        far = np.ones(len(marks), bool)
        for place in np.concatenate([source.nodules, source.doubtful]):
            far &= np.linalg.norm(marks[:, :3] - place[:3], axis=1) > place[3] / 2 + 4
        new = marks[far][:, [0, 1, 2, 4]]
        old = source.hard * [1, 1, 1, 0.5]
        old = old[[all(np.linalg.norm(new[:, :3] - o[:3], axis=1) > 3) for o in old]] if len(new) and len(old) else old
        source.hard = np.concatenate([new, old])


def drawn(plans, steps, workers):
    """The plans of these steps in order, drawn ahead by other processes, which see the hard places as they are now."""
    if not workers:
        yield from map(plans.make, steps)
        return
    global g_plans
    g_plans = plans
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        ahead = collections.deque()
        for step in steps:
            ahead.append(pool.apply_async(draw, (step,)))
            if len(ahead) > 4 * workers:
                yield ahead.popleft().get()
        while ahead:
            yield ahead.popleft().get()


def draw(step):
    return g_plans.make(step)


def schedule(optimiser, lr, step, steps):
    for group in optimiser.param_groups:
        group["lr"] = lr * min(1, (step + 1) / 300) * 0.5 * (1 + math.cos(math.pi * step / steps))


class Average:
    """A network whose weights follow another's: at first their mean, later with a half-life of 0.7 / rate steps."""

    def __init__(self, net, rate):
        self.net, self.rate, self.steps = copy.deepcopy(net).eval().requires_grad_(False), rate, 0

    @torch.no_grad()
    def follow(self, net):
        self.steps += 1
        for ours, theirs in zip(self.net.state_dict().values(), net.state_dict().values()):
            if ours.is_floating_point():
                ours.lerp_(theirs, max(self.rate, 1 / self.steps))
            else:
                ours.copy_(theirs)


class Report:
    """Means of what a step measures, every 200 steps."""

    def __init__(self, what, names, steps, patches, log):
        self.what, self.names, self.steps, self.patches, self.log = what, names, steps, patches, log
        self.start, self.sums, self.since = time.time(), 0, 0

    def add(self, step, values):
        self.sums = self.sums + torch.stack(values).detach()
        self.since += 1
        if step % 200 == 199 or step == 20 or step + 1 == self.steps:
            seconds = time.time() - self.start
            means = " ".join(f"{n} {v:.3f}" for n, v in zip(self.names, (self.sums / self.since).tolist()))
            self.log(f"{self.what} step {step + 1} {seconds:.0f} s {(step + 1) * self.patches / seconds:.0f} patches/s {means}")
            self.sums, self.since = 0, 0


def train_detector(args, images, masks, sources, log):
    device = images.device
    net = NoduleNet().to(device).to(memory_format=torch.channels_last_3d)
    average = Average(net, 0.003)
    run, loss_of = net, detector_loss
    if device == "cuda":
        run, loss_of = torch.compile(net, dynamic=False), torch.compile(detector_loss, dynamic=False)
    optimiser = torch.optim.AdamW(net.parameters(), lr=args.lr, weight_decay=1e-2)
    plans = Plans(images.row, sources, PATCH, without(DETECTOR_BATCH, args.without), 0.42 * PATCH, args.seed)
    renderer = Renderer(images, masks, PATCH, args.seed)
    report = Report("detector", ["heat", "size", "offset"], args.steps, len(plans.kinds), log)
    rng = np.random.default_rng(args.seed)
    borders = np.linspace(0, args.steps, min(7, args.steps + 1)).astype(int)
    for first, last in zip(borders, borders[1:]):
        if first:
            cubes, scans, phantoms = sources
            mine(average.net, images, cubes + scans, 0.1, 60)
            mine(average.net, images, list(rng.permutation(phantoms)[:12]), 0.1, 30)
            log(f"mined {sum(len(s.hard) for s in cubes)} places in cubes, {[len(s.hard) for s in scans]} in scans, "
                f"{sum(len(s.hard) for s in phantoms)} in phantoms")
        for step, plan in zip(range(first, last), drawn(plans, range(first, last), args.workers)):
            schedule(optimiser, args.lr, step, args.steps)
            image, nodules, ignored = renderer.render(plan)
            net.train()
            with torch.autocast(device, torch.bfloat16):
                outputs = run(image.contiguous(memory_format=torch.channels_last_3d))
            heat, size, offset = loss_of(outputs, nodules, ignored)
            (heat + 0.5 * size + 0.2 * offset).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            average.follow(net)
            report.add(step, [heat, size, offset])
    return average.net


# ---------------------------------------------------------------- classifier

def labels_of(nodules):
    """1 where a nodule's middle is near the middle of the crop; -1 where only a nodule's edge is."""
    distance = (nodules[:, :, :3] - (CROP - 1) / 2).norm(dim=2)
    real = nodules[:, :, 3] >= MIN_DIAMETER
    hit = (real & (distance < (nodules[:, :, 3] / 2).clamp(min=4.5))).any(dim=1)
    edge = ((nodules[:, :, 3] > 0) & (distance < nodules[:, :, 3] / 2 + 3)).any(dim=1)
    return torch.where(hit, 1, torch.where(edge, -1, 0))


def train_classifier(args, images, masks, sources, log):
    device = images.device
    net = Medical3DNet().to(device).to(memory_format=torch.channels_last_3d)
    average = Average(net, 0.01)
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=5e-2)
    plans = Plans(images.row, sources, CROP, without(CLASSIFIER_BATCH, args.without), 2.5, args.seed + 1, zoom=(0.75, 1.35))
    renderer = Renderer(images, masks, CROP, args.seed + 1)
    steps = args.classifier_steps
    report = Report("classifier", ["loss", "right", "nodules"], steps, len(plans.kinds), log)
    for step, plan in zip(range(steps), drawn(plans, range(steps), args.workers)):
        schedule(optimiser, 1e-3, step, steps)
        image, nodules, _ = renderer.render(plan)
        label = labels_of(nodules)
        net.train()
        with torch.autocast(device, torch.bfloat16):  # torch.compile gave NaN here with PyTorch 2.11
            logits = net(image.contiguous(memory_format=torch.channels_last_3d)).float()
        loss = F.cross_entropy(logits, label, ignore_index=-1, label_smoothing=0.02)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        average.follow(net)
        counted = (label >= 0).float()
        right = (((logits[:, 1] > logits[:, 0]) == (label == 1)) * counted).sum() / counted.sum()
        report.add(step, [loss, right, (label == 1).float().mean()])
    return average.net


# ---------------------------------------------------------------- runs

def without(recipe, words):
    """The recipe of an ablation: kinds that hold one of the words go, the others fill the batch."""
    kept = {k: n for k, n in recipe.items() if not any(w in k for w in words)}
    return {k: max(1, round(n * sum(recipe.values()) / sum(kept.values()))) for k, n in kept.items()}


def left_out(folds, fold):
    return {r["patient"] for r in csv.DictReader(open(folds)) if fold != "all" and int(r["fold"]) == int(fold)}


def run_fold(args, fold, images, masks, cubes, scans, phantoms):
    """Trains and writes both networks; a detector that is there already is gone on from."""
    out = left_out(args.folds, fold)
    sources = [s for s in cubes if s.name not in out], [s for s in scans if s.name not in out], phantoms
    path = {k: os.path.join(args.out, f"{k}_{fold}") for k in ("log", "detector", "hard", "nodule_detector", "nodule_classifier")}
    lines = open(path["log"] + ".txt", "a")

    def log(text):
        print(f"[{fold}] {text}", flush=True)
        lines.write(text + "\n")
        lines.flush()

    for group in (cubes, scans, phantoms):
        for source in group:
            source.hard = np.zeros((0, 4))
    log(f"{len(sources[0])} cubes, {len(sources[1])} scans, {len(phantoms)} phantoms; {vars(args)}")
    torch.manual_seed(args.seed)
    if os.path.exists(path["detector"] + ".pt"):
        detector = NoduleNet()
        detector.load_state_dict(torch.load(path["detector"] + ".pt"))
        detector.to(images.device).to(memory_format=torch.channels_last_3d).eval()
    else:
        detector = train_detector(args, images, masks, sources, log)
        torch.save(detector.state_dict(), path["detector"] + ".pt")
        log(f"parameters of the detector: {sum(p.numel() for p in detector.parameters())}")
        cells = {0: "n", 2: "d", 3: "h", 4: "w"}
        export(copy.deepcopy(detector), torch.rand(1, 1, 48, 64, 80), cells, ["heat", "size", "offset"], path["nodule_detector"] + ".onnx")
    mine(detector, images, sources[0] + sources[1], 0.01, 100)
    mine(detector, images, phantoms[::3], 0.02, 30)
    log(f"marks for the classifier: {sum(len(s.hard) for s in sources[0])} in cubes, {[len(s.hard) for s in sources[1]]} in scans, "
        f"{sum(len(s.hard) for s in phantoms)} in phantoms")
    classifier = train_classifier(args, images, masks, sources, log)
    export(classifier, torch.rand(2, 1, CROP, CROP, CROP), {0: "n"}, ["logits"], path["nodule_classifier"] + ".onnx")
    log("done")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", required=True)
    parser.add_argument("--phantoms", required=True)
    parser.add_argument("--folds", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "folds.csv"))
    parser.add_argument("--fold", nargs="+", default=["all"])
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--classifier-steps", type=int, default=1500)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without", nargs="+", default=[], help="ablation: words of kinds of patches to leave out, such as phantom")
    parser.add_argument("--workers", type=int, default=6, help="processes that draw patches; 0: none but this one")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cuda.matmul.allow_tf32 = True
    os.makedirs(args.out, exist_ok=True)
    start = time.time()
    cubes, scans = load_real(args.real)
    names = sorted((n for n in os.listdir(args.phantoms) if n.endswith(".npz")), key=lambda n: int(n[:-4]))
    phantoms = [Source.load(os.path.join(args.phantoms, n)) for n in names]
    images, masks = Images(cubes + scans + phantoms, device), Images(cubes, device, masks=True)
    print(f"loaded in {time.time() - start:.0f} s: {images.buffer.numel() / 1e9:.1f} GB", flush=True)
    for fold in args.fold:
        run_fold(args, fold, images, masks, cubes, scans, phantoms)


if __name__ == "__main__":
    main()
