"""Patches for training: images in one buffer on the GPU, gathered with rotation, zoom, flips and an elastic deformation that
never folds, real nodules pasted in, and intensities changed as scanners differ.

A voxel is 1 mm. Places and arrays are (z, y, x); a nodule is (z, y, x, diameter in mm).
"""
import json
import math
import os
import zlib

import numpy as np
import scipy.ndimage
import torch
import torch.nn.functional as F

WINDOW = (-1200.0, 600.0)
MAX_NODULES = 12     # in one patch
ELASTIC_CELL = 16.0  # mm between the control points of the deformation
ELASTIC_MAX = 5.0    # mm; a cubic B-spline lattice cannot fold below 0.4 of its spacing


# ---------------------------------------------------------------- images

def to_uint8(hu):
    return np.clip((np.asarray(hu, np.float32) - WINDOW[0]) * (255.0 / (WINDOW[1] - WINDOW[0])) + 0.5, 0, 255).astype(np.uint8)


def read_mha(path):
    """int16 MetaImage with its data in the file: array (z, y, x), spacing and outer corner (z, y, x) in mm, axes as LPS."""
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

    assert header["ElementType"] == "MET_SHORT" and header["TransformMatrix"] == "1 0 0 0 1 0 0 0 1", header
    spacing = numbers("ElementSpacing")
    hu = np.frombuffer(data, "<i2").reshape(numbers("DimSize").astype(int))
    return hu, spacing, numbers("Offset") - spacing / 2


def resample_axis(image, axis, step):
    """To 1 mm as the product resamples: linear where 1 mm is finer, a triangle of 1 mm half-width where it is coarser."""
    n = image.shape[axis]
    target = np.arange(math.ceil(n * step - 1e-6)) + 0.5
    source = (np.arange(n) + 0.5) * step
    weights = np.clip(1 - np.abs(np.clip(target, source[0], source[-1])[:, None] - source) / max(step, 1.0), 0, None)
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return np.moveaxis(np.tensordot(weights, image, axes=([1], [axis])), 0, axis)


def lung_of(image):
    """Air inside the body on a grid of 4 mm: what no path through air joins to the sides of the scan."""
    small = image[2::4, 2::4, 2::4]
    air = small < to_uint8(np.array(-600))
    labels, count = scipy.ndimage.label(air)
    outside = np.unique(np.concatenate([labels[:, 0].ravel(), labels[:, -1].ravel(), labels[:, :, 0].ravel(), labels[:, :, -1].ravel()]))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    keep = (sizes > 3000) & ~np.isin(np.arange(count + 1), outside)  # 0.2 litres
    keep[0] = False
    return keep[labels]


class Source:
    """One image and what is known about it. A cube repeats itself mirrored beyond its borders; around a scan is air."""

    def __init__(self, name, image, nodules, corner=None, doubtful=(), mask=None, thickness=1.0):
        self.name, self.image, self.mask, self.thickness = name, image, mask, thickness
        self.mirrored = mask is not None
        self.corner = np.zeros(3) if corner is None else corner  # LPS mm of the first voxel's outer corner, (z, y, x)
        self.nodules = np.asarray(nodules, np.float64).reshape(-1, 4)
        self.doubtful = np.asarray(doubtful, np.float64).reshape(-1, 4)
        self.hard = np.zeros((0, 4))  # (z, y, x, score) where a network was wrong
        if self.mirrored:
            last = np.array(image.shape) - 1
            z, y, x, d = self.nodules[0]
            places = [[c, -c, 2 * e - c] for c, e in zip((z, y, x), last)]
            self.nodules = np.array([[a, b, c, d] for a in places[0] for b in places[1] for c in places[2]])
        else:
            self.centres = np.argwhere(scipy.ndimage.binary_dilation(lung_of(image), iterations=2)) * 4.0 + 2

    def to_lps(self, place):
        """(x, y, z) in mm of a (z, y, x) voxel place."""
        return (np.asarray(place) + 0.5 + self.corner)[..., ::-1]


def voxels_of(places, corner):
    """(z, y, x, d) in voxels from (x, y, z, d) in LPS mm."""
    places = np.asarray(places, np.float64).reshape(-1, 4)
    return np.concatenate([places[:, 2::-1] - corner - 0.5, places[:, 3:]], axis=1)


def load_real(path):
    """Cubes and scans that prepare.py packed."""
    data = np.load(path)
    cubes, scans = [], []
    for image, mask, patient, diameter in zip(data["cubes"], data["cubeMasks"], data["cubePatients"], data["cubeDiameters"]):
        centre = np.array(np.nonzero(mask)).mean(axis=1)
        cubes.append(Source(str(patient), image, [[*centre, diameter]], mask=mask))
    for name in sorted({k.split("/")[0] for k in data.files if "/" in k}):
        thickness = float(data[f"{name}/spacingZ"])
        corner = data[f"{name}/corner"]
        image = resample_axis(data[f"{name}/image"].astype(np.float32), 0, thickness)
        scans.append(Source(name, np.clip(image + 0.5, 0, 255).astype(np.uint8), voxels_of(data[f"{name}/lesions"], corner), corner,
                            voxels_of(data[f"{name}/doubtful"], corner), thickness=thickness))
    return cubes, scans


def load_phantom(folder):
    hu, spacing, corner = read_mha(os.path.join(folder, "ct.mha"))
    image = hu.astype(np.float32)
    for axis in range(3):
        image = resample_axis(image, axis, spacing[axis])
    truth = json.load(open(os.path.join(folder, "truth.json")))
    nodules = voxels_of([[*f["centerMm"], f["diameterMm"]] for f in truth["findings"]], corner)
    return Source(os.path.basename(folder), to_uint8(image), nodules, corner, thickness=spacing[0])


# ---------------------------------------------------------------- gathering

class Images:
    """The images of all sources, or their masks, in one uint8 buffer."""

    def __init__(self, sources, device, masks=False):
        self.device = device
        self.row = {s: i for i, s in enumerate(sources)}
        sizes = np.array([s.image.size for s in sources])
        self.start = torch.from_numpy(np.concatenate([[0], np.cumsum(sizes)[:-1]])).to(device)
        self.shape = torch.tensor([s.image.shape for s in sources], device=device)
        self.mirrored = torch.tensor([s.mirrored for s in sources], device=device)
        self.buffer = torch.empty(int(sizes.sum()), dtype=torch.uint8, device=device)
        for s, start, size in zip(sources, self.start.tolist(), sizes):
            self.buffer[start:start + size] = torch.from_numpy(np.ascontiguousarray(s.mask if masks else s.image)).ravel().to(device)

    def of(self, source):
        start = int(self.start[self.row[source]])
        return self.buffer[start:start + source.image.size].view(source.image.shape)


def spline_weights(at, count):
    """Cubic B-spline weights (..., count) of control points 0, 1, .. for positions in units of their distance."""
    t = (at[..., None] - torch.arange(count, device=at.device)).abs()
    return torch.where(t < 1, 2 / 3 - t * t + t * t * t / 2, (2 - t).clamp(min=0) ** 3 / 6)


class Deformation:
    """Random displacements of patch points, in mm of the patch. One lattice for each patch; amplitude 0 leaves it rigid."""

    def __init__(self, amplitude, size, generator):
        device = amplitude.device
        self.count = int(math.ceil(size / ELASTIC_CELL)) + 3
        self.offset = (self.count - 1) / 2 * ELASTIC_CELL
        lattice = torch.rand(len(amplitude), 3, self.count, self.count, self.count, device=device, generator=generator) * 2 - 1
        self.lattice = lattice * amplitude[:, None, None, None, None]

    def weights(self, at):
        return spline_weights((at + self.offset) / ELASTIC_CELL, self.count)

    def on_grid(self, axis):
        w = self.weights(axis)
        return torch.einsum("ncijk,zi,yj,xk->nczyx", self.lattice, w, w, w)

    def at(self, points):
        """(n, k, 3) -> (n, k, 3)."""
        w = self.weights(points)
        return torch.einsum("ncijp,nki,nkj,nkp->nkc", self.lattice, w[:, :, 0], w[:, :, 1], w[:, :, 2])


def gather(buffer, start, shape, mirrored, centre, matrix, points):
    """Trilinear patches 0..255: point p of a patch shows source voxel centre + M p. points: (n or 1, 3, z, y, x)."""
    q = torch.einsum("nij,njzyx->nizyx", matrix, points.expand(len(matrix), -1, -1, -1, -1)) + centre[:, :, None, None, None]
    shape = shape[:, :, None, None, None]
    period = 2.0 * (shape - 1)
    folded = torch.remainder(q, period)
    q = torch.where(mirrored[:, None, None, None, None], torch.minimum(folded, period - folded), q)
    low = q.floor()
    fraction = q - low
    low = low.long()
    start = start[:, None, None, None]
    value = 0
    for corner in range(8):
        index, weight, inside = 0, 1, True
        for axis in range(3):
            step = (corner >> axis) & 1
            i = low[:, axis] + step
            size = shape[:, axis]
            inside = inside & (i >= 0) & (i < size)
            index = index * size + torch.minimum(i.clamp(min=0), size - 1)
            weight = weight * (fraction[:, axis] if step else 1 - fraction[:, axis])
        value = value + torch.where(inside, buffer[start + index].float(), 0.0) * weight
    return value[:, None]


def random_rotation(rng, max_degrees):
    """A rotation about any axis and mirror images."""
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    angle = math.radians(rng.uniform(-max_degrees, max_degrees))
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    m = np.eye(3) + math.sin(angle) * k + (1 - math.cos(angle)) * (k @ k)
    return m @ np.diag(rng.choice([-1.0, 1.0], 3))


# ---------------------------------------------------------------- intensities

def slice_profile(rng, size, thickness):
    """Matrix (size, size) along z: averages over slices of `thickness` at a random distance and phase, and back to 1 mm."""
    z = np.arange(size, dtype=np.float32)
    distance = thickness * rng.uniform(0.5, 1)
    centres = np.arange(-rng.uniform(0, distance), size + distance, distance)
    average = np.clip((thickness + 1) / 2 - np.abs(centres[:, None] - z), 0, 1)  # overlap of slice and voxel
    average /= np.maximum(average.sum(axis=1, keepdims=True), 1e-3)
    between = np.clip(1 - np.abs(z[:, None] - centres) / distance, 0, 1)
    between *= average.sum(axis=1) > 0.5  # slices that lie wholly outside the patch show nothing
    between /= np.maximum(between.sum(axis=1, keepdims=True), 1e-3)
    return (between @ average).astype(np.float32)


def intensities(image, profiles, generator):
    """Patches 0..1 as other scanners would show them: slices, kernel, noise, gamma, gain and offset."""
    n, device = len(image), image.device

    def uniform(low, high):
        return torch.rand(n, 1, 1, 1, 1, device=device, generator=generator) * (high - low) + low

    def chosen(p):
        return torch.rand(n, 1, 1, 1, 1, device=device, generator=generator) < p

    image = torch.einsum("nzk,nckyx->nczyx", profiles, image)
    blurred = F.avg_pool3d(F.pad(image, (1, 1, 1, 1, 0, 0), mode="replicate"), (1, 3, 3), 1)
    image = image + chosen(0.6) * uniform(-0.8, 1.5) * (image - blurred)  # softer or sharper kernel, in the plane
    noise = torch.randn(image.shape, device=device, generator=generator)
    smooth = F.avg_pool3d(F.pad(noise, (1,) * 6, mode="replicate"), 3, 1) * 4.0
    image = image + chosen(0.6) * uniform(0, 0.035) * torch.where(chosen(0.5), smooth, noise)  # up to 63 HU
    gamma = torch.where(chosen(0.3), uniform(-0.15, 0.15).exp(), torch.ones(1, device=device))
    image = image.clamp(0, 1) ** gamma
    image = image * uniform(0.9, 1.1) + uniform(-0.03, 0.03)
    return image.clamp(0, 1)


# ---------------------------------------------------------------- batches

class Batches:
    """Endless augmented batches of one size from cubes, scans and phantoms of one training set.

    `recipe` maps a kind to how many patches of a batch are of it; see pick() for the kinds. What a patch shows lies up to
    `spread` mm from its middle along each axis. `zoom` replaces the ranges of zoom of the kinds.
    """

    def __init__(self, images, masks, sources, size, recipe, spread, seed, zoom=None):
        self.images, self.masks, self.size, self.spread, self.zoom = images, masks, size, spread, zoom
        self.cubes, self.scans, self.phantoms = sources
        self.kinds = [k for k, n in recipe.items() for _ in range(n)]
        self.rng = np.random.default_rng(seed)
        self.generator = torch.Generator(device=images.device)
        self.generator.manual_seed(seed)
        axis = torch.arange(size, device=images.device) - (size - 1) / 2
        self.axis = axis
        self.points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"))[None]
        self.gather = torch.compile(gather, dynamic=False) if images.device == "cuda" else gather
        self.intensities = torch.compile(intensities, dynamic=False) if images.device == "cuda" else intensities

    def choose(self, sources):
        return sources[self.rng.integers(len(sources))]

    def pick(self, kind):
        """Source, centre of the patch in it, range of zoom."""
        rng, spread = self.rng, self.spread
        if kind.startswith("cube"):
            cube = self.choose(self.cubes)
            if kind == "cube":
                return cube, cube.nodules[0, :3] + rng.uniform(-spread, spread, 3), (0.6, 1.9)
            if len(cube.hard):
                return cube, self.choose(cube.hard)[:3] + rng.uniform(-spread, spread, 3), (0.8, 1.25)
            return cube, np.full(3, 25.0) + rng.uniform(-45, 45, 3), (0.6, 1.6)
        scan = self.choose(self.scans if "scan" in kind else self.phantoms)
        if kind.endswith("nodule") and len(scan.nodules):
            return scan, self.choose(scan.nodules)[:3] + rng.uniform(-spread, spread, 3), (0.8, 1.25)
        if kind.endswith("hard") and len(scan.hard):
            weight = scan.hard[:, 3] / scan.hard[:, 3].sum()  # the stronger the mark was, the oftener it is shown
            return scan, scan.hard[rng.choice(len(scan.hard), p=weight), :3] + rng.uniform(-spread, spread, 3), (0.85, 1.2)
        return scan, self.choose(scan.centres) + rng.uniform(-8, 8, 3), (0.85, 1.2)

    def inside(self, nodules, centre, matrix):
        """Those that reach into the patch, as (z, y, x, d) relative to its centre, without the deformation."""
        if not len(nodules):
            return np.zeros((0, 4))
        zoom = np.abs(np.linalg.det(matrix)) ** (-1 / 3)
        at = (nodules[:, :3] - centre) @ np.linalg.inv(matrix).T
        d = nodules[:, 3:] * zoom
        near = np.all(np.abs(at) < self.size / 2 + d / 2 + ELASTIC_MAX, axis=1)
        found = np.concatenate([at, d], axis=1)[near]
        return found[np.argsort(np.linalg.norm(found[:, :3], axis=1))][:MAX_NODULES]

    def tensor(self, array):
        return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).to(self.images.device, non_blocking=True)

    def patches(self, images, sources, centres, matrices, points):
        rows = torch.tensor([images.row[s] for s in sources], device=images.device)
        return self.gather(images.buffer, images.start[rows], images.shape[rows], images.mirrored[rows], self.tensor(np.stack(centres)),
                           self.tensor(np.stack(matrices)), points)

    def make(self):
        """Images (n, 1, s, s, s) in 0..1; nodules and places to ignore, each (n, MAX_NODULES, 4) in patch voxels, d = 0: none."""
        rng, n = self.rng, len(self.kinds)
        sources, centres, matrices, profiles, pastes = [], [], [], [], []
        nodules, ignored = np.zeros((n, MAX_NODULES, 4)), np.zeros((n, MAX_NODULES, 4))
        for i, kind in enumerate(self.kinds):
            source, centre, zoom = self.pick(kind)
            low, high = self.zoom or zoom
            matrix = random_rotation(rng, 25) / math.exp(rng.uniform(math.log(low), math.log(high)))
            found, unsure = self.inside(source.nodules, centre, matrix), self.inside(source.doubtful, centre, matrix)
            if "paste" in kind:
                pastes.append(self.plan_paste(i, source, np.concatenate([found, unsure])))
                if pastes[-1][-1]:
                    found = np.concatenate([[[*pastes[-1][3], pastes[-1][4]]], found])[:MAX_NODULES]
            nodules[i, :len(found)], ignored[i, :len(unsure)] = found, unsure
            sources.append(source)
            centres.append(centre)
            matrices.append(matrix)
            thin = source.thickness < 1.5 and rng.random() < 0.55
            profiles.append(slice_profile(rng, self.size, rng.uniform(1.5, 5)) if thin else np.eye(self.size, dtype=np.float32))
        amplitude = self.tensor(np.where(rng.random(n) < 0.3, rng.uniform(0, ELASTIC_MAX, n), 0))
        amplitude[[p[0] for p in pastes]] = 0  # a pasted nodule's place would need the deformation undone
        deformation = Deformation(amplitude, self.size, self.generator)
        image = self.patches(self.images, sources, centres, matrices, self.points + deformation.on_grid(self.axis)) / 255.0
        nodules, ignored = [self.tensor(a) for a in (nodules, ignored)]
        for places in (nodules, ignored):  # p + u(p) = place
            at = places[..., :3]
            for _ in range(4):
                at = places[..., :3] - deformation.at(at)
            places[..., :3] = at + (self.size - 1) / 2
        if pastes:
            self.paste(image, nodules, pastes)
        return self.intensities(image, self.tensor(np.stack(profiles)), self.generator), nodules, ignored

    def plan_paste(self, i, host, taken):
        """(patch, cube, matrix, place, size, shown): a real nodule, or in one of four the same seam around no nodule."""
        rng = self.rng
        cube = self.choose(self.cubes)
        want = math.exp(rng.uniform(math.log(3.2), math.log(28)))
        factor = np.clip(want / cube.nodules[0, 3], 0.3, 1.7)
        size = cube.nodules[0, 3] * factor
        matrix, at = random_rotation(rng, 180) / factor, np.zeros(3)
        for _ in range(20):
            at = rng.uniform(-self.spread, self.spread, 3)
            if all(np.linalg.norm(at - t[:3]) > (t[3] + size) / 2 + 4 for t in taken):
                return i, cube, matrix, at, size, rng.random() < 0.75, host.thickness
        return i, cube, matrix, at, size, False, host.thickness

    def paste(self, image, nodules, pastes):
        """Blends in where the host is lung; elsewhere the label goes instead."""
        device, middle, rng = self.images.device, (self.size - 1) / 2, self.rng
        index = torch.tensor([p[0] for p in pastes], device=device)
        matrices = [p[2] for p in pastes]
        shapes = [p[1].nodules[0, :3] - p[2] @ p[3] for p in pastes]
        looks = [s if p[5] else s + random_rotation(rng, 180) @ [p[1].nodules[0, 3] + 4, 0, 0] for s, p in zip(shapes, pastes)]
        cubes = [p[1] for p in pastes]
        alpha = self.patches(self.masks, cubes, shapes, matrices, self.points)
        alpha = F.avg_pool3d(F.max_pool3d(alpha.clamp(max=1), 3, 1, 1), 3, 1, 1)  # one voxel of the real border comes along
        looks = self.patches(self.images, cubes, looks, matrices, self.points) / 255.0
        profiles = [slice_profile(rng, self.size, p[6]) if p[6] >= 1.5 else np.eye(self.size, dtype=np.float32) for p in pastes]
        both = torch.einsum("nzk,nckyx->nczyx", self.tensor(np.stack(profiles)), torch.cat([looks, alpha], dim=1))  # as thick as the host
        looks, alpha = both[:, :1], both[:, 1:]
        at = self.tensor(np.stack([p[3] for p in pastes])) + middle
        host = F.avg_pool3d(image[index], 7, 1, 3)[:, 0]
        i = at.round().long()
        lung = host[torch.arange(len(i), device=device), i[:, 0], i[:, 1], i[:, 2]] < (-500 - WINDOW[0]) / (WINDOW[1] - WINDOW[0])
        alpha = alpha * lung[:, None, None, None, None]
        image[index] = image[index] * (1 - alpha) + looks * alpha
        ours = (nodules[index, :, :3] - at[:, None]).norm(dim=2) < 0.01
        nodules[index, :, 3] = nodules[index, :, 3] * (~ours | lung[:, None])
