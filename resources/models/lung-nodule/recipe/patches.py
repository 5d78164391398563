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
AIR = 28.0           # of 255: -1000 HU, what the product puts around a volume
CUBE = 51            # voxels of a real nodule's surroundings
CUT = 0.5            # of the patches of scans and phantoms show a box of that size alone, as those of cubes must: else a network learns
                     # that such surroundings mean a nodule
MIRROR, AROUND, EDGE = range(3)  # what is beyond such a box: its mirror images, one value, its outermost voxels
ELASTIC_CELL = 16.0  # mm between the control points of the deformation
ELASTIC_MAX = 5.0    # mm; a cubic B-spline lattice cannot fold below 0.4 of its spacing


# ---------------------------------------------------------------- images

def to_uint8(hu):
    return np.clip((np.asarray(hu, np.float32) - WINDOW[0]) * (255.0 / (WINDOW[1] - WINDOW[0])) + 0.5, 0, 255).astype(np.uint8)


def share(hu):
    """Where a value lies in the window."""
    return (hu - WINDOW[0]) / (WINDOW[1] - WINDOW[0])


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
    """One image and what is known about it. A cube has a mask of its nodule."""

    def __init__(self, name, image, nodules, corner=(0, 0, 0), doubtful=(), mask=None, thickness=1.0, centres=None):
        self.name, self.image, self.mask, self.thickness = name, image, mask, float(thickness)
        self.corner = np.asarray(corner, np.float64)  # LPS mm of the first voxel's outer corner, (z, y, x)
        self.nodules = np.asarray(nodules, np.float64).reshape(-1, 4)
        self.doubtful = np.asarray(doubtful, np.float64).reshape(-1, 4)
        self.hard = np.zeros((0, 4))  # (z, y, x, score) where a network was wrong
        self.weight = 1.0             # how often it is shown
        self.centres = centres        # places in and near the lungs
        if mask is None and centres is None:
            self.centres = np.argwhere(scipy.ndimage.binary_dilation(lung_of(image), iterations=2)) * 4.0 + 2
        self.cells = {tuple(c) for c in (self.centres // 4).astype(int)} if mask is None else {}

    def near_lungs(self, place):
        return tuple((place // 4).astype(int)) in self.cells

    def save(self, path):
        np.savez(path, image=self.image, nodules=self.nodules, corner=self.corner, doubtful=self.doubtful, thickness=self.thickness,
                 centres=self.centres)

    @staticmethod
    def load(path):
        data = np.load(path)
        return Source(os.path.splitext(os.path.basename(path))[0], **{k: data[k] for k in data.files})


def voxels_of(places, corner):
    """(z, y, x, d) in voxels from (x, y, z, d) in LPS mm."""
    places = np.asarray(places, np.float64).reshape(-1, 4)
    return np.concatenate([places[:, 2::-1] - corner - 0.5, places[:, 3:]], axis=1)


def load_real(path):
    """Cubes and scans that prepare.py packed."""
    data = np.load(path)
    cubes, scans = [], []
    for image, mask, patient, diameter, texture in zip(*(data["cube" + k] for k in ("s", "Masks", "Patients", "Diameters", "Textures"))):
        centre = np.array(np.nonzero(mask)).mean(axis=1)
        cubes.append(Source(str(patient), image, [[*centre, diameter]], mask=mask))
        cubes[-1].weight = 1.0 if texture > 3.5 else 2.0  # one in three is not solid, and these are missed more often
    for name in sorted({k.split("/")[0] for k in data.files if "/" in k}):
        thickness = float(data[f"{name}/spacingZ"])
        corner = data[f"{name}/corner"]
        image = resample_axis(data[f"{name}/image"].astype(np.float32), 0, thickness)
        scans.append(Source(name, np.clip(image + 0.5, 0, 255).astype(np.uint8), voxels_of(data[f"{name}/lesions"], corner), corner,
                            voxels_of(data[f"{name}/doubtful"], corner), thickness=thickness))
    return cubes, scans


def read_phantom(folder):
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
        self.buffer = torch.empty(int(sizes.sum()), dtype=torch.uint8, device=device)
        for s, start, size in zip(sources, self.start.tolist(), sizes):
            self.buffer[start:start + size] = torch.from_numpy(np.ascontiguousarray(s.mask if masks else s.image)).ravel().to(device)

    def of(self, source):
        """The image of a source on the device."""
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


def gather(buffer, start, shape, box, beyond, centre, matrix, points):
    """Trilinear patches 0..255: point p of a patch shows source voxel centre + M p. points: (n or 1, 3, z, y, x).

    box: (n, 2, 3), the first voxel and the size of what is shown; beyond: (n, 2), MIRROR, AROUND or EDGE and the value around.
    """
    q = torch.einsum("nij,njzyx->nizyx", matrix, points.expand(len(matrix), -1, -1, -1, -1)) + centre[:, :, None, None, None]
    shape = shape[:, :, None, None, None]
    first, size = box[:, :, :, None, None, None].unbind(1)
    mode, around = beyond[:, :, None, None, None].unbind(1)
    last = size - 1
    away = torch.remainder(q - first, 2 * last)
    held = torch.where(mode[:, None] == MIRROR, torch.minimum(away, 2 * last - away), torch.minimum((q - first).clamp(min=0), last))
    q = torch.where(mode[:, None] == AROUND, q, first + held)
    low = q.floor()
    fraction = q - low
    low = low.long()
    first, size, start = first.long(), size.long(), start[:, None, None, None]
    value = 0
    for corner in range(8):
        index, weight, inside = 0, 1, True
        for axis in range(3):
            step = (corner >> axis) & 1
            i = low[:, axis] + step
            away = i - first[:, axis]
            inside = inside & (away >= 0) & (away < size[:, axis])
            index = index * shape[:, axis] + torch.minimum(i.clamp(min=0), shape[:, axis] - 1)
            weight = weight * (fraction[:, axis] if step else 1 - fraction[:, axis])
        value = value + torch.where(inside, buffer[start + index].float(), around) * weight
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

def slice_profiles(slices, size):
    """Matrices (n, size, size) along z: averages over slices, and back to 1 mm. slices: (n, 3), each the thickness, the distance and
    the place of the first slice in mm; thickness 0 leaves the patch as it is."""
    thickness, distance, first = [v[:, None, None] for v in slices.unbind(1)]
    z = torch.arange(size, device=slices.device, dtype=torch.float32)
    distance = distance.clamp(min=0.5)
    centres = first + distance * torch.arange(2 * size + 4, device=slices.device)[None, :, None]
    average = ((thickness + 1) / 2 - (centres - z).abs()).clamp(0, 1)  # overlap of slice and voxel
    shown = average.sum(dim=2, keepdim=True)
    average = average / shown.clamp(min=1e-3)
    between = (1 - (z[:, None] - centres.transpose(1, 2)).abs() / distance).clamp(0, 1)
    between = between * (shown > 0.5).transpose(1, 2)  # slices that lie wholly outside the patch show nothing
    between = between / between.sum(dim=2, keepdim=True).clamp(min=1e-3)
    return torch.where(thickness > 0, between @ average, torch.eye(size, device=slices.device))


def draw_slices(rng, thickness):
    distance = thickness * rng.uniform(0.5, 1)
    return thickness, distance, -rng.uniform(0, distance)


def intensities(image, slices, generator):
    """Patches 0..1 as other scanners would show them: slices, kernel, noise, gamma, gain and offset."""
    n, device = len(image), image.device

    def uniform(low, high):
        return torch.rand(n, 1, 1, 1, 1, device=device, generator=generator) * (high - low) + low

    def chosen(p):
        return torch.rand(n, 1, 1, 1, 1, device=device, generator=generator) < p

    image = torch.einsum("nzk,nckyx->nczyx", slice_profiles(slices, image.shape[2]), image)
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

def mirror_images(places, first, size):
    """Places in a box with all their mirror images beyond its faces, 27 for each."""
    if not len(places):
        return places
    at = places[:, :3] - first
    choices = np.stack([at, -at, 2 * (np.asarray(size) - 1) - at])  # 3, n, 3
    images = [np.stack([choices[a, :, 0], choices[b, :, 1], choices[c, :, 2]], axis=1) for a in range(3) for b in range(3) for c in range(3)]
    return np.concatenate([np.concatenate([i + first, places[:, 3:]], axis=1) for i in images])


class Plans:
    """Draws what the patches of one batch show: plain numbers, so that other processes can do it.

    `row` gives a source's number on the device. `recipe` maps a kind to how many patches of a batch are of it; see pick() for the
    kinds. What a patch shows lies up to `spread` mm from its middle along each axis. `zoom` replaces the ranges of the kinds.
    """

    def __init__(self, row, sources, size, recipe, spread, seed, zoom=None):
        self.row, self.size, self.spread, self.seed, self.zoom = row, size, spread, seed, zoom
        self.cubes, self.scans, self.phantoms = sources
        self.kinds = [k for k, n in recipe.items() for _ in range(n)]
        weights = np.array([c.weight for c in self.cubes])
        self.cube_share = weights / weights.sum()

    def choose(self, things):
        return things[self.rng.integers(len(things))]

    def choose_cube(self):
        return self.cubes[self.rng.choice(len(self.cubes), p=self.cube_share)]

    def pick(self, kind):
        """Source, what to show of it, where that lies from the middle of the patch, range of zoom."""
        rng, spread = self.rng, self.spread
        if kind.startswith("cube"):
            cube = self.choose_cube()
            if kind == "cube":
                return cube, cube.nodules[0, :3], rng.uniform(-spread, spread, 3), (0.6, 1.9)
            if len(cube.hard):
                return cube, self.choose(cube.hard)[:3], rng.uniform(-spread, spread, 3), (0.8, 1.25)
            return cube, np.full(3, CUBE // 2), rng.uniform(-45, 45, 3), (0.6, 1.6)
        scan = self.choose(self.scans if "scan" in kind else self.phantoms)
        if kind.endswith("nodule") and len(scan.nodules):
            return scan, self.choose(scan.nodules)[:3], rng.uniform(-spread, spread, 3), (0.8, 1.25)
        if kind.endswith("hard") and len(scan.hard):
            weight = scan.hard[:, 3] / scan.hard[:, 3].sum()  # the stronger the mark was, the oftener it is shown
            return scan, scan.hard[rng.choice(len(scan.hard), p=weight), :3], rng.uniform(-spread, spread, 3), (0.85, 1.2)
        return scan, self.choose(scan.centres), rng.uniform(-8, 8, 3), (0.85, 1.2)

    def box(self, source, focus):
        """Box (2, 3) that is shown and what is beyond it (2), the nodules and the doubtful places then shown; a nodule that a face cuts
        is doubtful."""
        shape = np.array(source.image.shape)
        if source.mask is not None:
            first, size = np.zeros(3), shape
        elif self.rng.random() < CUT:
            first = np.clip(np.rint(focus + self.rng.uniform(-3, 3, 3)) - CUBE // 2, 0, shape - CUBE)
            size = np.full(3, CUBE)
        else:
            return np.stack([np.zeros(3), shape]), (AROUND, AIR), source.nodules, source.doubtful
        beyond = self.rng.choice(3, p=[0.4, 0.4, 0.2]), self.rng.choice([AIR, 0.0])
        places = np.concatenate([source.nodules, source.doubtful])
        held = np.clip(places[:, :3], first, first + size - 1)
        away = np.abs(places[:, :3] - held).max(axis=1)
        whole = (away == 0) & (np.arange(len(places)) < len(source.nodules))
        unsure = ~whole & (away < places[:, 3] / 2)
        places[:, :3] = held
        shown, doubtful = places[whole], places[unsure]
        if beyond[0] == MIRROR:
            shown, doubtful = mirror_images(shown, first, size), mirror_images(doubtful, first, size)
        return np.stack([first, size]), beyond, shown, doubtful

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

    def paste(self, host, box, centre, matrix, taken):
        """(cube, its place in the middle of the patch, matrix, place of the nodule in the patch, diameter or 0, place of what is shown).

        A real nodule; or in one of five the same seam around no nodule, so that a seam alone means nothing.
        """
        rng = self.rng
        cube = self.choose_cube()
        nodule, real = cube.nodules[0], rng.random() < 0.8
        factor = np.clip(math.exp(rng.uniform(math.log(3.2), math.log(32))) / nodule[3], 0.3, 1.8)
        turn, size = random_rotation(rng, 180) / factor, nodule[3] * factor
        for _ in range(20):
            at = rng.uniform(-self.spread, self.spread, 3)
            place = centre + matrix @ at
            if (host.near_lungs(place) and np.all(np.abs(place - box[0] - box[1] / 2) < box[1] / 2 - size / 2)
                    and all(np.linalg.norm(at - t[:3]) > (t[3] + size) / 2 + 4 for t in taken)):
                break
        else:
            real, at = False, np.full(3, 1000.0)  # nowhere, so that every batch has as many
        shape = nodule[:3] - turn @ at
        looks = shape if real else shape + random_rotation(rng, 180) @ [nodule[3] + 4, 0, 0]
        return cube, shape, turn, at, size if real else 0.0, looks

    def make(self, step):
        """Arrays by name for the batch of a step; the same for the same seed, step and hard places."""
        self.rng = rng = np.random.default_rng([self.seed, step])
        n = len(self.kinds)
        plan = {"row": np.zeros(n, np.int64), "centre": np.zeros((n, 3)), "matrix": np.zeros((n, 3, 3)), "slices": np.zeros((n, 3)),
                "box": np.zeros((n, 2, 3)), "beyond": np.zeros((n, 2)),
                "nodules": np.zeros((n, MAX_NODULES, 4)), "ignored": np.zeros((n, MAX_NODULES, 4)),
                "amplitude": np.where(rng.random(n) < 0.3, rng.uniform(0, ELASTIC_MAX, n), 0)}
        pastes = []
        for i, kind in enumerate(self.kinds):
            source, focus, away, zoom = self.pick(kind)
            centre = focus + away
            low, high = self.zoom or zoom
            matrix = random_rotation(rng, 25) / math.exp(rng.uniform(math.log(low), math.log(high)))
            plan["box"][i], plan["beyond"][i], nodules, doubtful = self.box(source, focus)
            found, unsure = self.inside(nodules, centre, matrix), self.inside(doubtful, centre, matrix)
            if "paste" in kind:
                cube, shape, turn, at, size, looks = self.paste(source, plan["box"][i], centre, matrix, np.concatenate([found, unsure]))
                slices = draw_slices(rng, source.thickness) if source.thickness >= 1.5 else (0, 0, 0)  # as thick as the host
                pastes.append((i, self.row[cube], [np.zeros(3), cube.image.shape], shape, turn, at, size, slices, looks, rng.random() < 0.5))
                plan["amplitude"][i] = 0  # a deformation would move the place
                if size:
                    found = np.concatenate([[[*at, size]], found])[:MAX_NODULES]
            plan["nodules"][i, :len(found)], plan["ignored"][i, :len(unsure)] = found, unsure
            plan["row"][i], plan["centre"][i], plan["matrix"][i] = self.row[source], centre, matrix
            if source.thickness < 1.5 and rng.random() < 0.55:
                plan["slices"][i] = draw_slices(rng, rng.uniform(1.5, 5))
        names = ["pasteIndex", "pasteRow", "pasteBox", "pasteShape", "pasteMatrix", "pasteAt", "pasteSize", "pasteSlices", "pasteLooks",
                 "pasteBrighter"]
        plan.update({k: np.array(v) for k, v in zip(names, zip(*pastes))})
        return {k: v.astype(np.float32) if v.dtype == np.float64 else v for k, v in plan.items()}


class Renderer:
    """Makes the images of a plan on the device."""

    def __init__(self, images, masks, size, seed):
        self.images, self.masks, self.size = images, masks, size
        self.generator = torch.Generator(device=images.device)
        self.generator.manual_seed(seed)
        self.axis = torch.arange(size, device=images.device) - (size - 1) / 2
        self.points = torch.stack(torch.meshgrid(self.axis, self.axis, self.axis, indexing="ij"))[None]
        self.gather = torch.compile(gather, dynamic=False) if images.device == "cuda" else gather

    def patches(self, images, rows, boxes, beyond, centres, matrices, points):
        return self.gather(images.buffer, images.start[rows], images.shape[rows], boxes, beyond, centres, matrices, points)

    def render(self, plan):
        """Images (n, 1, s, s, s) in 0..1; nodules and places to ignore, each (n, MAX_NODULES, 4) in patch voxels, d = 0: none."""
        plan = {k: torch.from_numpy(v).to(self.images.device, non_blocking=True) for k, v in plan.items()}
        deformation = Deformation(plan["amplitude"], self.size, self.generator)
        points = self.points + deformation.on_grid(self.axis)
        image = self.patches(self.images, plan["row"], plan["box"], plan["beyond"], plan["centre"], plan["matrix"], points) / 255.0
        for places in (plan["nodules"], plan["ignored"]):  # p + u(p) = place
            at = places[..., :3]
            for _ in range(4):
                at = places[..., :3] - deformation.at(at)
            places[..., :3] = at + (self.size - 1) / 2
        if "pasteIndex" in plan:
            self.paste(image, plan)
        return intensities(image, plan["slices"], self.generator), plan["nodules"], plan["ignored"]

    def paste(self, image, plan):
        """Blends in, either in place of the host or where that is darker, so that it grows together with walls and vessels.

        What would be no nodule to a reader goes, and its label: a nodule of which little stands out, or one cut into a wall.
        """
        index, matrix, nodules = plan["pasteIndex"], plan["pasteMatrix"], plan["nodules"]
        ends = torch.zeros(len(index), 2, device=image.device)
        ends[:, 0] = AROUND

        def show(images, middle, beyond):
            return self.patches(images, plan["pasteRow"], plan["pasteBox"], beyond, middle, matrix, self.points)

        core = show(self.masks, plan["pasteShape"], ends).clamp(max=1)
        looks = show(self.images, plan["pasteLooks"], ends * 0 + MIRROR) / 255.0
        alpha = F.avg_pool3d(F.max_pool3d(core, 3, 1, 1), 3, 1, 1)  # one voxel of the real border comes along
        profiles = slice_profiles(plan["pasteSlices"], self.size)
        looks, alpha, core = torch.einsum("nzk,nckyx->nczyx", profiles, torch.cat([looks, alpha, core], dim=1)).split(1, dim=1)
        host = image[index]
        brighter = plan["pasteBrighter"][:, None, None, None, None]
        pasted = host + (torch.where(brighter, torch.maximum(host, looks), looks) - host) * alpha

        def mean(values):
            return (values * core).sum(dim=(1, 2, 3, 4)) / core.sum(dim=(1, 2, 3, 4)).clamp(min=1e-3)

        lung = mean(host) < share(-500)
        visible = mean((pasted - host > share(90) - share(0)).float()) > 0.4
        real = plan["pasteSize"] > 0
        shown = torch.where(real, visible & (lung | plan["pasteBrighter"]), lung & (mean(looks) < share(-500)))
        image[index] = torch.where(shown[:, None, None, None, None], pasted, host)
        at = plan["pasteAt"] + (self.size - 1) / 2
        ours = (nodules[index, :, :3] - at[:, None]).norm(dim=2) < 0.01
        nodules[index, :, 3] = nodules[index, :, 3] * (~ours | shown[:, None])
