"""norms.jsonl: normalisation layers and functions with every option, and a small net that trains with them.

Inputs are not stored but made again by tests/nn/norm_test.ts: step i has x = uniform(seed + i, shape), and the gradient
handed in is uniform(9000, shape); offsets are exact in float32. Of long arrays a sample is stored: see `sampled`.

Lines: {"layer", "args", "options", "text": str(module), "shape", …}: three steps in training, "output" and "grads" of
the last, the buffers in "state", and "evaluated", the output in evaluation afterwards. {"op", "shape", …}: one call of a
function. {"train"}: losses of 20 steps of SGD, the state after them, and logits in evaluation."""
import torch
import torch.nn as nn
import torch.nn.functional as F

NAMES = {"trackRunningStats": "track_running_stats", "elementwiseAffine": "elementwise_affine"}


class NormNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.fc = nn.Linear(144, 4)

    def forward(self, x):
        return self.fc(F.relu(self.bn1(self.conv(x))).flatten(1))


def norms(uniform, bits, plain, set_weights):
    def sampled(x):
        """Every so many elements, an odd number, so that there are about 16 of long arrays."""
        return plain(x.detach().reshape(-1)[::x.numel() // 16 | 1])

    def input_of(seed, shape, offset):
        return uniform(seed, shape).mul(1024).round().div(1024) + offset if offset else uniform(seed, shape)

    def layer(kind, args, shape, options={}, offset=0):
        def run(without=None):
            keywords = {NAMES.get(k, k): v for k, v in options.items() if k != without}
            module = getattr(nn, kind)(*args, **keywords).double()
            for i, p in enumerate(module.parameters()):
                p.data = uniform(20 + i, p.shape) + 1
            for step in range(3):
                module.zero_grad()
                x = input_of(10 + step, shape, offset).requires_grad_()
                y = module(x)
                y.backward(uniform(9000, shape))
            module.eval()
            with torch.no_grad():
                evaluated = module(input_of(13, shape, offset))
            return module, y, [x.grad] + [p.grad for p in module.parameters()], evaluated

        module, y, grads, evaluated = run()
        for name in options:
            other = run(name)
            same = torch.equal(y, other[1]) and torch.equal(evaluated, other[3]) and len(grads) == len(other[2])
            assert not same, (kind, options, name, "this case would not show that it is ignored")
        return {"layer": kind, "args": args, "options": options, "text": str(module), "shape": shape, "offset": offset,
                "output": sampled(y), "grads": [sampled(g) for g in grads], "evaluated": sampled(evaluated),
                "state": {n: sampled(b) for n, b in module.named_buffers()}}

    def function(op, shape, first, affine, options={}):
        """`first`: the arguments before weight and bias; None for running statistics [C]. `affine`: shapes or None."""
        x = uniform(10, shape).requires_grad_()
        running = [uniform(14, shape[1:2]), uniform(15, shape[1:2]) + 1.5] if op == "batch_norm" and first else []
        weight, bias = (None if s is None else (uniform(20 + i, s) + 1).requires_grad_() for i, s in enumerate(affine))
        if op == "batch_norm":
            y = F.batch_norm(x, *(running or [None, None]), weight, bias, **options)
        else:
            # PyTorch 1.13 fails at the gradient where there is a bias alone.
            ones = torch.ones(affine[1], dtype=x.dtype) if affine[0] is None and affine[1] else weight
            y = getattr(F, op)(x, *first, ones, bias, **options)
        leaves = [one for one in [x, weight, bias] if one is not None]
        grads = torch.autograd.grad(y, leaves, uniform(9000, shape))
        return {"op": op, "shape": shape, "first": first, "affine": affine, "options": options,
                "gradFn": y.grad_fn.name(), "output": sampled(y), "grads": [sampled(g) for g in grads],
                "running": [plain(one) for one in running]}

    image, name = [4, 6, 4, 4], "BatchNorm2d"
    for options in [{}, {"eps": 0.1}, {"eps": 0}, {"momentum": 0.5}, {"momentum": None}, {"momentum": 0},
                    {"affine": False}, {"trackRunningStats": False}, {"affine": False, "trackRunningStats": False}]:
        yield layer(name, [6], image, options)
    for shape in [[3, 2, 5, 5], [1, 3, 1, 2], [3, 2, 61, 47], [4, 2, 64, 65]]:
        yield layer(name, [shape[1]], shape)
    yield layer(name, [2], [4, 2, 64, 65], offset=1000)
    for shape in [[5, 3], [5, 3, 4], [300, 5], [600, 40]]:
        yield layer("BatchNorm1d", [shape[1]], shape)
    yield layer("BatchNorm1d", [3], [5, 3], {"eps": 0.1, "momentum": 0.5})
    for groups, shape in [[3, [2, 6, 5, 5]], [2, [2, 8, 4, 4]], [2, [3, 8]], [6, [2, 6, 3, 3]], [1, [2, 2, 61, 47]]]:
        yield layer("GroupNorm", [groups, shape[1]], shape)
    for options in [{"eps": 0.1}, {"affine": False}]:
        yield layer("GroupNorm", [2, 4], [3, 4, 3], options)
    yield layer("GroupNorm", [2, 4], [2, 4, 5, 5], offset=1000)
    for normalized, shape in [[12, [4, 6, 12]], [[5, 7], [4, 5, 7]], [[3, 4, 4], [2, 3, 4, 4]], [40, [200, 40]],
                              [5, [5]], [[3000, 4], [2, 3000, 4]]]:
        yield layer("LayerNorm", [normalized], shape)
    for options in [{"eps": 0.1}, {"elementwiseAffine": False}]:
        yield layer("LayerNorm", [7], [3, 7], options)

    op, channels = "batch_norm", [6]
    for affine in [[channels, channels], [channels, None], [None, channels], [None, None]]:
        yield function(op, image, True, affine)
        yield function(op, image, True, affine, {"training": True})
        yield function("group_norm", image, [2], affine)
        yield function("layer_norm", [2, 5, 6], [channels], affine)
    yield function(op, image, False, [channels, channels], {"training": True})
    yield function(op, image, True, [channels, channels], {"training": True, "momentum": 0.5, "eps": 0.1})
    yield function(op, image, True, [channels, channels], {"eps": 0.1})
    yield function("group_norm", image, [2], [channels, channels], {"eps": 0.1})
    yield function("layer_norm", [2, 5, 6], [channels], [channels, channels], {"eps": 0.1})

    def train(dtype):
        net, losses = set_weights(NormNet().double(), 400).to(dtype), []
        optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
        for step in range(20):
            x = uniform(500 + step, (5, 2, 6, 6)).to(dtype)
            y = torch.from_numpy(bits(600 + step, 5).astype("int64") % 4)
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        net.eval()
        return net, losses, net(uniform(500, (5, 2, 6, 6)).to(dtype))

    net, losses, logits = train(torch.float64)
    for a, b in zip(net.state_dict().values(), train(torch.float32)[0].state_dict().values()):
        assert (a - b).abs().max() <= 5e-6 * a.abs().max(), "float32 differs"
    yield {"train": {"lr": 0.05, "momentum": 0.9}, "losses": plain(losses), "logits": sampled(logits),
           "state": {n: sampled(t) for n, t in net.state_dict().items()}}
