#!/usr/bin/env python3
"""Writes dense_spots.onnx: a network whose weights were chosen by hand, not trained.

usage: make.py OUT.onnx      (python3 alone; the same bytes each time)

What it computes, on CT of 2 mm whose window maps 50..1050 HU to 0..1, and again on the mean of 2 x 2 x 2 voxels:
for each anchor size the smoothed density of a voxel minus the highest one on the surface of a cube around it. A spot has
nothing dense on that surface; a rib, a vessel with contrast medium or a lead leaves the cube through it somewhere.
The centre is moved to the centre of mass of the 5 x 5 x 5 voxels around the cell.
"""
import math
import struct
import sys

GAIN, LEAST = 40.0, 0.12  # logit = GAIN * (difference - LEAST); 0.12 is 120 HU
# In voxels of the level: sigma of the smoothing, half the side of the cube, side of the anchor (as in model.toml).
ANCHORS = [(0.4, 3, 3), (0.9, 4, 5)]


# --- protobuf: a message is a list of (field, value); the fields are those of onnx.proto

def varint(n):
    out = bytearray()
    n &= (1 << 64) - 1
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out + bytes([n]))


def message(*fields):
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            value = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


class Graph:
    """Nodes and constants in the order in which they are made."""

    def __init__(self):
        self.fields = [(2, "dense_spots")]
        self.names = 0

    def tensor(self, dims, kind, raw):
        self.names += 1
        name = f"w{self.names}"
        self.fields.append((5, message(*[(1, d) for d in dims], (2, kind), (8, name), (9, raw))))
        return name

    def constant(self, dims, values):
        return self.tensor(dims, 1, struct.pack(f"<{len(values)}f", *values))

    def integers(self, values):
        return self.tensor([len(values)], 7, struct.pack(f"<{len(values)}q", *values))

    def node(self, op, inputs, output=None, **attributes):
        self.names += 1
        output = output or f"v{self.names}"
        fields = [(1, i) for i in inputs] + [(2, output), (3, output), (4, op)]
        for key, value in attributes.items():
            if isinstance(value, list):  # type 7: whole numbers
                fields.append((5, message((1, key), *[(8, v) for v in value], (20, 7))))
            else:  # type 2: one whole number
                fields.append((5, message((1, key), (3, value), (20, 2))))
        self.fields.append((1, message(*fields)))
        return output

    def value(self, field, name, dims):
        shape = message(*[(1, message((1, d) if isinstance(d, int) else (2, d))) for d in dims])
        self.fields.append((field, message((1, name), (2, message((1, message((1, 1), (2, shape))))))))

    def model(self):
        opset = message((2, 17))
        return message((1, 8), (2, "lynceus.dense-spots recipe"), (7, message(*self.fields)), (8, opset))


# --- the network

REACH = range(-2, 3)


def gaussian(sigma):
    line = [math.exp(-x * x / (2 * sigma * sigma)) for x in REACH]
    cube = [a * b * c for a in line for b in line for c in line]
    return [w / sum(cube) for w in cube]


def surface(g, x, half):
    """The largest on the surface of a cube: of each pair of faces the largest on a face, then of both; z, y, x."""
    pairs = []
    for axis in range(3):
        face, pair, reach = [2 * half + 1] * 3, [1] * 3, [0] * 3
        face[axis], pair[axis], reach[axis] = 1, 2, half
        largest = g.node("MaxPool", [x], kernel_shape=face, pads=[k // 2 for k in face] * 2)
        padded = g.node("Pad", [largest, g.integers([0, 0] + reach + [0, 0] + reach)])  # no density is below 0
        pairs.append(g.node("MaxPool", [padded], kernel_shape=pair, dilations=[2 * half] * 3))
    return g.node("Max", pairs)


def level(g, image, scores_name, boxes_name):
    scores = []
    for sigma, half, _ in ANCHORS:
        weights = g.constant([1, 1, 5, 5, 5], gaussian(sigma))
        smooth = g.node("Conv", [image, weights], pads=[2] * 6)
        difference = g.node("Sub", [smooth, surface(g, smooth, half)])
        shifted = g.node("Sub", [difference, g.constant([1], [LEAST])])
        scores.append(g.node("Mul", [shifted, g.constant([1], [GAIN])]))
    g.node("Concat", scores, scores_name, axis=1)

    # Centre of mass in units of the anchor; the size stays the anchor's.
    cells = [(z, y, x) for z in REACH for y in REACH for x in REACH]
    moments = [cell[axis] for axis in (2, 1, 0) for cell in cells]
    moment = g.node("Conv", [image, g.constant([3, 1, 5, 5, 5], moments)], pads=[2] * 6)
    mass = g.node("Conv", [image, g.constant([1, 1, 5, 5, 5], [1.0] * 125)], pads=[2] * 6)
    some = g.node("Add", [mass, g.constant([1], [0.1])])
    centre = g.node("Div", [moment, some])
    zero = g.node("Mul", [centre, g.constant([1], [0.0])])
    boxes = []
    for _, _, size in ANCHORS:
        boxes += [g.node("Mul", [centre, g.constant([1], [1 / size])]), zero]
    g.node("Concat", boxes, boxes_name, axis=1)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    g = Graph()
    g.value(11, "image", [1, 1, "depth", "height", "width"])
    level(g, "image", "fineScores", "fineBoxes")
    coarse = g.node("AveragePool", ["image"], kernel_shape=[2] * 3, strides=[2] * 3)
    level(g, coarse, "coarseScores", "coarseBoxes")
    for name, channels in (("fineScores", 2), ("fineBoxes", 12), ("coarseScores", 2), ("coarseBoxes", 12)):
        g.value(12, name, [1, channels] + [f"{name}{axis}" for axis in "zyx"])
    with open(sys.argv[1], "wb") as file:
        file.write(g.model())


main()
