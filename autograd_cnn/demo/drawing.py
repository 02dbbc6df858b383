"""Step 3: draw the computation of one training step, forward, and forward beside backward."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np

from .. import graphs, ops
from ..tensor import tensor
from .folder import Folder
from .study import Study

SAMPLES = 32


def draw(study: Study, folder: Folder) -> dict[str, Any]:
    """Record one training step on a copy of the network; write its pictures; give the numbers."""
    net = deepcopy(study.net).train()
    places = np.arange(SAMPLES)
    digits = tensor(study.test.x[places], requires_grad=True, device=study.device, name="digits")
    ops.seed(study.seed)  # for the dropout
    loss = ops.cross_entropy(net(digits), study.test.y[places])
    loss.name = "loss"
    graph = graphs.graph(loss, model=net)
    forward, ladder = graph.view(), graph.view(backward="ladder")
    for format in ("svg", "png", "pdf", "gv"):
        folder.write(f"graph.{format}", forward.pipe(format))
    for format in ("svg", "png"):
        folder.write(f"backward.{format}", ladder.pipe(format))
    return {"operations": len(graph.nodes), "batch": SAMPLES}
