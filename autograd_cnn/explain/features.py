"""What layers hold: filters as images, and their features in two dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..errors import ShapeError, require, shape_text
from ..inspection import as_variable
from ..tensor import Tensor
from .chunks import MAX_BYTES, joined, samples_that_fit, slices
from .layers import Layer, activation, found


def filters(model: Callable, layer: Layer, shape: tuple[int, int, int] | None = None) -> np.ndarray:
    """A layer's filters as images of whole numbers 0 … 255, each scaled by itself.

    A convolution over three channels gives O×H×W×3 in colour, over another number O×C×H×W, one
    grey image a channel. The weights of a linear layer are read as images C×H×W of `shape`. A
    filter of one value is grey, 128.

    >>> from autograd_cnn import explain, nn
    >>> explain.filters(nn.Sequential(conv=nn.Conv2d(3, 8, 5, rng=0)), "conv").shape
    (8, 5, 5, 3)

    Raises ShapeError for weights that are no images.
    """
    module = found(model, layer)[0]
    weight = getattr(module, "weight", None)
    values = None if weight is None else weight.numpy()
    if values is not None and values.ndim == 2 and shape is not None:
        if int(np.prod(shape)) != values.shape[1]:
            raise ShapeError(
                f"filters: {values.shape[1]} weights a unit are no image {shape_text(shape)}"
            )
        values = values.reshape(-1, *shape)
    if values is None or values.ndim != 4:
        have = "no weights" if values is None else f"weights {shape_text(values.shape)}"
        raise ShapeError(f"filters: {type(module).__name__} has {have}, no images O×C×H×W")
    low = values.min(axis=(1, 2, 3), keepdims=True)
    span = values.max(axis=(1, 2, 3), keepdims=True) - low
    unit = np.where(span > 0, (values - low) / np.where(span > 0, span, 1), 0.5)
    images = np.floor(unit * 255 + 0.5).astype(np.uint8)
    return np.moveaxis(images, 1, -1) if images.shape[1] == 3 else images


def features(
    model: Callable, x: Any, layer: Layer, pooled: bool = False, max_bytes: int | None = MAX_BYTES
) -> np.ndarray:
    """What a layer makes of many samples, in pieces that fit the memory: N×….

    `pooled` takes the mean of each channel's places: N×C.
    """
    x = as_variable(x).detach()
    size = samples_that_fit(lambda part: activation(model, part, layer), x, max_bytes)

    def of(part: slice) -> Tensor:
        found = activation(model, x[part], layer)
        return ops.global_avg_pool(found) if pooled and found.ndim > 2 else found

    return joined([of(part) for part in slices(x.shape[0], size)]).numpy()


def embed(
    model: Callable,
    x: Any,
    layer: Layer,
    method: str = "pca",
    seed: int = 0,
    perplexity: float = 30.0,
    pooled: bool = False,
) -> np.ndarray:
    """The features of a layer in two dimensions: N×2.

    `method` is "pca" (the two directions of largest variance, Pearson 1901) or "tsne" (van der
    Maaten and Hinton 2008), where only neighbourhoods mean something, not distances.

    Raises ValueError for another method, MissingDependencyError without scikit-learn.
    """
    if method not in ("pca", "tsne"):
        raise ValueError(f'method "{method}" is neither pca nor tsne')
    values = features(model, x, layer, pooled)
    values = values.reshape(len(values), -1).astype(np.float64)
    # threads add up in another order each time, and are slow on arrays this small
    with require("threadpoolctl", "demo").threadpool_limits(1):
        if method == "pca":
            pca = require("sklearn.decomposition", "demo").PCA(2, svd_solver="full")
            return pca.fit_transform(values)
        manifold = require("sklearn.manifold", "demo")
        # more neighbours than there are others would be refused
        perplexity = min(perplexity, (len(values) - 1) / 3)
        tsne = manifold.TSNE(2, perplexity=perplexity, init="pca", random_state=seed)
        return tsne.fit_transform(values)


def confusion_matrix(labels: Any, predictions: Any, classes: int | None = None) -> np.ndarray:
    """How many samples of each class (row) are taken for each (column).

    >>> import autograd_cnn as ag
    >>> ag.explain.confusion_matrix([0, 0, 1], [0, 1, 1]).tolist()
    [[1, 1], [0, 1]]

    Raises ShapeError for other than as many predictions as labels.
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if labels.shape != predictions.shape or labels.ndim != 1:
        raise ShapeError(
            f"confusion matrix: {shape_text(labels.shape)} labels and "
            f"{shape_text(predictions.shape)} predictions"
        )
    classes = int(max(labels.max(), predictions.max())) + 1 if classes is None else classes
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (labels, predictions), 1)
    return counts


def segment(
    image: Any, saliency: Any, inside: float = 0.95, outside: float = 0.5, beta: float = 130.0
) -> np.ndarray:
    """The object that a saliency map points to: H×W of true and false.

    As in Simonyan, Vedaldi and Zisserman 2014 (§3.2), with the random walker of scikit-image
    (Grady 2006) in place of GrabCut: the pixels above the `inside` quantile of the saliency belong
    to the object, those below `outside` to the background, and the rest to whichever a random walk
    that avoids edges reaches first; the larger `beta`, the more it avoids them.

    Raises ValueError for quantiles out of order, ShapeError for a map of another size,
    MissingDependencyError without scikit-image.
    """
    image, saliency = np.asarray(_array(image)), np.asarray(_array(saliency))
    saliency = saliency.reshape(saliency.shape[-2:]) if saliency.ndim > 2 else saliency
    if image.ndim != 3 or saliency.shape != image.shape[1:]:
        raise ShapeError(
            f"segment: an image C×H×W {shape_text(image.shape)} and a map H×W "
            f"{shape_text(saliency.shape)}"
        )
    if not 0.0 <= outside < inside <= 1.0:
        raise ValueError(f"segment: 0 ≤ outside < inside ≤ 1, got {outside} and {inside}")
    if not saliency.any():
        return np.zeros(saliency.shape, bool)
    low, high = np.quantile(saliency, (outside, inside))
    labels = np.where(saliency >= high, 1, np.where(saliency <= low, 2, 0))
    if not (labels == 0).any() or not (labels == 2).any():
        return labels == 1
    walker = require("skimage.segmentation", "demo").random_walker
    data = np.moveaxis(image, 0, -1).astype(np.float64)
    return walker(data, labels, beta=beta, mode="cg_j", tol=1e-7, channel_axis=-1) == 1


def _array(value: Any) -> Any:
    return value.numpy() if isinstance(value, Tensor) else value
