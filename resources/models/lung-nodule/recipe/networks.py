"""The two networks of the package and how they are written to ONNX."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


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
    """Residual U-Net at 2, 4, 8 and 16 mm. Output cell j looks at image voxel 2 j + 0.5 along each axis."""

    def __init__(self, c=(32, 64, 112, 128)):
        super().__init__()
        self.stem = nn.Sequential(conv(1, c[0], 4, 2), Residual(c[0]))
        self.down1 = nn.Sequential(conv(c[0], c[1], 2, 2), Residual(c[1]))
        self.down2 = nn.Sequential(conv(c[1], c[2], 2, 2), Residual(c[2]), Residual(c[2]))
        self.down3 = nn.Sequential(conv(c[2], c[3], 2, 2), Residual(c[3]))
        self.up0 = nn.ConvTranspose3d(c[3], c[2], 2, 2)
        self.merge0 = Residual(c[2])
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
        d = self.down2(b)
        d = self.merge0(d + self.up0(self.down3(d)))
        b = self.merge1(b + self.up1(d))
        a = self.merge2(a + self.up2(b))
        return self.heat(a), self.size(a), self.offset(a)


class Medical3DNet(nn.Module):
    """Nodule or not, for a cube around a mark: logits (not nodule, nodule)."""

    def __init__(self, c=(32, 64, 128, 256)):
        super().__init__()
        pool = nn.MaxPool3d(2)
        self.features = nn.Sequential(conv(1, c[0]), pool, conv(c[0], c[1]), conv(c[1], c[1]), pool, conv(c[1], c[2]), conv(c[2], c[2]), pool,
                                      conv(c[2], c[3]))
        self.dropout = nn.Dropout(0.3)
        self.classes = nn.Linear(2 * c[3], 2)

    def forward(self, crop):
        x = self.features(crop)
        return self.classes(self.dropout(torch.cat([x.mean(dim=(2, 3, 4)), x.amax(dim=(2, 3, 4))], dim=1)))


def export(net, example, open_axes, outputs, path):
    """Writes ONNX with 16-bit weights, which the graph itself widens: half the file.

    Prints the largest difference to the network here if ONNX Runtime is there.
    """
    import numpy as np
    import onnx
    from onnx import checker, helper, numpy_helper
    net = net.cpu().float().eval()
    names = ["image", *outputs]
    torch.onnx.export(net, (example,), path, input_names=names[:1], output_names=outputs, opset_version=17, dynamo=False,
                      dynamic_axes={k: open_axes if k == "image" or len(open_axes) > 1 else {0: "n"} for k in names})
    model = onnx.load(path)
    casts = []
    for weight in model.graph.initializer:
        if weight.data_type == onnx.TensorProto.FLOAT and np.prod(weight.dims) > 1000:
            name = weight.name
            weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), name + "/half"))
            casts.append(helper.make_node("Cast", [name + "/half"], [name], to=onnx.TensorProto.FLOAT))
    for i, cast in enumerate(casts):
        model.graph.node.insert(i, cast)
    checker.check_model(model)
    onnx.save(model, path)
    try:
        import onnxruntime
    except ImportError:
        return
    with torch.no_grad():
        ours = net(example)
    theirs = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"image": example.numpy()})
    for name, a, b in zip(outputs, ours if isinstance(ours, tuple) else [ours], theirs):
        print(f"{path}: {name} differs by {float((a - torch.from_numpy(b)).abs().max()):.2g} of {float(a.abs().max()):.2g}", flush=True)
