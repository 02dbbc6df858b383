"""The subcommands of `autograd-cnn`: each a module with `add_arguments(parser)` and `run(chosen)`.

Importing them imports nothing heavy; what a command needs, it imports when it runs.
"""

from . import check, demo, env, explain, fool, graph

COMMANDS = {
    "demo": (demo, "train, draw, check, explain and fool a CNN on handwritten digits"),
    "graph": (graph, "draw what a function, a network or a tensor computes"),
    "check": (check, "hold gradients to the laws of differentiation"),
    "explain": (explain, "show where in an image a network looks"),
    "fool": (fool, "change an image a little, so that a network says something else"),
    "env": (env, "print versions, BLAS and the GPU"),
}
