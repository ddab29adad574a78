"""What becomes of the gradient where elements are equal or NaN: of max, min, amax and amin over all, one or several
dimensions, and of maximum and minimum, as rows for tests/autograd/ties_test.ts."""
import math
import torch

NAN, INF = math.nan, math.inf


def autograd(uniform, array):
    """Rows like those of ops.jsonl."""
    rows = []
    for name, op, options, function, inputs in cases(uniform):
        inputs = [x.clone().requires_grad_() for x in inputs]
        out = function(*inputs)
        dy = uniform(9500 + len(rows), out.shape).mul(64).round().div(64)
        grads = torch.autograd.grad(out, inputs, dy)
        rows.append({"name": name, "op": op, "options": options, "inputs": [array(x) for x in inputs],
                     "output": array(out), "dy": array(dy), "grads": [array(g) for g in grads]})
    return rows


def cases(uniform):
    """(name, op, options, function, inputs)."""
    ties = torch.tensor([[[3, 3, 1], [3, 2, 3]], [[2, 2, 2], [-1, 3, 3]]], dtype=torch.float64)
    hole = torch.tensor([[1, NAN, 3], [NAN, NAN, 0], [1, 1, 1]], dtype=torch.float64)
    infinite = torch.tensor([[INF, INF, 1], [-INF, -INF, INF]], dtype=torch.float64)
    equal = torch.full((2, 3), 7.0, dtype=torch.float64)
    for name, x in [("ties", ties), ("NaN", hole), ("infinities", infinite), ("all equal", equal)]:
        last = x.dim() - 1
        for op in ["max", "min", "amax", "amin"]:
            yield f"{op} of all, {name}", op, {}, lambda t, op=op: getattr(t, op)(), [x]
            for dim in [0, last, -1]:
                for keepdim in [False, True]:
                    def function(t, op=op, dim=dim, keepdim=keepdim):
                        found = getattr(t, op)(dim, keepdim)
                        return found if op[0] == "a" else found[0]
                    yield (f"{op} over {dim}{', keepdim' * keepdim}, {name}", op,
                           {"dim": dim, **({"keepdim": True} if keepdim else {})}, function, [x])
        for op in ["amax", "amin"]:
            for dims in [[0, 1], [-1, 0]]:
                yield f"{op} over {dims}, {name}", op, {"dim": dims}, lambda t, op=op, d=dims: getattr(t, op)(d), [x]
    a = torch.tensor([1, 2, 3, NAN, 1, NAN, INF, -INF, 0.0], dtype=torch.float64)
    b = torch.tensor([1, 3, 2, 1, NAN, NAN, INF, -INF, -0.0], dtype=torch.float64)
    whole = [(uniform(7000 + i, (4, 5), 2.0)).round() for i in range(2)]
    for op in ["maximum", "minimum"]:
        yield f"{op}, special", op, {}, getattr(torch, op), [a, b]
        yield f"{op}, ties", op, {}, getattr(torch, op), whole
        yield f"{op}, broadcast", op, {}, getattr(torch, op), [whole[0], whole[1][0]]
        yield f"{op} with itself", op, {}, lambda x, y, op=op: getattr(torch, op)(x, y), [whole[0], whole[0]]
