"""schedules.jsonl: the rates of every schedule with every option, before the first and after each of 99 steps.

Two groups, of rates 0.1 and 0.02: all rates of the first, every ninth of the second. Schedules are spelled as wgrad
spells them: {"name", "args", "options"}; a list of them acts on one optimizer, stepped in order. What a plateau sees
is `metrics`, or in mode "max" 4 minus those."""
import torch
from torch.optim import lr_scheduler as torch_schedulers

STEPS = 100
LAMBDAS = {"slow": lambda step: 0.95**step, "slower": lambda step: 1 / (1 + step)}
NAMES = {"stepSize": "step_size", "totalIters": "total_iters", "startFactor": "start_factor", "endFactor": "end_factor",
         "tMult": "T_mult", "etaMin": "eta_min", "totalSteps": "total_steps", "stepsPerEpoch": "steps_per_epoch",
         "pctStart": "pct_start", "annealStrategy": "anneal_strategy", "divFactor": "div_factor",
         "finalDivFactor": "final_div_factor", "threePhase": "three_phase", "thresholdMode": "threshold_mode",
         "minLr": "min_lr", "cycleMomentum": "cycle_momentum"}


def metrics(uniform):
    """Losses that fall, and stop falling, with noise; multiples of 1/64."""
    noise = uniform(700, (STEPS,), 0.25)
    return [float(((max(0.5, 3 - step / 20) + noise[step]) * 64).floor() / 64) for step in range(STEPS)]


def make(optimizer, spec):
    name, args, options = spec["name"], spec.get("args", []), spec.get("options", {})
    if name == "warmup":
        steps, after, factor = args[0], make(optimizer, args[1]), options.get("startFactor", 0.01)
        first = torch_schedulers.LinearLR(optimizer, start_factor=factor, total_iters=steps)
        return torch_schedulers.SequentialLR(optimizer, [first, after], [steps])
    if name == "SequentialLR":
        return torch_schedulers.SequentialLR(optimizer, [make(optimizer, one) for one in args[0]], args[1])
    if name == "LambdaLR":
        args = [[LAMBDAS[one] for one in args[0]] if isinstance(args[0], list) else LAMBDAS[args[0]]]
    options = {NAMES.get(k, k): v for k, v in options.items()}
    if name == "OneCycleLR":
        options["cycle_momentum"] = False
    return getattr(torch_schedulers, name)(optimizer, *args, **options)


def rates(uniform, specs, rising, change):
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in (0.1, 0.02)]
    optimizer = torch.optim.SGD(groups, lr=1)
    schedulers = [make(optimizer, spec) for spec in specs]
    seen, losses = [], metrics(uniform)
    for step in range(STEPS):
        seen.append([group["lr"] for group in optimizer.param_groups])
        if change and step == change["after"]:
            optimizer.param_groups[0]["lr"] = change["lr"]
        optimizer.step()
        for scheduler in schedulers:
            if isinstance(scheduler, torch_schedulers.ReduceLROnPlateau):
                scheduler.step(4 - losses[step] if rising else losses[step])
            else:
                scheduler.step()
    return seen


def schedules(uniform, plain):
    def row(*specs, change=None):
        rising = any(spec.get("options", {}).get("mode") == "max" for spec in specs)
        seen = rates(uniform, specs, rising, change)
        for i, spec in enumerate(specs):
            for option in spec.get("options", {}):
                if option in ("totalSteps", "epochs", "stepsPerEpoch"):
                    continue
                rest = {**spec, "options": {k: v for k, v in spec["options"].items() if k != option}}
                other = rates(uniform, [*specs[:i], rest, *specs[i + 1:]], rising, change)
                assert other != seen, (spec, option, "this case would not show that it is ignored")
        return {"schedules": specs, **({"change": change} if change else {}), "rates": plain([one[0] for one in seen]),
                "ninths": plain([one[1] for one in seen[::9]])}

    def one(name, *args, **options):
        return {"name": name, **({"args": args} if args else {}), **({"options": options} if options else {})}

    alone = [
        one("StepLR", 7), one("StepLR", 30, gamma=0.5),
        one("MultiStepLR", [10, 10, 40, 75]), one("MultiStepLR", [0, 33], gamma=0.3),
        one("ConstantLR"), one("ConstantLR", factor=0.25), one("ConstantLR", totalIters=40),
        one("LinearLR"), one("LinearLR", startFactor=0.1, endFactor=0.7, totalIters=50),
        one("LinearLR", startFactor=1, endFactor=0, totalIters=60),
        one("ExponentialLR", 0.93),
        one("PolynomialLR"), one("PolynomialLR", totalIters=80, power=2), one("PolynomialLR", totalIters=99, power=0.5),
        one("CosineAnnealingLR", 100), one("CosineAnnealingLR", 20, etaMin=0.003),
        one("CosineAnnealingWarmRestarts", 15), one("CosineAnnealingWarmRestarts", 10, tMult=2, etaMin=0.001),
        one("OneCycleLR", 0.5, totalSteps=100),
        one("OneCycleLR", [0.5, 0.3], epochs=10, stepsPerEpoch=11, pctStart=0.25),
        one("OneCycleLR", 0.5, totalSteps=100, annealStrategy="linear", divFactor=10, finalDivFactor=100),
        one("OneCycleLR", 0.5, totalSteps=100, threePhase=True, pctStart=0.4),
        one("LambdaLR", "slow"), one("LambdaLR", ["slow", "slower"]),
        one("SequentialLR",
            [one("ConstantLR", factor=0.1, totalIters=100), one("ExponentialLR", 0.9), one("StepLR", 5)], [20, 60]),
        one("SequentialLR", [one("LinearLR", totalIters=10), one("CosineAnnealingWarmRestarts", 30)], [10]),
        one("warmup", 10, one("CosineAnnealingLR", 90)),
        one("warmup", 25, one("PolynomialLR", totalIters=75), startFactor=0.2),
        one("warmup", 5, one("MultiStepLR", [30, 60])), one("warmup", 5, one("LambdaLR", "slower")),
        one("ReduceLROnPlateau"), one("ReduceLROnPlateau", factor=0.5, patience=2, cooldown=3, threshold=0.15),
        one("ReduceLROnPlateau", patience=3, threshold=0.2, thresholdMode="abs", minLr=[0.01, 0.001], factor=0.3),
        one("ReduceLROnPlateau", mode="max", patience=20, factor=0.7),
        one("ReduceLROnPlateau", mode="max", thresholdMode="abs", patience=9, factor=0.7, threshold=0.2),
        one("ReduceLROnPlateau", patience=1, eps=1e-4, factor=0.5),
    ]
    for spec in alone:
        yield row(spec)
    yield row(one("LinearLR", totalIters=20), one("ExponentialLR", 0.97))
    yield row(one("ConstantLR", totalIters=15), one("MultiStepLR", [5, 50]))
    yield row(one("LinearLR", startFactor=0.01, totalIters=10), one("ReduceLROnPlateau", patience=2))
    yield row(one("StepLR", 20), change={"after": 30, "lr": 0.7})
