"""Golden values of activations: y and the gradient, in float64, over values near 0, near every corner, and far away;
and at NaN and infinities."""
import math
import torch
import torch.nn as nn
import torch.nn.functional as F

# Far values are those that overflow in a careless formula.
FAR = [0.0, -0.0, 1e-6, -1e-6, 0.5, 3.0, -3.0, 6.0, 6.5, -1.0, 1.0, 19.9, 20.1, -20.0, 50.0, -50.0, 90.0, -90.0,
       1e4, -1e4, 1e30, -1e30]
EDGES = [math.nan, math.inf, -math.inf]
LAYERS = [
    ("Sigmoid", {}), ("Tanh", {}), ("SiLU", {}), ("LogSigmoid", {}), ("ReLU6", {}), ("Hardswish", {}),
    ("LeakyReLU", {}), ("LeakyReLU", {"negative_slope": 0.25}), ("ELU", {}), ("ELU", {"alpha": 1.5}),
    ("Hardtanh", {}), ("Hardtanh", {"min_val": -2.0, "max_val": 0.5}),
    ("GELU", {}), ("GELU", {"approximate": "tanh"}),
    ("Softplus", {}), ("Softplus", {"beta": 2, "threshold": 5}),
    ("Softmax", {"dim": 0}), ("LogSoftmax", {"dim": 0}), ("Identity", {}),
]


def activation_cases(uniform, array):
    near = uniform(900, (40,), 4.0)
    dy = uniform(901, (40 + len(FAR),), 1.0)
    for name, options in LAYERS:
        x = near if "oftmax" in name else torch.cat([near, torch.tensor(FAR).double()])
        x = x.clone().requires_grad_()
        layer = getattr(nn, name)(**options)
        y = layer(x)
        y.backward(dy[: len(x)])
        # Few enough that PyTorch computes them one by one: its vectors treat NaN in other ways.
        edges = torch.tensor(EDGES).double().requires_grad_()
        at_edges = layer(edges)
        at_edges.backward(torch.full_like(edges, 2))
        yield {"name": name, "options": options, "repr": repr(layer), "gradFn": y.grad_fn and y.grad_fn.name(),
               "y": array(y)["data"], "dx": array(x.grad)["data"],
               "edges": {"y": array(at_edges)["data"], "dx": array(edges.grad)["data"]}}
