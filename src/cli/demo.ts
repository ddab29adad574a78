/**
 * `wgrad demo`: a first look at what wgrad does, in seconds and without a download.
 *
 * @module
 */
import { join, resolve } from "node:path";
import { SETTINGS } from "../config/settings.ts";
import { drawSynthetic, SYNTHETIC_CLASSES } from "../data/synthetic.ts";
import { writeAtomically } from "../files/write.ts";
import { enlarge } from "../image/grid.ts";
import { encodeRgbPng } from "../image/rgb_png.ts";
import { type Command, defineCommand, parse } from "./flags.ts";
import { command as predict } from "./predict.ts";
import { command as train } from "./train.ts";

type Shared = Extract<typeof SETTINGS[number], { name: "out" | "adapter" | "backend" }>;
const SHARED = SETTINGS.filter(({ name }) => ["out", "adapter", "backend"].includes(name)) as Shared[];

/** Settings that reach about 99 % in 6 s of training on two cores without a GPU. */
const TRAINING =
  "--data synthetic --epochs 1 --batch-size 32 --optimizer adam --lr 0.003 --schedule one-cycle --log-every 50 --tune off"
    .split(" ");

/** The pictures are drawn in 32 x 32 pixels, and enlarged to be seen. */
const SCALE = 8;

/** `wgrad demo`. */
export const command = defineCommand({
  name: "demo",
  summary: "Train in seconds on drawn images, and predict some: a first look",
  description:
    "Trains LeNet on images that wgrad draws itself, ten kinds of shapes and textures, for less than 20 seconds, also " +
    "without a GPU. Meanwhile it serves the live page of the run. Then it draws a new picture of each kind and predicts " +
    "what it shows. It prints the commands that it runs. It needs no download.",
  flags: [
    { name: "open", kind: "boolean", help: "Open the live page in the browser" },
    ...SHARED,
  ],
  examples: [
    ["wgrad demo", "Train and predict, and print the address of the live page"],
    ["wgrad demo --open", "Open the live page in the browser too"],
  ],
  async run({ values: { open, out, adapter, backend } }) {
    const name = await freeName(out), folder = join(out, name);
    const device = [...(adapter ? ["--adapter", adapter] : []), ...(backend ? ["--backend", backend] : [])];
    const page = ["--dashboard", ...(open ? ["--open"] : [])];
    const code = await runCommand(train, [...TRAINING, "--out", out, "--name", name, ...page, ...device]);
    if (code !== 0) return code;
    const pictures = join(folder, "pictures");
    await Deno.mkdir(pictures, { recursive: true });
    for (const kind of SYNTHETIC_CLASSES) {
      await writeAtomically(join(pictures, `${kind}.png`), encodeRgbPng(enlarge(drawSynthetic(kind), SCALE)));
    }
    const weights = join(folder, "model.safetensors");
    const predicted = await runCommand(predict, ["--weights", weights, "--topk", "1", pictures, ...device]);
    console.log(`\nThe pictures are in ${resolve(pictures)}, and the report is ${resolve(folder, "report.html")}`);
    console.log("Next, photos: `wgrad train` downloads CIFAR-10 and trains on it.");
    return predicted;
  },
});

/** Prints and runs a command line of wgrad. @returns its exit code. */
async function runCommand(command: Command, args: readonly string[]): Promise<number> {
  console.log(`\n$ wgrad ${command.name} ${args.join(" ")}`);
  return await command.run(parse(command, args));
}

/** The first name of `demo-1`, `demo-2` … that no run has. */
async function freeName(out: string): Promise<string> {
  for (let n = 1;; n++) {
    const name = `demo-${n}`;
    if (!await Deno.lstat(join(out, name)).then(() => true, () => false)) return name;
  }
}
