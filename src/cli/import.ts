/**
 * `wgrad import`: converts weights of other programs to safetensors.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import { loadWeights } from "../run/weights.ts";
import { checkNew, CLASSES_FLAG, givenOf, MODEL_FLAGS, WRITE_FLAGS, writeWeights } from "./convert.ts";
import { defineCommand } from "./flags.ts";
import { Output } from "./output.ts";

/** `wgrad import`. */
export const command = defineCommand({
  name: "import",
  summary: "Convert weights of PyTorch or NumPy to safetensors",
  description:
    "Reads a weights file in any supported format, checks that it fits the model, and writes a safetensors file as train " +
    "does, with the name of the model and the scaling of pixels. Numbers become float32. No code in the file is ever run.",
  positional: [{ name: "FILE", help: "The weights: .safetensors, .pth or .npz" }],
  flags: [
    { name: "to", kind: "string", value: "FILE", help: "The .safetensors file to write (required)" },
    ...MODEL_FLAGS,
    {
      name: "strip-prefix",
      kind: "string",
      value: "TEXT",
      help: 'Leave out this text at the start of every name, such as "module."',
    },
    CLASSES_FLAG,
    ...WRITE_FLAGS,
  ],
  examples: [[
    "wgrad import cifar_net.pth --to cifar_net.safetensors",
    "Convert the file that the PyTorch tutorial saves",
  ]],
  async run({ values: { to, model, normalize, stripPrefix, classes, force, json }, positional: [file] }) {
    if (to === undefined) throw new UsageError("import needs --to FILE; see wgrad import --help");
    if (!to.endsWith(".safetensors")) throw new UsageError("import writes safetensors: --to must end in .safetensors");
    await checkNew(to, force);
    const loaded = await loadWeights(file!, await givenOf({ model, normalize, classes }), { stripPrefix });
    await writeWeights(loaded, to, "safetensors", force, new Output({ json }));
    return 0;
  },
});
