"""optim.jsonl: the small net after 20 steps of every optimizer with every option, alone and in groups of parameters; of
Lookahead and of a moving average; and its first gradients, clipped.

Each line: the optimizer by the command line's name, its options in wgrad's spelling, those of a group for the
convolution and of one for the linear layer if there are two, the rate after ten steps if it changes, and every third
element of the parameters. What PyTorch 1.13 does not have is written out below, and checked against it where it can be.
"""
import math
import torch
import torch.nn.functional as F

CAMEL = {"lr_decay": "lrDecay", "weight_decay": "weightDecay", "momentum_decay": "momentumDecay",
         "initial_accumulator_value": "initialAccumulatorValue", "decoupled_weight_decay": "decoupledWeightDecay",
         "ns_coefficients": "nsCoefficients", "ns_steps": "nsSteps", "adjust_lr_fn": "adjustLrFn"}
WORDS = {"match_rms_adamw": "matchRmsAdamw"}


class Reference(torch.optim.Optimizer):
    """An optimizer written out: `update` gives what is taken off a parameter after its weight decay."""
    defaults = {}
    decoupled = False

    def __init__(self, params, **options):
        super().__init__(params, {"weight_decay": 0, "maximize": False, "decoupled_weight_decay": self.decoupled,
                                  **type(self).defaults, **options})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state, g = self.state[p], -p.grad if group["maximize"] else p.grad
                if group["decoupled_weight_decay"]:
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                else:
                    g = g + group["weight_decay"] * p
                state["t"] = state.get("t", 0) + 1
                p.sub_(self.update(p, g, state, **group))

    @staticmethod
    def averages(g, state, betas):
        zero = torch.zeros_like(g)
        state["m"] = betas[0] * state.get("m", zero) + (1 - betas[0]) * g
        state["v"] = betas[1] * state.get("v", zero) + (1 - betas[1]) * g * g
        return state["m"], state["v"], state["t"]


class NAdam(Reference):
    """As in PyTorch 2: 1.13 multiplies mu into the second product once more."""
    defaults = dict(lr=2e-3, betas=(0.9, 0.999), eps=1e-8, momentum_decay=4e-3)

    def update(self, p, g, state, lr, betas, eps, momentum_decay, **_):
        m, v, t = self.averages(g, state, betas)
        mu, after = (betas[0] * (1 - 0.5 * 0.96 ** (s * momentum_decay)) for s in (t, t + 1))
        product = state["product"] = state.get("product", 1) * mu
        divisor = (v / (1 - betas[1] ** t)).sqrt() + eps
        return lr * ((1 - mu) / (1 - product) * g + after / (1 - product * after) * m) / divisor


class RAdam(Reference):
    defaults = dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8)

    def update(self, p, g, state, lr, betas, eps, **_):
        m, v, t = self.averages(g, state, betas)
        most = 2 / (1 - betas[1]) - 1
        rho = most - 2 * t * betas[1] ** t / (1 - betas[1] ** t)
        step = lr * m / (1 - betas[0] ** t)
        if rho <= 5:
            return step
        rect = math.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
        return step * rect * math.sqrt(1 - betas[1] ** t) / (v.sqrt() + eps)


class Lion(Reference):
    defaults = dict(lr=1e-4, betas=(0.9, 0.99))
    decoupled = True

    def update(self, p, g, state, lr, betas, **_):
        m = state.get("m", torch.zeros_like(g))
        direction = betas[0] * m + (1 - betas[0]) * g
        state["m"] = betas[1] * m + (1 - betas[1]) * g
        return lr * direction.sign()


class Muon(Reference):
    """torch.optim.Muon of 2.9, in float64 instead of bfloat16, with AdamW for all that is no matrix."""
    defaults = dict(lr=1e-3, weight_decay=0.1, momentum=0.95, nesterov=True, ns_coefficients=(3.4445, -4.775, 2.0315),
                    eps=1e-7, ns_steps=5, adjust_lr_fn="original")
    decoupled = True

    def __init__(self, params, rest={}, **options):
        groups = [g if isinstance(g, dict) else {"params": params} for g in params]
        groups = groups if isinstance(params[0], dict) else groups[:1]
        matrix = lambda p: p.dim() > 1
        super().__init__([{**g, "params": [p for p in g["params"] if matrix(p)]} for g in groups], **options)
        lr = lambda g: g.get("lr", options.get("lr", self.defaults["lr"]))
        self.rest = torch.optim.AdamW([{"lr": lr(g), **rest, "params": [p for p in g["params"] if not matrix(p)]}
                                       for g in groups])

    def step(self):
        super().step()
        self.rest.step()

    def update(self, p, g, state, lr, momentum, nesterov, ns_coefficients, eps, ns_steps, adjust_lr_fn, **_):
        buf = state["buf"] = momentum * state.get("buf", torch.zeros_like(g)) + (1 - momentum) * g
        x = ((1 - momentum) * g + momentum * buf if nesterov else buf).flatten(1)
        rows, columns = x.shape
        if rows > columns:
            x = x.T
        a, b, c = ns_coefficients
        x = x / x.norm().clamp(min=eps)
        for _ in range(ns_steps):
            square = x @ x.T
            x = a * x + (b * square + c * square @ square) @ x
        x = (x.T if rows > columns else x).reshape(p.shape)
        original = adjust_lr_fn == "original"
        return lr * x * (math.sqrt(max(1, rows / columns)) if original else 0.2 * math.sqrt(max(rows, columns)))


class Lookahead:
    def __init__(self, params, inner, of, k=5, alpha=0.5):
        self.inner, self.k, self.alpha, self.t = MAKE[inner](params, **of), k, alpha, 0
        self.param_groups = self.inner.param_groups
        self.slow = [p.detach().clone() for p in params]

    @torch.no_grad()
    def step(self):
        self.inner.step()
        self.t += 1
        for p, slow in zip(self.param_groups[0]["params"], self.slow):
            if self.t % self.k == 0:
                slow.add_(self.alpha * (p - slow))
                p.copy_(slow)


O = torch.optim
MAKE = {"sgd": O.SGD, "adam": O.Adam, "adamw": O.AdamW, "rmsprop": O.RMSprop, "adagrad": O.Adagrad,
        "adadelta": O.Adadelta, "adamax": O.Adamax, "nadam": NAdam, "radam": RAdam, "radam 1.13": O.RAdam,
        "lion": Lion, "muon": Muon, "lookahead": Lookahead}
BETAS = dict(lr=0.01, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.03)
CASES = [
    ("sgd", dict(lr=0.05, momentum=0.9, maximize=True)), ("sgd", dict(lr=0.05, weight_decay=0.03, maximize=True)),
    ("adam", {}), ("adam", BETAS), ("adam", dict(lr=0.01, betas=(0.8, 0.5), amsgrad=True)),
    ("adam", dict(weight_decay=0.03, maximize=True)), ("adam", dict(betas=(0, 0), eps=0.01)),
    ("adamw", {}), ("adamw", {**BETAS, "amsgrad": True, "betas": (0.8, 0.5)}),
    ("adamw", dict(weight_decay=0.3, maximize=True)),
    ("rmsprop", {}), ("rmsprop", dict(alpha=0.9, eps=1e-3, weight_decay=0.03)),
    ("rmsprop", dict(lr=0.005, momentum=0.5)),
    ("rmsprop", dict(centered=True)), ("rmsprop", dict(lr=0.005, centered=True, momentum=0.5, maximize=True)),
    ("adagrad", {}), ("adagrad", dict(lr_decay=0.1, initial_accumulator_value=0.1, weight_decay=0.03)),
    ("adagrad", dict(lr=0.05, eps=0.1, maximize=True)),
    ("adadelta", {}), ("adadelta", dict(lr=0.5, rho=0.5, eps=1e-3, weight_decay=0.03)),
    ("adadelta", dict(maximize=True)),
    ("adamax", {}), ("adamax", BETAS), ("adamax", dict(maximize=True)),
    ("nadam", {}), ("nadam", {**BETAS, "momentum_decay": 0.1}),
    ("nadam", dict(weight_decay=0.3, decoupled_weight_decay=True)), ("nadam", dict(maximize=True)),
    ("radam", {}), ("radam", BETAS), ("radam", dict(weight_decay=0.3, decoupled_weight_decay=True)),
    ("radam", dict(maximize=True)), ("radam", dict(betas=(0.9, 0.7))),
    ("lion", {}), ("lion", dict(lr=0.005, betas=(0.8, 0.9), weight_decay=0.3)),
    ("muon", {}),
    ("muon", dict(lr=0.01, momentum=0.8, nesterov=False, ns_steps=3, ns_coefficients=(2.0, -1.5, 0.5),
                  weight_decay=0.3)),
    ("muon", dict(lr=0.01, adjust_lr_fn="match_rms_adamw", eps=0.5,
                  rest=dict(lr=0.005, betas=(0.8, 0.95), weight_decay=0.3))),
    ("lookahead", dict(inner="sgd", of=dict(lr=0.05, momentum=0.9))),
    ("lookahead", dict(inner="adam", of=dict(lr=0.01), k=3, alpha=0.8)),
]
# Options of all, of the convolution, and of the linear layer.
GROUPS = [("adam", dict(lr=0.01, weight_decay=0.03), dict(lr=0.005), dict(weight_decay=0.3, amsgrad=True)),
          ("nadam", {}, dict(momentum_decay=0.1), dict(maximize=True)),
          ("rmsprop", {}, dict(momentum=0.5), dict(centered=True)),
          ("muon", dict(lr=0.01), dict(lr=0.005), dict(momentum=0.8)),
          ("sgd", dict(lr=0.05), dict(momentum=0.9), dict(maximize=True))]


def camel(options):
    spelled = lambda v: camel(v) if isinstance(v, dict) else list(v) if isinstance(v, tuple) else WORDS.get(v, v)
    return {CAMEL.get(k, k): spelled(v) for k, v in options.items()}


def sample(tensors, plain):
    return plain(torch.cat([t.detach().reshape(-1) for t in tensors])[::3])


def optim(dtype, uniform, bits, plain, set_weights, SmallNet):
    net = None

    def gradients(step):
        x = uniform(500 + step, (5, 2, 6, 6), dtype=dtype)
        y = torch.from_numpy((bits(600 + step, 5) % 4).astype("int64"))
        net.zero_grad()
        F.cross_entropy(net(x), y).backward()

    def train(name, options, groups=None, later=None, every=lambda: None):
        nonlocal net
        net = set_weights(SmallNet().double(), 400).to(dtype)
        params = list(net.parameters())
        if groups:
            params = [{"params": list(layer.parameters()), **own} for layer, own in zip([net.conv, net.fc], groups)]
        optimizer = MAKE[name](params, **options)
        for step in range(20):
            if later is not None and step == 10:
                for group in optimizer.param_groups:
                    group["lr"] = later
            gradients(step)
            optimizer.step()
            every()
        return torch.cat([p.detach().reshape(-1) for p in net.parameters()])

    def differs(after, other, what):
        assert (after - other).abs().max() > 1e-4, (what, "this case would not show that it is ignored")

    if dtype == torch.float64:
        for options in [{}, BETAS]:
            assert (train("radam", options) - train("radam 1.13", options)).abs().max() < 1e-12

    for name, options in CASES:
        after = train(name, options)
        for key in set(options) - {"inner", "of"} - ({"lr"} if name == "sgd" else set()):
            differs(after, train(name, {k: v for k, v in options.items() if k != key}), (name, key))
        yield {"name": name, "options": camel(options), "after": plain(after[::3])}
    for name, options, *groups in GROUPS:
        after = train(name, options, groups)
        differs(after, train(name, options, groups[::-1]), (name, groups))
        groups = [camel(group) for group in groups]
        yield {"name": name, "options": camel(options), "groups": groups, "after": plain(after[::3])}
    after = train("adam", {"lr": 0.01}, later=0.002)
    yield {"name": "adam", "options": {"lr": 0.01}, "lrAfter10": 0.002, "after": plain(after[::3])}

    averages = [p.detach().clone() for p in set_weights(SmallNet().double(), 400).to(dtype).parameters()]

    def average():
        for a, p in zip(averages, net.parameters()):
            a.mul_(0.9).add_(p.detach(), alpha=0.1)
    train("adam", {"lr": 0.01}, every=average)
    yield {"name": "ema", "options": {"decay": 0.9}, "after": sample(averages, plain)}

    clip = torch.nn.utils
    infinite = dict(maxNorm=0.125, normType="Infinity")
    for options in [dict(maxNorm=0.5), dict(maxNorm=100.0), infinite, dict(value=0.0625)]:
        net = set_weights(SmallNet().double(), 400).to(dtype)
        gradients(0)
        row = {"name": "clip", "options": options}
        if "value" in options:
            clip.clip_grad_value_(net.parameters(), options["value"])
        else:
            kind = float(options.get("normType", 2))
            row["norm"] = plain(clip.clip_grad_norm_(net.parameters(), options["maxNorm"], kind).item())
        yield {**row, "after": sample([p.grad for p in net.parameters()], plain)}
