"""spatial.jsonl: pooling by averages, padding, resizing, transposed convolution, joining; forward and all gradients.

Each line: op, options in wgrad's spelling (arguments among them), the shapes of the inputs, PyTorch's name of the
gradient, output, and the gradients of all inputs. Input i is uniform(100 + i), the gradient handed in uniform(9000),
both rounded to sixteenths, which keeps the file short. Then one printed module a line: how it is made, and
str(module)."""
import re
import torch
import torch.nn as nn
import torch.nn.functional as F

IMAGE = [1, 2, 5, 6]


def cases():
    """(op, options, shapes of the inputs)"""
    for options in [{"kernel": 2}, {"kernel": [3, 2], "stride": [2, 1]}, {"kernel": 3, "stride": 2, "padding": 1},
                    {"kernel": 3, "stride": 2, "padding": 1, "countIncludePad": False},
                    {"kernel": [2, 3], "stride": [3, 2], "padding": [1, 0], "ceilMode": True},
                    {"kernel": 3, "stride": 2, "padding": 1, "ceilMode": True},
                    {"kernel": 3, "stride": 2, "padding": 1, "ceilMode": True, "countIncludePad": False},
                    {"kernel": 3, "padding": 1, "divisorOverride": 5},
                    {"kernel": 2, "divisorOverride": -3},
                    {"kernel": 2, "stride": 3, "ceilMode": True}]:
        yield "avgPool2d", options, [IMAGE]
    # The last window would start in the padding: dropped.
    yield "avgPool2d", {"kernel": 2, "stride": 3, "padding": 1, "ceilMode": True}, [[2, 1, 5, 5]]
    yield "avgPool2d", {"kernel": 4, "padding": 2, "ceilMode": True}, [[2, 1, 7, 5]]
    for size in [1, 2, [2, 4], [3, 5], [None, 2], [7, 8], [1, None]]:
        yield "adaptiveAvgPool2d", {"outputSize": size}, [IMAGE]
    for options in [{"size": 7}, {"size": [3, 2]}, {"size": [5, 13]}, {"scaleFactor": 2}, {"scaleFactor": [3, 1]},
                    {"scaleFactor": [1.5, 2.3]}, {"scaleFactor": 0.7}, {"scaleFactor": 0.5, "mode": "nearest"}]:
        yield "interpolate", options, [[1, 2, 3, 5]]
    for pads, shape, options in [
            ([1, 2, 0, 3], [2, 1, 2, 3], {"value": 1.5}), ([2, 0], [2, 3], {}), ([2, 1], [3], {"value": -2}),
            ([-1, 2, 1, -2], [1, 2, 4, 3], {"value": 0.25}), ([-1, -1, -1, 0], [1, 2, 4, 3], {}),
            ([0, 0, 0, 0, 1, 2], [2, 1, 2, 2], {"value": 0.5}), ([1, 0, 0, 1, 2, -1, 1, 1], [2, 3, 2, 1], {}),
            ([0, 0, 1, 0], [2, 2, 2], {"mode": "constant"}), ([0, 1, 0, 0, 0, 2], [2, 2, 2], {})]:
        yield "pad", {"pads": pads, **options}, [shape]
    for mode in ["reflect", "replicate", "circular"]:
        for pads, shape in [([2, 1, 1, 2], [1, 2, 3, 3]), ([1, 2], [1, 2, 4]), ([0, 2, 1, 0], [1, 3, 3]),
                            ([2, 2, 0, 0], [2, 1, 1, 3]), ([3, 3], [2, 4])]:
            # PyTorch 1.13 has no such thing: its circular padding takes a batch.
            if mode != "circular" or len(shape) == len(pads) // 2 + 2:
                yield "pad", {"pads": pads, "mode": mode}, [shape]
    yield "pad", {"pads": [4, 0, 0, 3], "mode": "replicate"}, [[1, 1, 2, 2]]
    yield "pad", {"pads": [2, 2, 3, 0], "mode": "circular"}, [[1, 2, 3, 2]]

    for options in [{"padding": "same"}, {"padding": "valid", "stride": 2}, {"padding": "same", "dilation": [1, 2]},
                    {"padding": [1, 0], "stride": [1, 2]}]:
        yield "conv2d", options, [[1, 2, 4, 4], [2, 2, 3, 2], [2]]
    for options in [{"paddingMode": "reflect", "padding": 2},
                    {"paddingMode": "replicate", "padding": [0, 2], "stride": 2},
                    {"paddingMode": "circular", "padding": [1, 2]}, {"paddingMode": "circular", "padding": "same"},
                    {"paddingMode": "reflect", "padding": "same", "dilation": 2},
                    {"paddingMode": "zeros", "padding": 1}]:
        yield "Conv2d", options, [[1, 2, 4, 4], [1, 2, 3, 2], [1]]

    yield "convTranspose2d", {}, [[2, 2, 3, 2], [2, 3, 2, 2]]
    for options, weight in [({"stride": 2, "padding": 1, "outputPadding": 1}, [2, 2, 3, 3]),
                            ({"stride": [2, 3], "padding": [0, 1], "outputPadding": [1, 2]}, [2, 2, 2, 3]),
                            ({"groups": 2, "stride": [1, 2]}, [2, 2, 2, 3]), ({"dilation": [2, 1]}, [2, 1, 2, 3]),
                            ({"dilation": 2, "outputPadding": 1}, [2, 1, 2, 2]),
                            ({"padding": [1, 2], "stride": 3}, [2, 1, 2, 2])]:
        yield "convTranspose2d", options, [[1, 2, 3, 3], weight, [weight[1] * options.get("groups", 1)]]

    for dim, shapes in [(0, [[2, 3], [1, 3]]), (1, [[2, 1, 2], [2, 3, 2], [2, 2, 2]]), (-1, [[2, 2, 1], [2, 2, 3]]),
                        (0, [[3]])]:
        yield "cat", {"dim": dim}, shapes
    for dim in [0, 1, -1]:
        yield "stack", {"dim": dim}, [[2, 3]] * 3
    yield "stack", {"dim": 0}, [[], []]
    for dim, start, length in [(0, 1, 2), (1, 0, 2), (-2, -3, 2)]:
        yield "narrow", {"dim": dim, "start": start, "length": length}, [[3, 4, 2]]
    for sizes, dim in [(2, 0), ([1, 3, 1], 0), (3, 1), ([2, 2], -1)]:
        yield "split", {"sizes": sizes, "dim": dim}, [[5, 4]]
    for chunks, dim in [(2, 0), (4, 0), (3, 1), (9, -1)]:
        yield "chunk", {"chunks": chunks, "dim": dim}, [[5, 4]]


PRINTED = [
    "AvgPool2d(3)", "AvgPool2d(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False)",
    "AvgPool2d((2, 3), stride=(1, 2), padding=(1, 0))", "AdaptiveAvgPool2d(1)", "AdaptiveAvgPool2d((1, 1))",
    "AdaptiveAvgPool2d((None, 7))", "Upsample(scale_factor=2)", "Upsample(size=(4, 6))",
    "Upsample(size=7, mode='nearest')", "Upsample(scale_factor=(1.5, 2))", "ZeroPad2d(1)", "ZeroPad2d((1, 0, 2, 3))", "ReflectionPad2d(2)",
    "ReplicationPad2d((1, 1, 0, 2))", "ConvTranspose2d(3, 5, 2)", "ConvTranspose2d(4, 6, (2, 3), stride=2)",
    "ConvTranspose2d(4, 6, 3, stride=(2, 3), padding=1, output_padding=1, groups=2, bias=False, dilation=(1, 2))",
    "Conv2d(3, 6, 5, padding='same')", "Conv2d(3, 6, 5, padding='valid', bias=False)",
    "Conv2d(3, 6, 5, padding=2, padding_mode='reflect')", "Conv2d(3, 6, 3, padding='same', padding_mode='circular')",
    "Conv2d(3, 6, 3, padding_mode='replicate', groups=3, bias=False)"]


def joined(parts, dim):
    return torch.cat(list(parts)[::-1], dim)


def conv_module(x, weight, bias, **options):
    module = nn.Conv2d(weight.shape[1], weight.shape[0], tuple(weight.shape[2:]), **options)
    del module.weight, module.bias
    module.weight, module.bias = weight, bias
    return module(x)


FUNCTIONS = {
    "avgPool2d": lambda x, kernel, **o: F.avg_pool2d(x, kernel, **o),
    "adaptiveAvgPool2d": lambda x, output_size: F.adaptive_avg_pool2d(x, output_size),
    "interpolate": F.interpolate, "pad": lambda x, pads, **o: F.pad(x, pads, **o), "conv2d": F.conv2d,
    "Conv2d": conv_module, "convTranspose2d": F.conv_transpose2d, "cat": lambda *x, dim: torch.cat(x, dim),
    "stack": lambda *x, dim: torch.stack(x, dim), "narrow": lambda x, **o: torch.narrow(x, **o),
    "split": lambda x, sizes, dim: joined(torch.split(x, sizes, dim), dim),
    "chunk": lambda x, chunks, dim: joined(torch.chunk(x, chunks, dim), dim)}

# Options that may be the default in a case that shows something else.
QUIET = {"mode", "paddingMode", "ceilMode", "countIncludePad"}


def spatial(uniform, array):
    rounded = lambda seed, shape: (uniform(seed, shape) * 16).round() / 16
    snake = lambda options: {re.sub("[A-Z]", lambda m: "_" + m[0].lower(), k): v for k, v in options.items()}
    shown = set()
    for op, options, shapes in cases():
        inputs = [rounded(100 + i, shape).requires_grad_() for i, shape in enumerate(shapes)]
        out = FUNCTIONS[op](*inputs, **snake(options))
        for name in options:
            try:
                other = FUNCTIONS[op](*inputs, **snake({k: v for k, v in options.items() if k != name}))
            except (TypeError, ValueError, RuntimeError):
                continue
            if other.shape != out.shape or not torch.equal(other, out):
                shown.add((op, name))
            else:
                assert name in QUIET or options[name] == "valid", (
                    op, options, name, "this case would not show that it is ignored")
        grads = torch.autograd.grad(out, inputs, rounded(9000, out.shape))
        yield {"op": op, "options": options, "inputs": shapes, "gradFn": out.grad_fn.name(), "output": array(out),
               "grads": [array(g)["data"] for g in grads]}
    quiet = {("avgPool2d", "ceilMode"), ("avgPool2d", "countIncludePad"), ("pad", "mode"), ("Conv2d", "paddingMode")}
    assert quiet <= shown, quiet - shown
    for text in PRINTED:
        yield {"module": text, "text": str(eval("nn." + text))}
