"""Files that PyTorch saved, for the tests of src/io/pytorch.ts: called by make_golden.py, and alone by

  python3 tests/golden/golden_files.py

  files/*.pth        what torch.save() wrote. PyTorch gives its archives no times: the same bytes each time
  files/tensors.jsonl one file a line: its name, and its tensors' names, dtypes, shapes and bytes in hexadecimal
  files/evil_*.pth   files that ask a reader to run code, which torch.load() without weights_only would do
"""
import json
import os
import pathlib
import torch
import torch.nn as nn

HERE = pathlib.Path(__file__).parent / "files"


class Net(nn.Module):
    """A layer of each kind that has a buffer or shares a weight, in a few numbers."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 2)
        self.bn = nn.BatchNorm2d(3)
        self.fc = nn.Linear(3, 3, bias=False)
        self.tied = nn.Linear(3, 3)
        self.tied.weight = self.fc.weight


class Evil:
    """Pickles itself as a call of a function by its name."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def counted(shape, dtype):
    """Numbers that any type can have, each one different."""
    count = torch.Size(shape).numel()
    return (torch.arange(count) - count // 2).to(dtype).reshape(shape)


def files():
    torch.manual_seed(0)
    net = Net()
    net.bn(net.conv(torch.randn(1, 2, 3, 3)))
    dtypes = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16,
              torch.int8, torch.uint8, torch.bool]
    base = torch.arange(24, dtype=torch.float32)
    nan = torch.tensor([0x7FA00001, -0x400000, -0x80000000, 1, 0x7F800000], dtype=torch.int32).view(torch.float32)
    return {
        "net": net.state_dict(),
        "dtypes": {str(dtype).removeprefix("torch."): counted([2, 3], dtype) for dtype in dtypes},
        "views": {
            "base": base,
            "middle": base[5:9],
            "transposed": base.reshape(2, 3, 4).permute(2, 0, 1),
            "every third": base[1::3],
            "column": base.reshape(4, 6)[:, 2:3],
            "row": base.reshape(4, 6)[1:2],
            "expanded": base[3].expand(2, 3),
            "scalar": base[7],
            "empty": torch.zeros(0, 4),
            "nan": nan,
            "nan backwards": torch.stack([nan, nan], 1)[:, 0],
            "parameter": nn.Parameter(base[2:4]),
        },
        "checkpoint": {
            "epoch": 3,
            "loss": 0.25,
            "model_state_dict": net.state_dict(),
            "optimizer_state_dict": torch.optim.Adam(net.parameters()).state_dict(),
            "note": "ü",
            "big": 2**40,
            "done": True,
            "best": None,
        },
    }


def described(tensor):
    contiguous = tensor.detach().contiguous()
    raw = contiguous.reshape(-1).view(torch.uint8) if contiguous.numel() else contiguous
    return {
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "shape": list(tensor.shape),
        "hex": bytes(raw.reshape(-1).tolist()).hex(),
    }


def write_files():
    HERE.mkdir(exist_ok=True)
    rows = []
    for name, content in files().items():
        torch.save(content, HERE / f"{name}.pth")
        state = content.get("model_state_dict", content)
        rows.append({"file": name, "tensors": {key: described(tensor) for key, tensor in state.items()}})
    (HERE / "tensors.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    torch.save({"w": torch.ones(2), "evil": Evil(os.system, "echo evil")}, HERE / "evil_system.pth")
    torch.save({"w": torch.ones(2), "evil": Evil(eval, "1 + 1")}, HERE / "evil_eval.pth")
    torch.save(nn.Linear(1, 1), HERE / "evil_module.pth")


if __name__ == "__main__":
    write_files()
