#!/usr/bin/env python3
"""Trains the lung-nodule network of this package and exports it to ONNX.

    train.py --phantoms DIR --cubes nodules134_train.npz --cubes-csv nodules134_train.csv --minutes 9 --out DIR

DIR of phantoms holds one folder for each seed, made by phantoms.sh beside this file.
The cubes are 51^3 voxels of 1 mm around 92 nodules of 92 LIDC-IDRI patients (CC BY 3.0). Needs PyTorch >= 2.2, SciPy and a
GPU. Everything is in millimetres: a voxel is 1 mm, a network output cell is 2 mm. Arrays are (z, y, x).
"""
import argparse
import csv
import json
import math
import os
import threading
import time
import zlib

import numpy as np
import scipy.ndimage
import torch
import torch.nn as nn
import torch.nn.functional as F

PATCH = 48          # mm
STRIDE = 2          # mm per output cell
CELLS = PATCH // STRIDE
SOURCE = 128        # mm of source around a patch: a patch at zoom 0.65, rotated, fits
WINDOW = (-1200.0, 600.0)
MAX_NODULES = 8     # in one patch
MIN_DIAMETER = 3.0  # smaller ones are neither lesion nor background


# ---------------------------------------------------------------- network

def conv(cin, cout, k=3, stride=1):
    pad = (k - stride) // 2 if stride > 1 else k // 2
    return nn.Sequential(nn.Conv3d(cin, cout, k, stride, pad, bias=False), nn.BatchNorm3d(cout), nn.ReLU(inplace=True))


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.a = conv(channels, channels)
        self.b = nn.Sequential(nn.Conv3d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm3d(channels))

    def forward(self, x):
        return F.relu(x + self.b(self.a(x)))


class NoduleNet(nn.Module):
    """Residual U-Net at 2, 4 and 8 mm. Output cell j looks at image voxel 2 j + 0.5 along each axis."""

    def __init__(self, c=(32, 64, 96)):
        super().__init__()
        self.stem = nn.Sequential(conv(1, c[0], 4, 2), Residual(c[0]))
        self.down1 = nn.Sequential(conv(c[0], c[1], 2, 2), Residual(c[1]))
        self.down2 = nn.Sequential(conv(c[1], c[2], 2, 2), Residual(c[2]), Residual(c[2]))
        self.up1 = nn.ConvTranspose3d(c[2], c[1], 2, 2)
        self.merge1 = Residual(c[1])
        self.up2 = nn.ConvTranspose3d(c[1], c[0], 2, 2)
        self.merge2 = nn.Sequential(Residual(c[0]), conv(c[0], c[0]))
        self.heat = nn.Conv3d(c[0], 1, 1)    # logit of "a nodule's centre is here"
        self.size = nn.Conv3d(c[0], 1, 1)    # ln of its diameter in mm
        self.offset = nn.Conv3d(c[0], 3, 1)  # mm from the cell's centre to the nodule's, x, y, z
        nn.init.constant_(self.heat.bias, -5.0)
        nn.init.constant_(self.size.bias, math.log(8.0))

    def forward(self, image):
        a = self.stem(image)
        b = self.down1(a)
        d = self.merge1(b + self.up1(self.down2(b)))
        e = self.merge2(a + self.up2(d))
        return self.heat(e), self.size(e), self.offset(e)


# ---------------------------------------------------------------- data

def to_uint8(hu):
    return np.clip((hu.astype(np.float32) - WINDOW[0]) * (255.0 / (WINDOW[1] - WINDOW[0])) + 0.5, 0, 255).astype(np.uint8)


def read_mha(path):
    """int16 MetaImage with its data in the file: array (z, y, x), spacing and outer corner (z, y, x) in mm."""
    with open(path, "rb") as f:
        header = {}
        while "ElementDataFile" not in header:
            key, value = f.readline().decode("ascii").split("=", 1)
            header[key.strip()] = value.strip()
        data = f.read()
    if header.get("CompressedData", "False") == "True":
        data = zlib.decompress(data)

    def numbers(key):
        return np.array([float(v) for v in header[key].split()])[::-1]

    assert header["ElementType"] == "MET_SHORT", header
    spacing = numbers("ElementSpacing")
    hu = np.frombuffer(data, "<i2").reshape(numbers("DimSize").astype(int))
    return hu, spacing, numbers("Offset") - spacing / 2


def to_one_mm(hu, spacing, device):
    """As the product resamples: linear where 1 mm is finer, a triangle filter of 1 mm half-width where it is coarser."""
    image = torch.from_numpy(hu.astype(np.float32)).to(device)
    for axis in range(3):
        n, step = hu.shape[axis], spacing[axis]
        target = torch.arange(math.ceil(n * step - 1e-6), device=device) + 0.5
        source = (torch.arange(n, device=device) + 0.5) * step
        weights = (1 - (target[:, None].clamp(source[0], source[-1]) - source[None]).abs() / max(step, 1.0)).clamp(min=0)
        weights /= weights.sum(dim=1, keepdim=True)
        image = torch.movedim(torch.tensordot(weights, image, dims=([1], [axis])), 0, axis)
    return image.clamp(-32768, 32767).round().short().cpu().numpy()


class Scan:
    """A 1 mm image on the GPU, padded so that a source box around any voxel exists, with its nodules (z, y, x, d)."""

    def __init__(self, image, nodules, pad, device, centres=None, mask=None):
        self.image = torch.from_numpy(np.ascontiguousarray(image)).to(device)
        self.nodules = np.asarray(nodules, np.float64).reshape(-1, 4) + [pad, pad, pad, 0]
        self.centres = None if centres is None else centres + pad  # where random and negative patches may sit
        self.mask = None if mask is None else torch.from_numpy(mask).to(device)
        self.hard = np.zeros((0, 3))


def load_phantom(folder, device):
    hu, spacing, corner = read_mha(os.path.join(folder, "ct.mha"))
    hu = to_one_mm(hu, spacing, device)
    truth = json.load(open(os.path.join(folder, "truth.json")))
    nodules = [[*(np.array(f["centerMm"])[::-1] - corner - 0.5), f["diameterMm"]] for f in truth["findings"]]
    image = to_uint8(hu)
    small = image[2::4, 2::4, 2::4]
    air = small < to_uint8(np.array(-600))
    labels, _ = scipy.ndimage.label(air)
    outside = np.unique(np.concatenate([labels[:, 0].ravel(), labels[:, -1].ravel(), labels[:, :, 0].ravel(), labels[:, :, -1].ravel()]))
    lung = air & ~np.isin(labels, outside)
    centres = np.argwhere(scipy.ndimage.binary_dilation(lung, iterations=2)) * 4.0 + 2
    return Scan(np.pad(image, SOURCE // 2), nodules, SOURCE // 2, device, centres)


def load_cubes(npz, csv_path, device):
    """Cubes with mirrored borders; the mirror images of the nodule are nodules too. Every eighth patient is held out."""
    data = np.load(npz)
    rows = {r["Filename"]: r for r in csv.DictReader(open(csv_path))}
    names = [str(n) for n in data["name"]]
    patients = sorted(rows[n]["patient"] for n in names)
    train, held_out = [], []
    pad = 50
    for i, name in enumerate(names):
        hu, mask = data["hu"][i], data["mask"][i]
        centre = np.array(np.nonzero(mask)).mean(axis=1)
        diameter = float(rows[name]["equiv_diam_mm"])
        last = hu.shape[0] - 1
        places = [[c, -c, 2 * last - c] for c in centre]
        nodules = [[z, y, x, diameter] for z in places[0] for y in places[1] for x in places[2]]
        extra = SOURCE // 2 - pad
        image = np.pad(np.pad(to_uint8(hu), pad, mode="reflect"), extra)
        mask = np.pad(mask, SOURCE // 2)
        scan = Scan(image, nodules, SOURCE // 2, device, mask=mask)
        (held_out if patients.index(rows[name]["patient"]) % 8 == 3 else train).append(scan)
    return train, held_out


# ---------------------------------------------------------------- patches

def random_rotation(rng, max_degrees, flips):
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    angle = math.radians(rng.uniform(-max_degrees, max_degrees))
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    m = np.eye(3) + math.sin(angle) * k + (1 - math.cos(angle)) * (k @ k)
    if flips:
        m = m @ np.diag(rng.choice([-1.0, 1.0], 3))
    return m


class Batch:
    """Builds augmented patches: one affine gather for all, then pasted nodules, then intensities."""

    KINDS = ["cube", "cube_elsewhere", "phantom_nodule", "phantom_lung", "hard", "paste_phantom", "paste_cube"]
    SHARES = np.array([0.24, 0.08, 0.20, 0.06, 0.22, 0.10, 0.10])

    def __init__(self, cubes, phantoms, device, seed):
        self.cubes, self.phantoms, self.device = cubes, phantoms, device
        self.rng = np.random.default_rng(seed)
        self.generator = torch.Generator(device=device)
        self.generator.manual_seed(seed)

    def pick(self, kind):
        """Source scan, centre of the patch in it, zoom range."""
        rng = self.rng
        if kind.endswith("cube") or kind == "cube_elsewhere":
            scan = self.cubes[rng.integers(len(self.cubes))]
            middle = np.full(3, SOURCE / 2 + 25.0)
            reach = 20 if kind == "cube" else 45
            return scan, (scan.nodules[0, :3] if kind == "cube" else middle) + rng.uniform(-reach, reach, 3), (0.6, 1.9)
        scan = self.phantoms[rng.integers(len(self.phantoms))]
        if kind == "phantom_nodule" and len(scan.nodules):
            return scan, scan.nodules[rng.integers(len(scan.nodules)), :3] + rng.uniform(-20, 20, 3), (0.8, 1.25)
        if kind == "hard" and rng.random() < 0.4:  # real lung is scarce: half of it stands for all that phantoms lack
            cube = self.cubes[rng.integers(len(self.cubes))]
            if len(cube.hard):
                return cube, cube.hard[rng.integers(len(cube.hard))] + rng.uniform(-16, 16, 3), (0.8, 1.25)
        if kind == "hard" and len(scan.hard):
            return scan, scan.hard[rng.integers(len(scan.hard))] + rng.uniform(-16, 16, 3), (0.9, 1.1)
        return scan, scan.centres[rng.integers(len(scan.centres))] + rng.uniform(-8, 8, 3), (0.85, 1.2)

    def gather(self, volumes, centres, matrices):
        """Trilinear patches: patch voxel p shows source voxel centre + M (p - 23.5)."""
        device, half = self.device, SOURCE // 2
        boxes = torch.zeros(len(volumes), 1, SOURCE, SOURCE, SOURCE, dtype=torch.uint8, device=device)
        shift = np.zeros((len(volumes), 3))
        for i, (v, c) in enumerate(zip(volumes, centres)):
            lo = np.round(c).astype(int) - half
            a = np.maximum(lo, 0)
            b = np.minimum(lo + SOURCE, v.shape)
            if (b > a).all():
                t = a - lo
                e = t + (b - a)
                boxes[i, 0, t[0]:e[0], t[1]:e[1], t[2]:e[2]] = v[a[0]:b[0], a[1]:b[1], a[2]:b[2]]
            shift[i] = c - lo
        theta = np.zeros((len(volumes), 3, 4), np.float32)
        scale = 2.0 / (SOURCE - 1)
        for i, m in enumerate(matrices):  # grid_sample wants (x, y, z) and -1..1 with align_corners
            theta[i, :, :3] = m[::-1, ::-1] * ((PATCH - 1) / 2) * scale
            theta[i, :, 3] = shift[i][::-1] * scale - 1
        grid = F.affine_grid(torch.from_numpy(theta).to(device), (len(volumes), 1, PATCH, PATCH, PATCH), align_corners=True)
        return F.grid_sample(boxes.float(), grid, align_corners=True) / 255.0

    def make(self, size):
        rng, middle = self.rng, (PATCH - 1) / 2
        kinds = rng.choice(len(self.KINDS), size, p=self.SHARES / self.SHARES.sum())
        scans, centres, matrices = [], [], []
        nodules = np.zeros((size, MAX_NODULES, 4))
        pastes = []
        for i in range(size):
            kind = self.KINDS[kinds[i]]
            scan, centre, (low, high) = self.pick(kind)
            zoom = math.exp(rng.uniform(math.log(low), math.log(high)))
            m = random_rotation(rng, 25, True) / zoom
            inside = (scan.nodules[:, :3] - centre) @ np.linalg.inv(m).T + middle
            d = scan.nodules[:, 3] * zoom
            near = np.all((inside > -d[:, None] / 2) & (inside < PATCH - 1 + d[:, None] / 2), axis=1)
            found = np.concatenate([inside[near], d[near, None]], axis=1)
            if kind.startswith("paste"):
                source = self.cubes[rng.integers(len(self.cubes))]
                want = math.exp(rng.uniform(math.log(3.2), math.log(24)))
                factor = np.clip(want / source.nodules[0, 3], 0.3, 1.6)
                size_mm = source.nodules[0, 3] * factor
                for _ in range(20):
                    at = rng.uniform(4, PATCH - 5, 3)
                    if all(np.linalg.norm(at - f[:3]) > (f[3] + size_mm) / 2 + 4 for f in found):
                        pastes.append((i, source, random_rotation(rng, 180, True) / factor, at, size_mm))
                        found = np.concatenate([found, [[*at, size_mm]]])
                        break
            found = found[np.argsort(np.linalg.norm(found[:, :3] - middle, axis=1))][:MAX_NODULES]
            nodules[i, :len(found)] = found
            scans.append(scan)
            centres.append(centre)
            matrices.append(m)
        image = self.gather([s.image for s in scans], centres, matrices)
        nodules = torch.from_numpy(nodules).float().to(self.device)
        if pastes:
            self.paste(image, nodules, pastes)
        return self.intensities(image), nodules

    def paste(self, image, nodules, pastes):
        """Blends real nodules in where the host is lung; elsewhere the label goes instead."""
        middle = (PATCH - 1) / 2
        index = torch.tensor([p[0] for p in pastes], device=self.device)
        matrices = [p[2] for p in pastes]
        centres = [p[1].nodules[0, :3] + p[2] @ (middle - p[3]) for p in pastes]
        looks = self.gather([p[1].image for p in pastes], centres, matrices)
        alpha = self.gather([p[1].mask * 255 for p in pastes], centres, matrices)
        alpha = F.max_pool3d(alpha, 3, 1, 1)  # one voxel of the real border comes along
        alpha = F.avg_pool3d(alpha, 3, 1, 1)
        at = torch.tensor(np.array([p[3] for p in pastes]), device=self.device, dtype=torch.float32)
        host = F.avg_pool3d(image[index], 7, 1, 3)[:, 0]
        i = at.round().long()
        lung = host[torch.arange(len(i)), i[:, 0], i[:, 1], i[:, 2]] < (-500 - WINDOW[0]) / (WINDOW[1] - WINDOW[0])
        alpha = alpha * lung[:, None, None, None, None]
        image[index] = image[index] * (1 - alpha) + looks * alpha
        ours = (nodules[index, :, :3] - at[:, None]).norm(dim=2) < 0.01
        nodules[index, :, 3] = nodules[index, :, 3] * (~ours | lung[:, None])

    def slice_profile(self):
        """Matrix (48, 48) along z: the identity, or slices of 1.5 to 5 mm with a random phase and overlap."""
        rng, z = self.rng, np.arange(PATCH, dtype=np.float32)
        if rng.random() < 0.45:
            return np.eye(PATCH, dtype=np.float32)
        thickness = rng.uniform(1.5, 5)
        distance = thickness * rng.uniform(0.5, 1)
        centres = np.arange(-rng.uniform(0, distance), PATCH + distance, distance)
        average = np.clip((thickness + 1) / 2 - np.abs(centres[:, None] - z), 0, 1)  # overlap of slice and voxel
        average /= np.maximum(average.sum(axis=1, keepdims=True), 1e-3)
        between = np.clip(1 - np.abs(z[:, None] - centres) / distance, 0, 1)
        between *= average.sum(axis=1) > 0.5  # slices that lie wholly outside the patch show nothing
        between /= np.maximum(between.sum(axis=1, keepdims=True), 1e-3)
        return (between @ average).astype(np.float32)

    def intensities(self, image):
        n, g, device = len(image), self.generator, self.device

        def uniform(low, high):
            return torch.rand(n, 1, 1, 1, 1, device=device, generator=g) * (high - low) + low

        def chosen(p):
            return torch.rand(n, 1, 1, 1, 1, device=device, generator=g) < p

        # Thicker slices: averaged over their thickness, sampled at their distance, interpolated back to 1 mm.
        profiles = torch.from_numpy(np.stack([self.slice_profile() for _ in range(n)])).to(device)
        image = torch.einsum("nzk,nckyx->nczyx", profiles, image)
        blurred = F.avg_pool3d(F.pad(image, (1, 1, 1, 1, 0, 0), mode="replicate"), (1, 3, 3), 1)
        image = image + chosen(0.6) * uniform(-0.8, 1.5) * (image - blurred)  # softer or sharper kernel, in the plane
        noise = torch.randn(image.shape, device=device, generator=g)
        smooth = F.avg_pool3d(F.pad(noise, (1,) * 6, mode="replicate"), 3, 1) * 4.0
        noise = torch.where(chosen(0.5), smooth, noise)
        image = image + chosen(0.6) * uniform(0, 0.035) * noise  # up to 63 HU
        image = image * uniform(0.95, 1.05) + uniform(-0.03, 0.03)
        return image.clamp(0, 1)


def targets(nodules):
    """Heat, ln diameter, offset (x, y, z mm) and weight on the cells for nodules (n, k, 4) in patch voxels."""
    axis = torch.arange(CELLS, device=nodules.device) * STRIDE + (STRIDE - 1) / 2
    cells = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"))             # 3, z, y, x
    delta = nodules[:, :, :3, None, None, None] - cells[None, None]                   # n, k, 3, z, y, x
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
    weight = 1 - (tiny & (distance < d / 2 + 2)).any(dim=1).float()
    return best[:, None], size[:, None], offset, weight[:, None]


def loss_of(outputs, nodules):
    heat, size, offset = [o.float() for o in outputs]
    want, want_size, want_offset, weight = targets(nodules)
    positive = (want >= 1).float() * weight
    p = heat.sigmoid()
    log_p, log_n = F.logsigmoid(heat), F.logsigmoid(-heat)
    focal = positive * (1 - p) ** 2 * -log_p + (1 - positive) * weight * (1 - want) ** 4 * p ** 2 * -log_n
    count = positive.sum().clamp(min=1)
    near = (want > 0.5).float() * weight
    size_loss = (near * (size - want_size).abs()).sum() / near.sum().clamp(min=1)
    offset_loss = (near * (offset - want_offset).abs()).sum() / near.sum().clamp(min=1) / 3
    return focal.sum() / count, size_loss, offset_loss


# ---------------------------------------------------------------- whole scans

@torch.no_grad()
def peaks(net, image, threshold):
    """Marks (z, y, x, d, score) of a uint8 scan, found slab by slab as the product does it in tiles."""
    core, halo = 96, 24
    marks = []
    for z in range(0, image.shape[0], core):
        lo, hi = max(z - halo, 0), min(z + core + halo, image.shape[0])
        slab = image[lo:hi].float()[None, None] / 255.0
        slab = F.pad(slab, [p for s in reversed(slab.shape[2:]) for p in (0, -s % 8)])
        with torch.autocast("cuda", torch.bfloat16):
            heat, size, offset = [o.float() for o in net(slab.contiguous(memory_format=torch.channels_last_3d))]
        score = heat.sigmoid()
        top = (score == F.max_pool3d(score, 3, 1, 1)) & (score > threshold)
        for _, _, k, j, i in top.nonzero().tolist():
            if not z <= lo + k * STRIDE < z + core:
                continue
            o = offset[0, :, k, j, i].tolist()
            marks.append([lo + k * STRIDE + 0.5 + o[2], j * STRIDE + 0.5 + o[1], i * STRIDE + 0.5 + o[0],
                          math.exp(size[0, 0, k, j, i].item()), score[0, 0, k, j, i].item()])
    marks.sort(key=lambda m: -m[4])
    kept = []
    for m in marks[:400]:
        if all(np.linalg.norm(np.subtract(m[:3], k[:3])) > max(3.0, 0.5 * max(m[3], k[3])) for k in kept):
            kept.append(m)
    return np.array(kept).reshape(-1, 5)


def hits(marks, nodules):
    """For each nodule the best score of a mark inside it; and which marks hit nothing."""
    best = np.zeros(len(nodules))
    free = np.ones(len(marks), bool)
    for n, nodule in enumerate(nodules):
        inside = np.linalg.norm(marks[:, :3] - nodule[:3], axis=1) < max(nodule[3] / 2, 1.5)
        free &= ~inside
        if inside.any():
            best[n] = marks[inside, 4].max()
    return best, free


def mine(net, scans):
    """Where the network is wrong now; the mirrored nodules of a cube count as nodules."""
    for scan in scans:
        marks = peaks(net, scan.image, 0.1)[:60]
        if len(marks):
            far = np.ones(len(marks), bool)
            for nodule in scan.nodules:
                far &= np.linalg.norm(marks[:, :3] - nodule[:3], axis=1) > nodule[3] / 2 + 4
            if scan.mask is not None:  # in a cube: the real part and some of its mirror image
                far &= np.all(np.abs(marks[:, :3] - (SOURCE / 2 + 25)) < 40, axis=1)
            scan.hard = marks[far, :3]


def evaluate(net, phantoms, cubes):
    """Sensitivity at 1/8 .. 8 false marks per held-out phantom, and scores of the held-out real nodules."""
    best, false = [], []
    for scan in phantoms:
        marks = peaks(net, scan.image, 0.02)
        b, free = hits(marks, scan.nodules)
        best += list(b)
        false += list(marks[free, 4])
    best, false = np.array(best), np.sort(false)[::-1]
    report = {"phantoms": len(phantoms), "phantomNodules": len(best), "rates": {}}
    for rate in (0.125, 0.25, 0.5, 1, 2, 4, 8):
        k = int(rate * len(phantoms))
        threshold = false[k] if k < len(false) else 0.02
        report["rates"][rate] = {"sensitivity": float((best > threshold).mean()), "threshold": float(threshold)}
    report["cubeScores"] = []
    for scan in cubes:
        inner = scan.image[40:-40, 40:-40, 40:-40]
        marks = peaks(net, inner, 0.02)
        b, _ = hits(marks, scan.nodules[:1] - [40, 40, 40, 0])
        report["cubeScores"].append([float(b[0]), float(scan.nodules[0, 3])])
    return report


def export(net, path):
    net = net.cpu().float().eval()
    image = torch.rand(1, 1, 48, 40, 56)
    axes = {0: "n", 2: "d", 3: "h", 4: "w"}
    torch.onnx.export(net, (image,), path, input_names=["image"], output_names=["heat", "size", "offset"],
                      dynamic_axes={k: axes for k in ("image", "heat", "size", "offset")}, opset_version=17, dynamo=False)
    try:
        import onnxruntime
    except ImportError:
        return
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        for a, b in zip(net(image), session.run(None, {"image": image.numpy()})):
            print("export: largest difference", float((a - torch.from_numpy(b)).abs().max()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phantoms", required=True)
    parser.add_argument("--held-out-phantoms", type=int, default=8, help="the first N seeds are never trained on")
    parser.add_argument("--cubes", required=True)
    parser.add_argument("--cubes-csv", required=True)
    parser.add_argument("--minutes", type=float, default=9)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--start", help="checkpoint to go on from")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    device = "cuda"
    torch.manual_seed(args.seed)
    torch.backends.cudnn.benchmark = True
    os.makedirs(args.out, exist_ok=True)

    train_cubes, held_cubes = load_cubes(args.cubes, args.cubes_csv, device)
    known, train_phantoms, held_phantoms = set(), [], []

    def load_as_they_come():
        while True:
            for name in sorted(filter(str.isdigit, os.listdir(args.phantoms)), key=int):
                folder = os.path.join(args.phantoms, name)
                if name in known or not os.path.exists(os.path.join(folder, "truth.json")):
                    continue
                known.add(name)
                scan = load_phantom(folder, device)
                (held_phantoms if int(name) <= args.held_out_phantoms else train_phantoms).append(scan)
            time.sleep(2)

    threading.Thread(target=load_as_they_come, daemon=True).start()
    while len(train_phantoms) < 4:
        time.sleep(0.5)
    print(f"{len(train_cubes)} + {len(held_cubes)} cubes, {len(train_phantoms)} + {len(held_phantoms)} phantoms", flush=True)

    net = NoduleNet().to(device).to(memory_format=torch.channels_last_3d)
    print("parameters:", sum(p.numel() for p in net.parameters()))
    if args.start:
        net.load_state_dict(torch.load(args.start, map_location=device))
    average = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.999),
                                                  use_buffers=True)
    optimiser = torch.optim.AdamW(net.parameters(), lr=args.lr, weight_decay=1e-2)
    batches = Batch(train_cubes, train_phantoms, device, args.seed)
    start, step, seen, printed, next_mine, next_print = time.time(), 0, 0, 0, 0.2, 10.0
    sums = torch.zeros(3, device=device)
    while True:
        elapsed = time.time() - start
        done = elapsed / (60 * args.minutes)
        if done >= 1:
            break
        if done > next_mine:
            average.eval()
            mine(average.module, train_phantoms[::1 if len(train_phantoms) < 60 else 2])
            mine(average.module, train_cubes)
            next_mine += 0.16
            print(f"mined {sum(len(s.hard) for s in train_phantoms)} positions in phantoms, "
                  f"{sum(len(s.hard) for s in train_cubes)} in cubes", flush=True)
        for group in optimiser.param_groups:
            group["lr"] = args.lr * min(1, (step + 1) / 300) * 0.5 * (1 + math.cos(math.pi * done))
        image, nodules = batches.make(args.batch)
        net.train()
        with torch.autocast("cuda", torch.bfloat16):
            outputs = net(image.contiguous(memory_format=torch.channels_last_3d))
        heat, size, offset = loss_of(outputs, nodules)
        (heat + 0.5 * size + 0.2 * offset).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        average.update_parameters(net)
        step += 1
        seen += args.batch
        sums += torch.stack([heat, size, offset]).detach()
        if elapsed > next_print:
            rate = seen / (time.time() - start)
            mean = (sums / (step - printed)).tolist()
            print(f"{elapsed:5.0f} s step {step} {rate:.0f} patches/s {len(train_phantoms)} phantoms "
                  f"heat {mean[0]:.3f} size {mean[1]:.3f} offset {mean[2]:.3f}", flush=True)
            printed = step
            sums.zero_()
            next_print += 20
            torch.save(average.module.state_dict(), os.path.join(args.out, "nodule_net.pt"))
    average.eval()
    report = evaluate(average.module, held_phantoms, held_cubes)
    report.update(patches=seen, minutes=args.minutes, trainPhantoms=len(train_phantoms), trainCubes=len(train_cubes))
    json.dump(report, open(os.path.join(args.out, "report.json"), "w"), indent=1)
    print(json.dumps(report))
    torch.save(average.module.state_dict(), os.path.join(args.out, "nodule_net.pt"))
    export(average.module, os.path.join(args.out, "lung_nodule.onnx"))


if __name__ == "__main__":
    main()
