#!/usr/bin/python3
"""Reads CT images with other people's decoders, for loader_conformance_test: reference.py DATA OUT

Writes OUT/<n>.f32 (Hounsfield units of all frames, float32) for every CT image below DATA that one of them can read, and
a line in OUT/index.tsv: path below DATA, n, decoder, frames, rows, columns. DATA/**/*.zst is unpacked first and listed as
the same name without .zst.
"""

import os
import subprocess
import sys
import tempfile

import numpy
import pydicom

CT_IMAGES = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1")
PYDICOM_DECODES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99",
                   "1.2.840.10008.1.2.5")
# GDCM first: where DCMTK decodes as well, Lynceus may use the same code.
DECOMPRESSORS = (("GDCM", ["gdcmconv", "--raw"]), ("DCMTK", ["dcmdjpeg"]), ("DCMTK", ["dcmdjpls"]))


def read(path):
    dataset = pydicom.dcmread(path, force=False)
    nameless = not dataset.get("SOPClassUID") and dataset.get("Modality") == "CT"
    return dataset if (nameless or dataset.get("SOPClassUID") in CT_IMAGES) and "PixelData" in dataset else None


def with_class(path, dataset, scratch):
    """The file itself, or where it does not say what it is, which GDCM refuses, a copy that does."""
    if dataset.get("SOPClassUID"):
        return path
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CT_IMAGES[0]
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    copy = os.path.join(scratch, "named.dcm")
    dataset.save_as(copy, write_like_original=False)
    return copy


def decode(path, dataset, scratch):
    """The stored values as (decoder, frames x rows x columns)."""
    if dataset.file_meta.TransferSyntaxUID in PYDICOM_DECODES:
        return "pydicom", dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    path = with_class(path, dataset, scratch)
    for decoder, command in DECOMPRESSORS:
        raw = os.path.join(scratch, "raw.dcm")
        try:
            done = subprocess.run(command + [path, raw], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if done.returncode == 0 and os.path.exists(raw):
                plain = pydicom.dcmread(raw)
                if plain.file_meta.TransferSyntaxUID in PYDICOM_DECODES:
                    return decoder, plain.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
        except (OSError, ValueError, AttributeError):
            pass
        finally:
            if os.path.exists(raw):
                os.remove(raw)
    return None


def rescale(dataset, frame):
    """Slope and intercept of one frame, from its functional groups where it has them."""
    groups = []
    if "PerFrameFunctionalGroupsSequence" in dataset:
        groups.append(dataset.PerFrameFunctionalGroupsSequence[frame])
    groups += list(dataset.get("SharedFunctionalGroupsSequence", []))
    for group in groups:
        if "PixelValueTransformationSequence" in group:
            values = group.PixelValueTransformationSequence[0]
            return float(values.RescaleSlope), float(values.RescaleIntercept)
    return float(dataset.RescaleSlope), float(dataset.RescaleIntercept)


def main(data, out):
    count = 0
    with tempfile.TemporaryDirectory() as scratch, open(os.path.join(out, "index.tsv"), "w") as index:
        for folder, _, files in sorted(os.walk(data)):
            for name in sorted(files):
                path, shown = os.path.join(folder, name), os.path.join(os.path.relpath(folder, data), name)
                try:
                    if name.endswith(".zst"):
                        shown, packed, path = shown[:-4], path, os.path.join(scratch, "unpacked")
                        subprocess.run(["zstd", "-qdf", packed, "-o", path], check=True)
                    dataset = read(path)
                    stored = decode(path, dataset, scratch) if dataset is not None else None
                    if stored is None:
                        continue
                    decoder, frames = stored
                    hu = numpy.empty(frames.shape, numpy.float32)
                    for i, frame in enumerate(frames):
                        slope, intercept = rescale(dataset, i)
                        hu[i] = frame.astype(numpy.float64) * slope + intercept
                except Exception:  # pylint: disable=broad-except  # whatever it cannot read has no reference
                    continue
                hu.tofile(os.path.join(out, f"{count}.f32"))
                print(shown, count, decoder, *hu.shape, sep="\t", file=index)
                count += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
