/**
 * The registry of networks: what it says of each is true, other sizes and classes can be asked for, and the commands
 * offer every network.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { MODEL_FLAGS } from "../../src/cli/convert.ts";
import { command as bench } from "../../src/cli/bench.ts";
import { command as summary } from "../../src/cli/summary.ts";
import { SETTINGS } from "../../src/config/settings.ts";
import { lenetLosses } from "../../src/measure/reference.ts";
import { F, nn, ShapeError, tensor, zeros } from "../../src/mod.ts";
import { type ModelEntry, MODELS } from "../../src/models/registry.ts";
import { noise } from "../../src/random.ts";
import { assertClose } from "../support/close.ts";

const names = Object.keys(MODELS);

for (const [name, { make, input, classes }] of Object.entries<ModelEntry>(MODELS)) {
  Deno.test(`${name} takes the images and gives the classes that the registry says`, () => {
    assertEquals(make().forward(zeros([3, ...input])).shape, [3, classes]);
    assertEquals(input[1], input[2], "predict makes images square");
  });

  Deno.test(`${name} can be made for other images and classes`, () => {
    const x = zeros([2, 2, 40, 24]);
    assertEquals(make({ input: [2, 40, 24], classes: 7 }).forward(x).shape, [2, 7]);
    assertEquals(make({ classes: 1 }).forward(zeros([2, ...input])).shape, [2, 1]);
  });
}

Deno.test("every command with --model offers every network of the registry", () => {
  const flags = [...SETTINGS, ...MODEL_FLAGS, ...bench.flags, ...summary.flags].filter(({ name }) => name === "model");
  assertEquals(flags.map((flag) => "choices" in flag && flag.choices), Array(4).fill(names));
});

Deno.test("the reference of LeNet's loss is right at other sizes", async () => {
  const net = nn.models.lenet({ input: [2, 20, 20], classes: 5 }), images = [noise(800, 1), noise(800, 2)];
  const parameters = new Map<string, ArrayLike<number>>();
  for (const [name, one] of net.namedParameters()) parameters.set(name, await one.data());
  const x = tensor(images.flatMap((one) => [...one]), { shape: [2, 2, 20, 20] });
  const losses = F.crossEntropy(net.forward(x), tensor(Uint32Array.of(4, 1)), { reduction: "none" });
  assertClose(await losses.data(), lenetLosses(parameters, images, [4, 1], 20), { rtol: 1e-5 });
});

// deno-lint-ignore no-explicit-any
const any = (value: unknown) => value as any;
const refused: [options: object, message: string][] = [
  [{ width: 2 }, 'unknown option "width" (it has input, classes)'],
  [{ classes: 0 }, "classes must be a whole number of 1 or more, got 0"],
  [{ classes: "10" }, 'classes must be a whole number of 1 or more, got "10"'],
  [{ input: [3, 16, 15] }, "input must be [channels, height, width] of at least 16 x 16 pixels, got [3, 16, 15]"],
  [{ input: [0, 16, 16] }, "input must be [channels, height, width] of at least 16 x 16 pixels, got [0, 16, 16]"],
  [{ input: [3, 32.5, 32] }, "input must be [channels, height, width] of at least 16 x 16 pixels, got [3, 32.5, 32]"],
  [{ input: [32, 32] }, "input must be [channels, height, width] of at least 16 x 16 pixels, got [32, 32]"],
  [{ input: 32 }, "input must be [channels, height, width] of at least 16 x 16 pixels, got 32"],
];
for (const [options, message] of refused) {
  Deno.test(`refused by every network: ${JSON.stringify(options)}`, () => {
    assertThrows(() => nn.models.lenet(any(options)), ShapeError, `lenet: ${message}`);
    assertThrows(() => nn.models.lenetGray(any(options)), ShapeError, `lenetGray: ${message}`);
  });
}

Deno.test("a network takes the smallest image that it says", () => {
  assertEquals(nn.models.lenet({ input: [3, 16, 16] }).forward(zeros([1, 3, 16, 16])).shape, [1, 10]);
});
