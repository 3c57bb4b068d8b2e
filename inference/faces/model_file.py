"""The file of the landmark network: three networks and the canonical face mesh.

`face_landmarker.task` is a zip archive with uncompressed members. It is identified by its hash,
and read into memory.
"""

import hashlib
import io
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inference.arrays import Doubles
from jobs.weights_errors import WeightsCorrupt

NAME = "face-landmarker"
"""Its name in the catalogue of weights."""

FILE_NAME = "face_landmarker.task"

SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"

_VERTICES = 468
# Wire types of protocol buffers, and the bytes of those with a fixed size.
_VARINT = 0
_SIZES = {1: 8, 5: 4}


@dataclass(frozen=True, eq=False)
class CanonicalMesh:
    """The face that all heads are compared with.

    Attributes:
        points: (468, 3) float64, cm; x right, y down, z into the picture.
        triangles: (898, 3) int64, vertex numbers.
        uv: (468, 2) float64, texture coordinates in [0, 1].
        fit_vertices: (33,) int64, the vertices that a head is fitted to.
        fit_weights: (33,) float64, their weights.
    """

    points: Doubles
    triangles: npt.NDArray[np.int64]
    uv: Doubles
    fit_vertices: npt.NDArray[np.int64]
    fit_weights: Doubles


@dataclass(frozen=True, eq=False)
class FaceModel:
    """The contents of the file.

    Attributes:
        detector: network that finds faces in 128 x 128 px, TensorFlow Lite.
        landmarks: network that finds 478 points in 256 x 256 px.
        scores: network that turns 146 of the points into 52 expression scores.
        mesh: the canonical mesh.
    """

    detector: bytes
    landmarks: bytes
    scores: bytes
    mesh: CanonicalMesh

    @classmethod
    def read(cls, path: Path) -> "FaceModel":
        """Read the file and check its hash.

        Raises:
            WeightsCorrupt: it is not the published file.
            OSError: it cannot be read.
        """
        content = path.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != SHA256:
            reason = (
                f"it is not the published file: its sha256 is {found} instead of {SHA256}; move it "
                f"away and run `animato weights fetch {NAME}`"
            )
            raise WeightsCorrupt(path=str(path), reason=reason)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return cls(
                detector=archive.read("face_detector.tflite"),
                landmarks=archive.read("face_landmarks_detector.tflite"),
                scores=archive.read("face_blendshapes.tflite"),
                mesh=_mesh(archive.read("geometry_pipeline_metadata_landmarks.binarypb")),
            )


def _mesh(message: bytes) -> CanonicalMesh:
    """Parse the mesh: field 1 is vertices and triangles, field 2 the weights of the fit."""
    values: list[float] = []
    triangles: list[int] = []
    vertices: list[int] = []
    weights: list[float] = []
    for field, content in _fields(message):
        if field == 1 and isinstance(content, bytes):
            for number, value in _fields(content):
                if number == 3 and isinstance(value, bytes):
                    values.append(_float(value))
                elif number == 4 and isinstance(value, int):
                    triangles.append(value)
        elif field == 2 and isinstance(content, bytes):
            parts = dict(_fields(content))
            vertex, weight = parts.get(1, 0), parts[2]
            if isinstance(vertex, int) and isinstance(weight, bytes):
                vertices.append(vertex)
                weights.append(_float(weight))
    table = np.array(values).reshape(_VERTICES, 5)
    return CanonicalMesh(
        points=table[:, :3] * (1.0, -1.0, -1.0),
        triangles=np.array(triangles, np.int64).reshape(-1, 3),
        uv=table[:, 3:],
        fit_vertices=np.array(vertices, np.int64),
        fit_weights=np.array(weights),
    )


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protocol buffer message: number and value, fixed-size values as bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        size = _SIZES.get(kind)
        if size is None:
            size, at = _varint(message, at)
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The number that begins at `at`, and where the next value begins."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _float(value: bytes) -> float:
    return float(struct.unpack("<f", value)[0])
