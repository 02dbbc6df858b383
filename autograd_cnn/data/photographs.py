"""Photographs that need no network: those inside scikit-image's wheel."""

from __future__ import annotations

import numpy as np

from ..errors import require
from .digits import Split
from .loading import stratified_split

PHOTOGRAPHS = ("astronaut", "camera", "cat", "coffee", "rocket")
TEXTURES = ("brick", "grass", "gravel")
_FILES = {"cat": "chelsea"}


def photograph(name: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """A photograph as C×H×W float32 within [0, 1], at another size if one is given.

    Names: astronaut, cat, coffee, rocket (colour), camera, brick, grass, gravel (grey).

    >>> import autograd_cnn as ag
    >>> ag.data.photograph("astronaut", (64, 96)).shape
    (3, 64, 96)

    Raises ValueError for another name, MissingDependencyError without scikit-image.
    """
    if name not in PHOTOGRAPHS + TEXTURES:
        raise ValueError(f'photograph "{name}" is not one of {", ".join(PHOTOGRAPHS + TEXTURES)}')
    image = getattr(require("skimage.data", "demo"), _FILES.get(name, name))()
    image = image.astype(np.float32) / 255.0
    if size is not None:
        image = require("skimage.transform", "demo").resize(image, size, anti_aliasing=True)
    return np.ascontiguousarray(np.moveaxis(np.atleast_3d(image), -1, 0), dtype=np.float32)


def textures(size: int = 32, count: int = 200, seed: int = 0) -> tuple[Split, Split]:
    """Patches of three textures, brick 0, grass 1 and gravel 2, to train on and to test on.

    `count` patches N×1×size×size of each class, half the resolution of the photograph, float32
    with mean 0 and variance 1 over all training patches' pixels. Training patches come from the
    left half of each photograph and test patches (a quarter as many) from the right half.

    >>> import autograd_cnn as ag
    >>> train, test = ag.data.textures(size=24, count=20)
    >>> train.x.shape, test.x.shape
    ((60, 1, 24, 24), (15, 1, 24, 24))

    Raises MissingDependencyError without scikit-image.
    """
    generator = np.random.default_rng(seed)
    halves: tuple[list, list] = ([], [])
    for name in TEXTURES:
        image = photograph(name)[0]
        image = image.reshape(image.shape[0] // 2, 2, image.shape[1] // 2, 2).mean(axis=(1, 3))
        middle = image.shape[1] // 2
        for patches, half, n in zip(
            halves, (image[:, :middle], image[:, middle:]), (count, count // 4), strict=True
        ):
            rows = generator.integers(0, half.shape[0] - size + 1, n)
            columns = generator.integers(0, half.shape[1] - size + 1, n)
            patches.extend(
                half[i : i + size, j : j + size] for i, j in zip(rows, columns, strict=True)
            )
    train, test = (np.stack(patches)[:, None].astype(np.float32) for patches in halves)
    mean, std = train.mean(), train.std()
    labels = [np.repeat(np.arange(len(TEXTURES)), n) for n in (count, count // 4)]
    return Split((train - mean) / std, labels[0]), Split((test - mean) / std, labels[1])


def faces(seed: int = 0, test_fraction: float = 0.25) -> tuple[Split, Split]:
    """100 faces, labelled 1, and 100 patches of photographs that are none, labelled 0.

    Images are N×1×25×25 float32 within [0, 1]; the split is stratified and seeded. Source: Labeled
    Faces in the Wild (Huang et al. 2007), a subset shipped with scikit-image.

    >>> import autograd_cnn as ag
    >>> train, test = ag.data.faces()
    >>> train.x.shape, test.y.sum()
    ((150, 1, 25, 25), np.int64(25))

    Raises MissingDependencyError without scikit-image.
    """
    images = require("skimage.data", "demo").lfw_subset().astype(np.float32)[:, None]
    labels = np.repeat(np.array([1, 0], np.int64), 100)
    train, test = stratified_split(labels, test_fraction, seed)
    return Split(images[train], labels[train]), Split(images[test], labels[test])
