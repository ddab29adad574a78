"""losses.jsonl: every loss with every option, forward and all gradients.

Inputs are not stored but said: {"uniform": seed, "shape", "scale"} and the like, which
tests/ops/losses_golden_test.ts makes again. Each line: op, options in wgrad's spelling, inputs, names of tensor
options with their inputs, PyTorch's name of the gradient, output, and the gradients of the inputs and options that
have one, where that of the output is 1, or, for outputs of several elements, uniform(9000)."""
import itertools
import torch
import torch.nn as nn
import torch.nn.functional as F

REDUCTIONS = ["mean", "sum", "none"]


def losses(uniform, bits, array):
    # tests/ops/losses_golden_test.ts takes it that no module shows its options.
    weight = torch.ones(4)
    for module in [nn.CrossEntropyLoss(weight, ignore_index=1, label_smoothing=0.1, reduction="sum"), nn.NLLLoss(weight),
                   nn.MSELoss(reduction="sum"), nn.L1Loss(), nn.SmoothL1Loss(beta=0.5), nn.HuberLoss(delta=0.5),
                   nn.BCEWithLogitsLoss(weight, pos_weight=weight)]:
        assert str(module) == f"{type(module).__name__}()"

    def made(spec):
        kind, seed = next(iter(spec.items()))
        shape = spec["shape"]
        if kind == "data":
            return torch.tensor(seed, dtype=torch.float64 if isinstance(seed[0], float) else torch.int64).reshape(shape)
        if kind == "labels":
            count = 1
            for extent in shape:
                count *= extent
            return torch.from_numpy((bits(seed, count) % spec["classes"]).astype("int64").reshape(shape))
        x = uniform(seed, shape, spec.get("scale", 1.0))
        # "whole" is full of ties, "share" lies between 0 and 1, "weight" from 0.25 to 2.25.
        return {"uniform": x, "whole": x.round(), "share": (x + 1) / 2, "weight": x + 1.25}[kind]

    names = {"labelSmoothing": "label_smoothing", "ignoreIndex": "ignore_index", "posWeight": "pos_weight"}
    functions = {"crossEntropy": F.cross_entropy, "nllLoss": F.nll_loss, "mseLoss": F.mse_loss, "l1Loss": F.l1_loss,
                 "smoothL1Loss": F.smooth_l1_loss, "huberLoss": F.huber_loss,
                 "binaryCrossEntropyWithLogits": F.binary_cross_entropy_with_logits}
    differentiable_weight = lambda op, target: op == "crossEntropy" and target.is_floating_point()

    def row(op, inputs, tensors={}, **options):
        x, target = (made(spec) for spec in inputs)
        given = {name: made(spec) for name, spec in tensors.items()}
        leaves = [x] + ([target] if target.is_floating_point() else [])
        if differentiable_weight(op, target):
            leaves += given.values()
        for leaf in leaves:
            leaf.requires_grad_()
        def compute(without=None):
            keywords = {names.get(k, k): v for k, v in {**options, **given}.items() if k != without}
            return functions[op](x, target, **keywords)

        out = compute()
        for name in set(options) - {"reduction"} | set(given):
            try:
                assert not torch.equal(out, compute(name)), (op, name, "this case would not show that it is ignored")
            except IndexError:  # A label beyond the classes.
                pass
        dy = uniform(9000, out.shape) if out.numel() > 1 else torch.ones_like(out)
        grads = torch.autograd.grad(out, leaves, dy)
        # Several nodes in PyTorch, or a view of the one.
        several = target.is_floating_point() or "labelSmoothing" in options or x.dim() == 3
        composed = op == "crossEntropy" and several
        return {"op": op, "options": options, "inputs": inputs, **({"tensors": tensors} if tensors else {}),
                **({} if composed else {"gradFn": out.grad_fn.name()}), "output": array(out),
                "grads": [array(g)["data"] for g in grads]}

    logits, labels = {"uniform": 1, "shape": [3, 4], "scale": 4.0}, {"labels": 2, "shape": [3], "classes": 4}
    weight, soft = {"weight": 3, "shape": [4]}, {"share": 4, "shape": [3, 4]}
    weights, beyond = [{}, {"weight": weight}], {"data": [1, 255, 3], "shape": [3]}
    # One class that is ignored, and a label that is no class.
    variants = [(labels, {}, {}), (labels, weights[1], {}), (labels, {}, {"ignoreIndex": 1}),
                (beyond, weights[1], {"ignoreIndex": 255})]
    for reduction, smoothing, (y, tensors, ignore) in itertools.product(REDUCTIONS, [0, 0.1], variants):
        smooth = {"labelSmoothing": smoothing} if smoothing else {}
        yield row("crossEntropy", [logits, y], tensors, reduction=reduction, **smooth, **ignore)
        if not smoothing:
            yield row("nllLoss", [logits, y], tensors, reduction=reduction, **ignore)
    for reduction, smoothing, tensors in itertools.product(REDUCTIONS, [0, 0.1], weights):
        smooth = {"labelSmoothing": smoothing} if smoothing else {}
        yield row("crossEntropy", [logits, soft], tensors, reduction=reduction, **smooth)

    image = {"uniform": 5, "shape": [2, 3, 2, 2], "scale": 4.0}
    pixels, three = {"labels": 31, "shape": [2, 2, 2], "classes": 3}, {"weight": 7, "shape": [3]}
    line, places = {"uniform": 8, "shape": [2, 3, 3], "scale": 4.0}, {"labels": 9, "shape": [2, 3], "classes": 3}
    one, label = {"uniform": 10, "shape": [6], "scale": 4.0}, {"data": [2], "shape": []}
    for reduction in REDUCTIONS:
        options = {"reduction": reduction, "ignoreIndex": 1}
        yield row("crossEntropy", [line, places], reduction=reduction)
        yield row("crossEntropy", [image, pixels], {"weight": three}, labelSmoothing=0.2, **options)
        yield row("nllLoss", [image, pixels], {"weight": three}, **options)
        yield row("crossEntropy", [image, {"share": 11, "shape": [2, 3, 2, 2]}], {"weight": three}, reduction=reduction)
        yield row("crossEntropy", [one, label], reduction=reduction)
        yield row("crossEntropy", [one, {"share": 12, "shape": [6]}], reduction=reduction)
        tensors = {} if reduction == "mean" else {"weight": {"weight": 13, "shape": [6]}}
        yield row("nllLoss", [one, label], tensors, reduction=reduction)
        yield row("crossEntropy", [logits, {"data": [255] * 3, "shape": [3]}], ignoreIndex=255, reduction=reduction)
    large = {"data": [1000.0, -1000, 999.5, -1e4, -1e4, -1e4, 88.5, 89, 90], "shape": [3, 3]}
    yield row("crossEntropy", [large, {"data": [0, 1, 2], "shape": [3]}], {"weight": three})
    yield row("crossEntropy", [large, {"share": 14, "shape": [3, 3]}])

    x, t = ({"uniform": seed, "shape": [3, 4], "scale": 2.0} for seed in (15, 16))
    ties, other = ({"whole": seed, "shape": [3, 4], "scale": 2.0} for seed in (17, 18))
    column, list_ = {"uniform": 19, "shape": [3, 1]}, {"uniform": 20, "shape": [4]}
    kinds = [("mseLoss", {}), ("l1Loss", {}), ("smoothL1Loss", {}), ("smoothL1Loss", {"beta": 0.5}),
             ("smoothL1Loss", {"beta": 0}), ("huberLoss", {}), ("huberLoss", {"delta": 0.5})]
    for (op, options), reduction in itertools.product(kinds, REDUCTIONS):
        yield row(op, [x, t], reduction=reduction, **options)
        if reduction == "none":
            yield row(op, [ties, other], reduction=reduction, **options)
            yield row(op, [column, list_], reduction=reduction, **options)
    op, targets = "binaryCrossEntropyWithLogits", {"share": 21, "shape": [3, 4]}
    shapes = [{}, {"weight": [3, 4]}, {"weight": [3, 1]}, {"posWeight": [4]}, {"weight": [4], "posWeight": [1]}]
    for reduction, given in itertools.product(REDUCTIONS, shapes):
        tensors = {name: {"weight": 22 + i, "shape": shape} for i, (name, shape) in enumerate(given.items())}
        yield row(op, [x, targets], tensors, reduction=reduction)
    edges = {"data": [1000.0, 1000, -1000, -1000, 0, 0, 30, -30], "shape": [8]}
    whole = {"data": [0.0, 1, 0, 1, 0, 1, 1, 0], "shape": [8]}
    yield row(op, [edges, whole], {"posWeight": {"weight": 24, "shape": [8]}}, reduction="none")
