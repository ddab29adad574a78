"""The op cases whose answer PyTorch should decide, not our own reference: ties, NaN, padding, edges of pow and log,
label smoothing, gradients summed over broadcast axes, matmul's ranks.

Each case is (name, op, options in wgrad's spelling, function, inputs, dy or None)."""
import math
import torch
import torch.nn.functional as F

NAN, INF = math.nan, math.inf


def op_cases(uniform):
    seeds = iter(range(5000, 9000))

    def values(*shape):
        """Multiples of 1/64 in [-2, 2]: short in JSON, and with no ties to speak of."""
        return (uniform(next(seeds), shape, 2.0) * 64).round() / 64

    def whole(*shape):
        """Integers from -2 to 2: full of ties."""
        return uniform(next(seeds), shape, 2.0).round()

    def f32(*numbers):
        return torch.tensor(numbers, dtype=torch.float32)

    def conv(name, x, w, bias=True, **options):
        inputs = [values(*x), values(*w)] + ([values(w[0])] if bias else [])
        return name, "conv2d", options, lambda *t: F.conv2d(*t, **options), inputs, None

    yield conv("conv 5x5", (1, 3, 8, 9), (4, 3, 5, 5))
    yield conv("conv 1x1, batch 3", (3, 5, 3, 4), (2, 5, 1, 1), bias=False)
    yield conv("conv stride 2, padding 1", (2, 2, 7, 6), (3, 2, 3, 3), stride=2, padding=1)
    yield conv("conv stride and padding in pairs", (1, 2, 6, 7), (3, 2, 3, 2), stride=[1, 2], padding=[2, 0])
    yield conv("conv dilation 2, padding 2", (1, 2, 7, 7), (2, 2, 3, 3), dilation=2, padding=2)
    yield conv("conv dilation in pairs", (2, 1, 7, 6), (2, 1, 2, 3), dilation=[3, 2])
    yield conv("conv groups 2", (2, 4, 5, 5), (6, 2, 3, 3), groups=2)
    yield conv("conv depthwise, stride 2", (1, 6, 6, 6), (6, 1, 3, 3), groups=6, stride=2, padding=1, bias=False)
    yield conv("conv kernel larger than the image", (1, 1, 2, 3), (2, 1, 5, 5), padding=2)

    def pool(name, x, kernel, dy=None, **options):
        keys = {"kernel": kernel, **options}
        return name, "maxPool2d", keys, lambda t: F.max_pool2d(t, kernel, **options), [x], dy

    yield pool("pool 2", values(2, 3, 6, 4), 2)
    yield pool("pool 2, ties", whole(2, 3, 8, 8), 2)
    yield pool("pool 2, all equal", torch.ones(1, 2, 4, 4, dtype=torch.float64), 2)
    yield pool("pool 2, odd image", values(1, 2, 5, 7), 2)
    yield pool("pool 3 stride 2 padding 1, ties", whole(2, 2, 7, 8), 3, stride=2, padding=1)
    yield pool("pool 3 stride 1, overlap and ties", whole(1, 2, 6, 5), 3, stride=1)
    yield pool("pool 3 stride 1 padding 1, ties", whole(1, 1, 5, 5), 3, stride=1, padding=1)
    yield pool("pool pairs, ties", whole(1, 2, 6, 7), [2, 3], stride=[1, 2], padding=[1, 0])
    yield pool("pool stride 3 over kernel 2", values(1, 1, 8, 8), 2, stride=3)
    yield pool("pool padding, all below zero", -values(1, 2, 5, 5).abs() - 1, 3, stride=2, padding=1)
    x = values(1, 1, 6, 6)
    x[0, 0, 1, 2], x[0, 0, 4, 4], x[0, 0, 4, 5] = NAN, NAN, NAN
    yield pool("pool with NaN", x, 2)
    yield pool("pool with NaN, overlap", x, 3, stride=1)
    x = values(1, 1, 4, 4)
    x[0, 0, :2, :2], x[0, 0, 3, 3] = -INF, INF
    yield pool("pool with infinities", x, 2)

    ties = torch.tensor([[3.0, 1.0, 3.0], [2.0, 2.0, 2.0], [-1.0, 0.0, 3.0]], dtype=torch.float64)
    hole = torch.tensor([[1.0, NAN, 3.0], [NAN, NAN, 0.0], [1.0, 2.0, 2.0]], dtype=torch.float64)
    for name, x in [("ties", ties), ("NaN", hole)]:
        for op in ["max", "min"]:
            for dim in [0, 1, -1]:
                yield (f"{op} over dim {dim}, {name}", op, {"dim": dim},
                       lambda t, op=op, dim=dim: getattr(t, op)(dim)[0], [x], None)
            yield f"{op} of all, {name}", op, {}, lambda t, op=op: getattr(t, op)(), [x], None
        yield f"max keepdim, {name}", "max", {"dim": 1, "keepdim": True}, lambda t: t.max(1, True)[0], [x], None
        for dim in [0, 1]:
            yield f"argmax over dim {dim}, {name}", "argmax", {"dim": dim}, lambda t, d=dim: t.argmax(d), [x], None
        yield f"argmax of all, {name}", "argmax", {}, lambda t: t.argmax(), [x], None

    a, b = whole(3, 5), whole(3, 5)
    yield "maximum, ties", "maximum", {}, torch.maximum, [a, b], None
    yield "minimum, ties", "minimum", {}, torch.minimum, [a, b], None
    special = [f32(NAN, 1, NAN, INF, -INF, 0, -0.0), f32(1, NAN, NAN, 2, 2, -0.0, 0)]
    yield "maximum, special", "maximum", {}, torch.maximum, special, None
    yield "minimum, special", "minimum", {}, torch.minimum, special, None
    for op in ["eq", "ne", "lt", "le", "gt", "ge"]:
        yield f"{op}, ties and special", op, {}, lambda x, y, op=op: getattr(torch, op)(x, y).float(), [
            f32(1, 2, 3, NAN, NAN, INF, -INF, 0), f32(2, 2, 2, NAN, 1, INF, INF, -0.0)], None

    edge = f32(0, 1, -1, 100, -200, INF, -INF, NAN, 1e-30, 1e30)
    for op in ["neg", "exp", "log", "sqrt", "abs", "relu"]:
        yield f"{op}, edges", op, {}, getattr(torch, op), [edge], torch.ones(10)
    base, exponent = f32(0, 0, 0, 0, 2, 2, -2, -2, -2, 1.5, 1.5, 1, 4), f32(0, 1, 2, -1, 0, -1, 3, 2, 0.5, 2.5, -2, 7, 0.5)
    yield "pow, edges", "pow", {}, torch.pow, [base, exponent], torch.ones(13)
    for power in [0, 1, 2, 3, 0.5, -1, -2]:
        yield (f"pow with the number {power}", "pow", {"other": power}, lambda t, p=power: t**p,
               [f32(0, 1, -1, 2, -2, 0.25, 1.5)], torch.ones(7))
    yield "div, by zero", "div", {}, torch.div, [f32(1, -1, 0, 3), f32(0, 0, 0, INF)], torch.ones(4)

    for op in ["add", "sub", "mul", "div", "pow", "maximum"]:
        for x, y in [((3, 4), (4,)), ((2, 1, 3), (5, 1)), ((), (2, 3)), ((1,), (4,)), ((1, 4, 1), (3, 1, 2))]:
            inputs = [values(*x).abs() + 0.5, values(*y).abs() + 0.5]
            yield f"{op} of {list(x)} and {list(y)}", op, {}, getattr(torch, op), inputs, None

    for x, y in [((5,), (5,)), ((3, 5), (5,)), ((5,), (5, 2)), ((3, 5), (5, 2)), ((2, 3, 4), (4,)), ((4,), (2, 4, 3)),
                 ((2, 3, 4), (2, 4, 5)), ((2, 3, 4), (4, 2)), ((3, 4), (2, 4, 2)), ((2, 1, 3, 4), (3, 4, 1)),
                 ((1, 3, 4), (5, 4, 2))]:
        yield f"matmul of {list(x)} and {list(y)}", "matmul", {}, torch.matmul, [values(*x), values(*y)], None

    logits, labels = values(5, 7), torch.tensor([0, 6, 3, 3, 1])
    for smoothing in [0, 0.1, 1]:
        for reduction in ["mean", "sum", "none"]:
            yield (f"crossEntropy, smoothing {smoothing}, {reduction}", "crossEntropy",
                   {"labelSmoothing": smoothing, "reduction": reduction},
                   lambda x, y, s=smoothing, r=reduction: F.cross_entropy(x, y, label_smoothing=s, reduction=r),
                   [logits, labels], None)
    large = torch.tensor([[1000, -1000, 999.5], [-1e4, -1e4, -1e4], [88.5, 89, 90]], dtype=torch.float64)
    yield "crossEntropy, large logits", "crossEntropy", {}, F.cross_entropy, [large, torch.tensor([0, 1, 2])], None
    for dim in [0, 1, -1]:
        for op in ["softmax", "logSoftmax"]:
            function = F.softmax if op == "softmax" else F.log_softmax
            yield f"{op} over {dim}, large", op, {"dim": dim}, lambda t, d=dim, f=function: f(t, d), [large], None
            yield f"{op} over {dim}, 3-D", op, {"dim": dim}, lambda t, d=dim, f=function: f(t, d), [values(2, 3, 4)], None
    for reduction in ["mean", "sum", "none"]:
        yield (f"mseLoss, {reduction}", "mseLoss", {"reduction": reduction},
               lambda x, y, r=reduction: F.mse_loss(x, y, reduction=r), [values(3, 4), values(3, 4)], None)
    yield "linear", "linear", {}, F.linear, [values(3, 5), values(2, 5), values(2)], None
    yield "linear, 3-D input, no bias", "linear", {}, F.linear, [values(2, 3, 5), values(4, 5)], None
    yield "linear, 1-D input", "linear", {}, F.linear, [values(5), values(4, 5), values(4)], None

    x = values(2, 3, 4)
    for dims in [0, 1, -1, [0, 2], [1, -1], [0, 1, 2]]:
        for keepdim in [False, True]:
            options = {"dim": dims, **({"keepdim": True} if keepdim else {})}
            yield f"sum over {dims}{', keepdim' * keepdim}", "sum", options, lambda t, d=dims, k=keepdim: t.sum(d, k), [x], None
            yield f"mean over {dims}{', keepdim' * keepdim}", "mean", options, lambda t, d=dims, k=keepdim: t.mean(d, k), [x], None
