/**
 * `wgrad eval`, `export` and `import` over files of weights of every format, as a user would run them.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { encodePytorch } from "../../src/io/pytorch.ts";
import { manualSeed, nn } from "../../src/mod.ts";
import { storedState } from "../../src/nn/files.ts";
import { withFolder } from "../data/fixtures.ts";
import { ROOT } from "../project/support.ts";
import { python } from "../support/python.ts";
import { testWith } from "../support/tools.ts";
import { namesIn, wgrad, writeData } from "./support.ts";

const GOLDEN = join(ROOT, "tests", "golden");

/** Runs a command that must end well. @returns the object that it printed. */
async function json(folder: string, ...args: string[]) {
  const { code, out, err } = await wgrad(folder, [...args, "--json"]);
  assertEquals([code, out.length], [0, 1], err.join("\n"));
  return JSON.parse(out[0]!);
}

/** Writes `net.pth`, a new LeNet's weights. */
async function writeNet(folder: string): Promise<void> {
  manualSeed(5);
  await Deno.writeFile(join(folder, "net.pth"), await encodePytorch(await storedState(nn.models.lenet().stateDict())));
}

await testWith(
  "torch",
  "wgrad eval has the loss and accuracy of PyTorch for what its tutorial saves",
  () =>
    withFolder(async (folder) => {
      await writeData(folder);
      const program = `
import json, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from golden_modules import Net
import torch
torch.manual_seed(0)
net = Net()
torch.save(net.state_dict(), "./cifar_net.pth")
records = torch.frombuffer(bytearray(open("data/test_batch.bin", "rb").read()), dtype=torch.uint8).reshape(-1, 3073)
labels, images = records[:, 0].long(), (records[:, 1:].reshape(-1, 3, 32, 32) / 255 - 0.5) / 0.5
logits = net(images)
loss = torch.nn.functional.cross_entropy(logits, labels).item()
print(json.dumps({"loss": loss, "accuracy": (logits.argmax(1) == labels).float().mean().item()}))`;
      const expected = JSON.parse(await python(program, folder, GOLDEN));
      const { loss, accuracy } = await json(folder, "eval", "--weights", "cifar_net.pth", "--data", "data");
      assert(Math.abs(loss - expected.loss) <= 1e-5, `${loss} instead of ${expected.loss}`);
      assert(Math.abs(accuracy - expected.accuracy) <= 1e-6, `${accuracy} instead of ${expected.accuracy}`);
    }),
);

Deno.test("weights go through every format, bit for bit, and eval gives the same for each", () =>
  withFolder(async (folder) => {
    await writeData(folder);
    await writeNet(folder);
    const of = { model: "lenet", normalize: "cifar10", tensors: 10 };
    const { bytes, ...imported } = await json(
      folder,
      "import",
      "net.pth",
      "--to",
      "a.safetensors",
      "--normalize",
      "cifar10",
    );
    assertEquals(imported, { path: "a.safetensors", format: "safetensors", ...of });
    assertEquals(bytes, (await Deno.stat(join(folder, "a.safetensors"))).size);
    const way = [["b.pth"], ["c.npz"], ["d", "--format", "pth"], ["e.pt"], ["f.safetensors"]];
    let last = "a.safetensors";
    for (const [path, ...more] of way) {
      // Formats of tensors alone do not say the scaling.
      await json(folder, "export", "--weights", last, "--to", path!, ...more, "--normalize", "cifar10");
      last = path!;
    }
    const read = (path: string) => Deno.readFile(join(folder, path));
    assertEquals(await read("f.safetensors"), await read("a.safetensors"));
    assertEquals([await read("d"), await read("e.pt")], [await read("b.pth"), await read("b.pth")]);
    assertEquals(await read("net.pth"), await read("b.pth"));

    const evaluate = (...args: string[]) => json(folder, "eval", "--data", "data", "--weights", ...args);
    const result = await evaluate("a.safetensors");
    assertEquals(await evaluate("c.npz", "--normalize", "cifar10"), result);
    assert((await evaluate("b.pth")).loss !== result.loss);
  }));

Deno.test("wgrad export writes the network as ONNX, with the scaling and the classes", () =>
  withFolder(async (folder) => {
    await writeNet(folder);
    await Deno.writeTextFile(join(folder, "names"), Array.from("abcdefghij", (one) => `kind ${one}\n`).join(""));
    const names = ["--classes", "names"];
    const { format, bytes } = await json(folder, "export", "--weights", "net.pth", "--to", "net.onnx", ...names);
    const text = new TextDecoder("latin1").decode(await Deno.readFile(join(folder, "net.onnx")));
    assertEquals([format, bytes], ["onnx", text.length]);
    for (const word of ["Conv", "conv1.weight", "images", "logits", '["kind a","kind b"', "[0.5,0.5,0.5]"]) {
      assert(text.includes(word), word);
    }
  }));

Deno.test("wgrad export and import refuse what they cannot do, in one line, and change nothing", () =>
  withFolder(async (folder) => {
    await writeNet(folder);
    await Deno.writeTextFile(join(folder, "old.npz"), "mine");
    await Deno.copyFile(join(GOLDEN, "files", "evil_system.pth"), join(folder, "evil.pth"));
    await Deno.copyFile(join(GOLDEN, "files", "net.pth"), join(folder, "other.pth"));
    await Deno.writeFile(join(folder, "legacy.pth"), Uint8Array.fromHex("80028a0a6cfc9c46f9206aa850192e"));
    await Deno.writeTextFile(join(folder, "text.pth"), "These are no weights.");
    const names = namesIn(folder);
    const refused: [args: string, code: number, message: RegExp][] = [
      ["export --weights net.pth", 2, /export needs --weights FILE and --to FILE/],
      [
        "export --weights net.pth --to net.bin",
        2,
        /net\.bin does not end in \.safetensors, \.pth, \.npz, \.onnx: give --format/,
      ],
      ["export --weights net.pth --to old.npz", 2, /old\.npz exists already; --force replaces it/],
      ["export --weights none.pth --to a.pth", 1, /cannot read none\.pth: no such file/],
      [
        "export --weights evil.pth --to a.npz",
        1,
        /evil\.pth is not a valid PyTorch file: its pickle names "posix\.system"/,
      ],
      ["export --weights legacy.pth --to a.npz", 1, /legacy\.pth was written by PyTorch before 1\.6: save it again/],
      ["export --weights text.pth --to a.npz", 1, /text\.pth is not a weights file: it is neither safetensors nor/],
      [
        "export --weights net.pth --to a.pth --model lenet-gray",
        1,
        /conv1\.weight has shape \[6, 3, 5, 5\] instead of/,
      ],
      ["import net.pth", 2, /import needs --to FILE/],
      ["import --to a.safetensors", 2, /FILE is missing/],
      ["import net.pth --to a.pth", 2, /--to must end in \.safetensors/],
      ["import other.pth --to a.safetensors", 1, /other\.pth: the weights do not fit Net: missing conv1\.weight/],
    ];
    for (const [args, code, message] of refused) {
      const run = await wgrad(folder, args.split(" "));
      assertEquals([run.code, run.out, run.err.length], [code, [], 1], `${args}: ${run.err.join("\n")}`);
      assert(message.test(run.err[0]!), run.err[0]);
      assertEquals(namesIn(folder), names, args);
    }
    assertEquals(await Deno.readTextFile(join(folder, "old.npz")), "mine");
    const { code, out } = await wgrad(folder, ["export", "--weights", "net.pth", "--to", "old.npz", "--force"]);
    assertEquals(code, 0);
    assert(/^10 tensors of lenet in \/.*old\.npz \(npz, \d+ bytes\)$/.test(out[0]!), out[0]);
  }));
