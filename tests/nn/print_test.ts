/**
 * String(module) is what PyTorch prints, character for character.
 */
import { assertEquals } from "@std/assert";
import { nn, type Tensor } from "../../src/mod.ts";
import { readLines } from "../support/golden.ts";

class Empty extends nn.Module {
  override forward(x: Tensor): Tensor {
    return x;
  }
}

class Block extends nn.Module {
  body = new nn.Sequential(new nn.Conv2d(3, 4, 3, { padding: 1 }), new nn.ReLU());
  act = new nn.ReLU();
  again = this.body;

  override forward(x: Tensor): Tensor {
    return this.act.forward(this.body.forward(x));
  }
}

/** The module of each name in make_golden.py. */
const modules: Record<string, () => nn.Module> = {
  Net: () => nn.models.lenet(),
  NeuralNet: () => nn.models.lenetGray(),
  Empty: () => new Empty(),
  Block: () => new Block(),
  "Sequential empty": () => new nn.Sequential(),
  "Sequential one": () => new nn.Sequential(new nn.ReLU()),
  "Sequential nested": () =>
    new nn.Sequential(
      new nn.Sequential(new nn.Conv2d(1, 2, 3), new nn.ReLU(), new nn.Sequential(new nn.MaxPool2d(2))),
      new nn.Flatten(),
      new nn.Linear(8, 3),
    ),
  "Sequential eleven": () => new nn.Sequential(...Array.from({ length: 11 }, () => new nn.ReLU())),
  Conv2d: () => new nn.Conv2d(3, 6, 5),
  "Conv2d non-square": () => new nn.Conv2d(3, 6, [1, 5]),
  "Conv2d stride": () => new nn.Conv2d(3, 6, 5, { stride: 2 }),
  "Conv2d stride pair": () => new nn.Conv2d(3, 6, 5, { stride: [1, 2] }),
  "Conv2d padding": () => new nn.Conv2d(3, 6, 5, { padding: 2 }),
  "Conv2d padding pair": () => new nn.Conv2d(3, 6, 5, { padding: [0, 1] }),
  "Conv2d dilation": () => new nn.Conv2d(3, 6, 5, { dilation: 2 }),
  "Conv2d groups": () => new nn.Conv2d(4, 6, 3, { groups: 2 }),
  "Conv2d no bias": () => new nn.Conv2d(3, 6, 5, { bias: false }),
  "Conv2d all": () =>
    new nn.Conv2d(4, 8, [3, 5], { stride: [2, 1], padding: [1, 2], dilation: [1, 2], groups: 4, bias: false }),
  Linear: () => new nn.Linear(400, 120),
  "Linear no bias": () => new nn.Linear(3, 1, { bias: false }),
  MaxPool2d: () => new nn.MaxPool2d(2),
  "MaxPool2d stride": () => new nn.MaxPool2d(3, { stride: 2, padding: 1 }),
  "MaxPool2d pairs": () => new nn.MaxPool2d([2, 3], { stride: [1, 2], padding: [1, 0] }),
  "MaxPool2d pair kernel": () => new nn.MaxPool2d([2, 3]),
  ReLU: () => new nn.ReLU(),
  Flatten: () => new nn.Flatten(),
  "Flatten dims": () => new nn.Flatten(0, 2),
  Dropout: () => new nn.Dropout(),
  "Dropout p": () => new nn.Dropout(0.25),
  Dropout2d: () => new nn.Dropout2d(),
  "Dropout2d p": () => new nn.Dropout2d(0.1),
  CrossEntropyLoss: () => new nn.CrossEntropyLoss(),
  "CrossEntropyLoss options": () => new nn.CrossEntropyLoss({ labelSmoothing: 0.1, reduction: "sum" }),
  MSELoss: () => new nn.MSELoss(),
  "MSELoss sum": () => new nn.MSELoss({ reduction: "sum" }),
};

for (const { name, text } of readLines<{ name: string; text: string }>("modules.jsonl")) {
  Deno.test(`String() prints a module as PyTorch does: ${name}`, () => {
    assertEquals(String(modules[name]!()), text);
  });
}
