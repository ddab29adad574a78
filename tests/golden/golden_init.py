"""What torch.nn.init computes, but for its random numbers: gains, deviations, identities, and Q of given numbers."""
import math
import torch
from torch.nn import init

GAINS = ["linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid",
         "tanh", "relu", "leaky_relu", "selu"]


def init_cases(array):
    """Rows of init.jsonl; `array` stores a tensor."""
    for name in GAINS:
        yield {"kind": "gain", "name": name, "value": init.calculate_gain(name)}
    for slope in [0.2, 0, math.sqrt(5), 1]:
        yield {"kind": "gain", "name": "leaky_relu", "param": slope, "value": init.calculate_gain("leaky_relu", slope)}
    for shape in [(6, 3, 5, 5), (60, 20), (7, 2, 3)]:
        for mode in ["fan_in", "fan_out"]:
            for nonlinearity, a in [("relu", 0), ("leaky_relu", math.sqrt(5)), ("tanh", 0), ("leaky_relu", 0)]:
                fan = init._calculate_correct_fan(torch.empty(shape), mode)
                options = {"mode": mode, "nonlinearity": nonlinearity, "a": a}
                yield {"kind": "kaiming", "shape": shape, "options": options,
                       "std": init.calculate_gain(nonlinearity, a) / math.sqrt(fan)}
        fan_in, fan_out = init._calculate_fan_in_and_fan_out(torch.empty(shape))
        yield {"kind": "xavier", "shape": shape, "std": math.sqrt(2 / (fan_in + fan_out))}
    for shape in [(3, 5), (5, 3), (4, 4)]:
        yield {"kind": "eye", "output": array(init.eye_(torch.empty(shape)))}
    diracs = [((3, 3, 5), 1), ((4, 2, 3, 3), 1), ((4, 2, 3, 4), 2), ((6, 4, 2, 3, 1), 3), ((2, 3, 1, 1), 1)]
    for shape, groups in diracs:
        yield {"kind": "dirac", "groups": groups, "output": array(init.dirac_(torch.empty(shape), groups))}
    for seed, shape in enumerate([(3, 5), (5, 3), (4, 4), (3, 2, 2, 2)]):
        w = torch.empty(shape, dtype=torch.float64)
        torch.manual_seed(seed)
        drawn = w.new(shape[0], w.numel() // shape[0]).normal_(0, 1)
        torch.manual_seed(seed)
        # Float64 in full: it is the input of both.
        yield {"kind": "orthogonal", "shape": [drawn.shape[0], drawn.shape[1]], "drawn": drawn.reshape(-1).tolist(),
               "output": init.orthogonal_(w).reshape(-1).tolist()}
    points = [-0.999999, -0.99, -0.7, -0.1, -1e-6, 0, 1e-3, 0.3, 0.5, 0.95, 0.99999]
    yield {"kind": "erfinv", "x": points, "y": torch.erfinv(torch.tensor(points, dtype=torch.float64)).tolist()}
    points = [-7, -3, -1.5, -0.2, 0, 1e-5, 0.4, 1, 2.5, 5.9]
    yield {"kind": "erf", "x": points, "y": torch.erf(torch.tensor(points, dtype=torch.float64)).tolist()}
