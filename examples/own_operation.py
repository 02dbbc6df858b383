"""An operation of your own in one line, differentiated twice, with what the tape keeps."""

import numpy as np

import autograd_cnn as ag

swish = ag.custom_primitive(
    "swish",
    lambda x: x / (1 + np.exp(-x)),
    x=lambda g, x: g * (ag.sigmoid(x) + x * ag.sigmoid(x) * (1 - ag.sigmoid(x))),
)

x = ag.tensor([-2.0, 0.0, 3.0], requires_grad=True)
print("value     ", swish(x).tolist())
print("first     ", ag.gradients(ag.sum(swish(x)), x).tolist())
print("second    ", np.diag(ag.hessian(lambda v: ag.sum(swish(v)))(x.detach()).numpy()).tolist())
