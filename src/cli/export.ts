/**
 * `wgrad export`: converts weights for other programs.
 *
 * @module
 */
import { extname } from "node:path";
import { UsageError } from "../errors.ts";
import { loadWeights } from "../run/weights.ts";
import { checkNew, CLASSES_FLAG, givenOf, MODEL_FLAGS, WRITE_FLAGS, writeWeights, WRITTEN } from "./convert.ts";
import { defineCommand } from "./flags.ts";
import { Output } from "./output.ts";

/** `wgrad export`. */
export const command = defineCommand({
  name: "export",
  summary: "Convert weights to PyTorch, NumPy, ONNX or safetensors",
  description:
    "Loads the weights into a new model and writes them in another format, with the same bits. Open .pth files with " +
    "torch.load(FILE, weights_only=True), and .npz files with numpy.load(FILE). An .onnx file also has the network, so " +
    "that other programs can run it. .pth and .npz files have only tensors: the names of the classes are written " +
    "beside them, to FILE.classes.txt; give --model and --normalize again when you use them here.",
  flags: [
    {
      name: "weights",
      kind: "string",
      value: "FILE",
      help: "The weights: .safetensors, .pth or .npz, recognised by content (required)",
    },
    { name: "to", kind: "string", value: "FILE", help: "The file to write (required)" },
    {
      name: "format",
      kind: "choice",
      choices: WRITTEN,
      help: "The format to write (default: by the end of the file name)",
    },
    ...MODEL_FLAGS,
    CLASSES_FLAG,
    ...WRITE_FLAGS,
  ],
  examples: [
    ["wgrad export --weights runs/lenet-1/model.safetensors --to cifar_net.pth", "Write a state dict for PyTorch"],
    ["wgrad export --weights runs/lenet-1/model.safetensors --to lenet.onnx", "Write the network for ONNX Runtime"],
  ],
  async run({ values: { weights, to, format, model, normalize, classes, force, json } }) {
    if (weights === undefined || to === undefined) {
      throw new UsageError("export needs --weights FILE and --to FILE; see wgrad export --help");
    }
    const chosen = format ?? formatOf(to);
    await checkNew(to, force);
    const loaded = await loadWeights(weights, await givenOf({ model, normalize, classes }));
    await writeWeights(loaded, to, chosen, force, new Output({ json }));
    return 0;
  },
});

/** The format for the end of a file name. */
function formatOf(path: string): typeof WRITTEN[number] {
  const extension = extname(path).slice(1), found = WRITTEN.find((format) => format === extension);
  if (found) return found;
  if (extension === "pt") return "pth";
  throw new UsageError(`${path} does not end in .${WRITTEN.join(", .")}: give --format`);
}
