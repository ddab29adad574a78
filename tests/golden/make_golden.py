#!/usr/bin/env python3
"""Makes the golden values of wgrad's tests with PyTorch 1.13 (Debian: apt-get install python3-torch), beside this file:

  python3 tests/golden/make_golden.py

Deterministic: every input comes from `uniform`, a counter-based hash that tests/support/random.ts computes bit for
bit too, so neither weights nor batches are stored. Arithmetic is float64 (inputs are exact in float32), which puts the
golden values below float32's rounding; float32 PyTorch is checked here to agree. Cases about overflow run in float32.

  ops.jsonl         one case a line: op, options, inputs, output, dy (the gradient handed in), grads of the inputs
  modules.jsonl     one module a line: str(module)
  lenet.jsonl       LeNet: logits and losses of four batches, losses of 100 SGD steps, some parameters after them
  lenet_grads_N.bin every gradient of batch N, float32 little-endian, in named_parameters() order
  lenet_gray.jsonl  the tutorial's one-channel net: output, loss, gradients, a manual update, 100 SGD steps
  activations.jsonl every activation with every option: golden_activations.py
  autograd.jsonl    gradients at ties and NaN: golden_autograd.py
  files/            what torch.save() wrote of every kind of tensor, and files that ask for code: golden_files.py
  images.jsonl      image files of every kind and their pixels, resized images: golden_images.py
  init.jsonl        what nn.init computes, but for its random numbers: golden_init.py
  losses.jsonl      every loss with every option: golden_losses.py
  norms.jsonl       normalisation layers with every option, a net that trains with them: golden_norms.py
  onnx.jsonl        what torch.onnx.export makes of both nets: golden_onnx.py
  optim.jsonl       a small net, 20 steps of every optimizer with every option: golden_optim.py
  schedules.jsonl   every schedule with every option: golden_schedules.py
  spatial.jsonl     average pooling, padding, resizing, transposed convolution, joining: golden_spatial.py
  sgd.jsonl         a small net, 20 steps, its parameters after, for every SGD option
"""
import itertools
import json
import math
import pathlib
import sys
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

sys.dont_write_bytecode = True
from golden_activations import activation_cases
from golden_autograd import autograd
from golden_files import write_files
from golden_images import image_cases
from golden_init import init_cases
from golden_losses import losses
from golden_modules import Net, NeuralNet, SmallNet, modules
from golden_norms import norms
from golden_onnx import onnx_cases
from golden_ops import op_cases
from golden_optim import optim
from golden_schedules import schedules
from golden_spatial import spatial

HERE = pathlib.Path(__file__).parent
torch.set_num_threads(1)


def mix(x):
    """A 32-bit hash (xor-shift, multiply) of uint32 values; tests/support/random.ts has the same."""
    x = np.atleast_1d(np.asarray(x, np.uint32))
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def bits(seed, count):
    return mix(mix(seed) + np.arange(count, dtype=np.uint32))


def uniform(seed, shape, scale=1.0, dtype=torch.float64):
    """Values in [-scale, scale), multiples of scale * 2^-23: exact in float32 when scale is a power of two."""
    v = (bits(seed, math.prod(shape)) >> np.uint32(8)).astype(np.float64) / 2**23 - 1
    return torch.from_numpy((v * scale).reshape(shape)).to(dtype)


def plain(x):
    """A number, list or tensor as JSON: float32's shortest decimals; NaN and infinities as strings."""
    if isinstance(x, torch.Tensor):
        x = x.detach().numpy()
    if isinstance(x, (np.ndarray, list, tuple)):
        return [plain(v) for v in x]
    if isinstance(x, (float, np.floating)):
        v = float(str(np.float32(x)))
        return ("NaN" if v != v else "Infinity" if v > 0 else "-Infinity") if not math.isfinite(v) else (
            int(v) if v == int(v) and 0 < abs(v) < 1e9 or str(v) == "0.0" else v)
    return int(x) if isinstance(x, np.integer) else x


def array(x):
    return {"shape": list(x.shape), "data": plain(x.reshape(-1))}


def write(name, rows):
    text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    (HERE / name).write_text(text)
    print(f"{name}: {len(text) / 1000:.0f} KB")


def set_weights(net, seed):
    """Weight i gets uniform(seed + i), scaled by the power of two at or above 1/sqrt(fan_in)."""
    for i, p in enumerate(net.parameters()):
        last = p if p.dim() > 1 else last
        p.data = uniform(seed + i, p.shape, 2.0 ** math.ceil(math.log2(last[0].numel()**-0.5)))
    return net


def batch(index, count, channels=3):
    """Batch `index`: labels, and images that are half noise, half a coarse pattern of their class."""
    labels = (bits(1000 + index, count) % np.uint32(10)).astype(np.int64)
    noise = uniform(2000 + index, (count, channels, 32, 32)) * 0.5
    pattern = uniform(3000, (10, channels, 8, 8)).repeat_interleave(4, 2).repeat_interleave(4, 3) * 0.5
    return noise + pattern[labels], torch.from_numpy(labels)


def lenet(dtype=torch.float64):
    net = set_weights(Net().double(), 100).to(dtype)
    rows, grads = [], []
    for index, count in enumerate([4, 4, 3, 1]):
        x, y = batch(index, count)
        net.zero_grad()
        logits = net(x.to(dtype))
        loss = F.cross_entropy(logits, y)
        loss.backward()
        rows.append({"batch": index, "count": count, "logits": array(logits), "loss": plain(loss.item())})
        grads.append(torch.cat([p.grad.reshape(-1) for p in net.parameters()]))
    first, _ = batch(0, 4)

    def train(steps, **options):
        net = set_weights(Net().double(), 100).to(dtype)
        optimizer = torch.optim.SGD(net.parameters(), **options)
        losses = []
        for step in range(steps):
            x, y = batch(step % 20, 4)
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x.to(dtype)), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return net, losses

    net, losses = train(100, lr=0.001, momentum=0.9)
    for wrong in [dict(lr=0.001), dict(lr=0.001, momentum=0.9, nesterov=True), dict(lr=0.00101, momentum=0.9)]:
        other = train(100, **wrong)[1]
        assert max(abs(a - b) for a, b in zip(losses, other)) > 1e-3, (wrong, "these losses would not show it")
    rows.append({"train": {"lr": 0.001, "momentum": 0.9}, "cycle": 20, "losses": plain(losses),
                 "logits": array(net(first.to(dtype))),
                 "after": {n: array(p) for n, p in net.named_parameters() if p.numel() < 500}})
    return rows, grads


def lenet_gray(dtype=torch.float64):
    net = set_weights(NeuralNet().double(), 200).to(dtype)
    x, target = uniform(300, (1, 1, 32, 32), dtype=dtype), uniform(301, (1, 10), dtype=dtype)
    criterion = nn.MSELoss()
    out = net(x)
    loss = criterion(out, target)
    net.zero_grad()
    loss.backward()
    row = {"output": array(out), "loss": plain(loss.item()),
           "grads": {n: array(p.grad) for n, p in net.named_parameters() if p.numel() < 3000}}
    for p in net.parameters():
        p.data.sub_(p.grad.data * 0.01)
    row["afterUpdate"] = {"output": array(net(x)), "loss": plain(criterion(net(x), target).item())}
    optimizer, losses = torch.optim.SGD(net.parameters(), lr=0.01), []
    for _ in range(100):
        optimizer.zero_grad()
        loss = criterion(net(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    row["train"] = {"lr": 0.01, "losses": plain(losses)}
    return [row]


def sgd(dtype=torch.float64):
    cases = [dict()]
    cases += [dict(momentum=0.9, nesterov=nesterov, dampening=dampening, weight_decay=decay)
              for nesterov, dampening, decay in itertools.product([False, True], [0, 0.5], [0, 0.03])
              if not (nesterov and dampening)]
    cases += [dict(weight_decay=0.03), dict(dampening=0.5), dict(lr=0.02, momentum=0.5)]
    rows = []
    for options, later in [(c, None) for c in cases] + [(dict(momentum=0.9), 0.01)]:
        options = {"lr": 0.05, **options}
        net = set_weights(SmallNet().double(), 400).to(dtype)
        optimizer, losses = torch.optim.SGD(net.parameters(), **options), []
        for step in range(20):
            if later is not None and step == 10:
                optimizer.param_groups[0]["lr"] = later
            x, y = uniform(500 + step, (5, 2, 6, 6), dtype=dtype), torch.from_numpy(bits(600 + step, 5).astype(np.int64) % 4)
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        camel = {"weight_decay": "weightDecay"}
        rows.append({"options": {camel.get(k, k): v for k, v in options.items()}, "lrAfter10": later,
                     "losses": plain(losses), "after": {n: array(p) for n, p in net.named_parameters()}})
    return rows


def agree(name, make, tolerance):
    """The float64 rows, after checking that float32 PyTorch says the same within the tolerance."""
    def numbers(x):
        if isinstance(x, (dict, list, tuple)):
            for v in x.values() if isinstance(x, dict) else x:
                yield from numbers(v)
        elif isinstance(x, torch.Tensor):
            yield from x.double().tolist()
        elif isinstance(x, float):
            yield x
    exact = make(torch.float64)
    a, b = (np.array(list(numbers(v))) for v in (exact, make(torch.float32)))
    worst = np.max(np.abs(a - b) / np.maximum(np.abs(a), 1))
    assert worst <= tolerance, (name, worst)
    print(f"{name}: float32 differs by at most {worst:.1e}")
    return exact


def main():
    rows, grads = agree("lenet", lenet, 2e-6)
    write("lenet.jsonl", rows)
    for index, flat in enumerate(grads):
        flat.numpy().astype("<f4").tofile(HERE / f"lenet_grads_{index}.bin")
    write("lenet_gray.jsonl", agree("lenet_gray", lenet_gray, 2e-6))
    write("sgd.jsonl", agree("sgd", sgd, 2e-6))
    write("autograd.jsonl", autograd(uniform, array))
    write("optim.jsonl", agree(
        "optim", lambda dtype: list(optim(dtype, uniform, bits, plain, set_weights, SmallNet)), 2e-5))
    write_files()
    write("images.jsonl", image_cases(HERE / "images", bits))
    write("init.jsonl", init_cases(array))
    write("activations.jsonl", activation_cases(uniform, array))
    write("onnx.jsonl", onnx_cases([("lenet", Net(), 3), ("lenet-gray", NeuralNet(), 1)]))
    write("losses.jsonl", losses(uniform, bits, array))
    write("norms.jsonl", norms(uniform, bits, plain, set_weights))
    write("schedules.jsonl", schedules(uniform, plain))
    write("spatial.jsonl", spatial(uniform, array))
    write("modules.jsonl", [{"name": name, "text": str(module)} for name, module in modules()])
    rows = []
    for name, op, options, function, inputs, dy in op_cases(uniform):
        inputs = [x.detach().clone().requires_grad_(x.is_floating_point() and op != "argmax") for x in inputs]
        out = function(*inputs)
        differentiable = [x for x in inputs if x.requires_grad] if out.requires_grad else []
        row = {"name": name, "op": op, "options": options, "inputs": [array(x) for x in inputs], "output": array(out)}
        if differentiable:
            dy = uniform(9000 + len(rows), out.shape, dtype=out.dtype).mul(64).round().div(64) if dy is None else dy
            got = torch.autograd.grad(out, differentiable, dy)
            row.update(dy=array(dy), grads=[array(g) for g in got])
        rows.append(row)
    write("ops.jsonl", rows)


if __name__ == "__main__":
    main()
