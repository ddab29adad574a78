/**
 * Programs from outside that some tests compare with: PyTorch, ONNX's checker, a browser and others. Where one is
 * missing, the tests that need it are skipped and counted. In CI (the environment variable CI is set) they fail
 * instead, because nobody would notice there that they were skipped; `.ci/tools` installs all of them.
 *
 * A test file that uses this module is started last by `tests/run.ts`, because CI installs the programs meanwhile.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { execute } from "../project/support.ts";

/** Debian's Python, whose packages are for it alone. It need not be the first in the path. */
export const PYTHON = "/usr/bin/python3";
/** The Python environment that `.ci/tools` makes, with packages that Debian does not have. */
export const VENV_PYTHON: string = fileURLToPath(new URL("../../.tools/python/bin/python", import.meta.url));

/** Where distributions put Chromium. */
const BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
/** ImageMagick's names. `convert` may be another program. */
const IMAGEMAGICK = ["magick", "convert", "convert-im6.q16"];

async function succeeds(program: string, ...args: string[]): Promise<boolean> {
  return await execute(program, args).then(({ code }) => code === 0, () => false);
}

/** The first of these programs that prints a version with this name in it. */
async function firstOf(programs: readonly string[], name: string): Promise<string | undefined> {
  for (const program of programs) {
    const stdout = await execute(program, ["--version"]).then(({ stdout }) => stdout, () => "");
    if (stdout.includes(name)) return program;
  }
  return undefined;
}

interface Tool {
  /** What it is called, and where it comes from. */
  readonly label: string;
  /** What the tests need it for. */
  readonly reason: string;
  /** The program to run, or undefined where it is missing or does not work. */
  find(): Promise<string | undefined>;
}

const importable = (python: string, module: string) => async () =>
  await succeeds(python, "-c", `import ${module}`) ? python : undefined;
const runnable = (program: string) => async () => await succeeds(program, "--version") ? program : undefined;
const shell = (name: string): Tool => ({
  label: name,
  reason: "it runs the script that completes command lines",
  find: runnable(name),
});

const TOOLS = {
  torch: {
    label: "python3-torch",
    reason: "PyTorch reads and writes weights, and computes what a network gives",
    find: importable(PYTHON, "torch"),
  },
  numpy: { label: "python3-numpy", reason: "NumPy reads and writes .npz files", find: importable(PYTHON, "numpy") },
  onnx: {
    label: "onnx in .tools/python",
    reason: "ONNX's own checker reads exported models",
    find: importable(VENV_PYTHON, "onnx"),
  },
  tensorboard: {
    label: "tensorboard in .tools/python",
    reason: "TensorBoard reads the event files of a run",
    find: importable(VENV_PYTHON, "tensorboard"),
  },
  imagemagick: {
    label: "imagemagick",
    reason: "ImageMagick writes and reads image files",
    find: () => firstOf(IMAGEMAGICK, "ImageMagick"),
  },
  chromium: {
    label: "chromium",
    reason: "it shows the report and the live page",
    find: () => firstOf(BROWSERS, "Chrom"),
  },
  bash: shell("bash"),
  zsh: shell("zsh"),
  fish: shell("fish"),
} satisfies Record<string, Tool>;

/** A program that tests can ask for. */
export type ToolName = keyof typeof TOOLS;

const found = new Map<ToolName, Promise<string | undefined>>();

/** The path of a program from outside, or undefined where it is missing. */
export function findTool(name: ToolName): Promise<string | undefined> {
  if (!found.has(name)) found.set(name, TOOLS[name].find());
  return found.get(name)!;
}

/** The error of a test in CI whose program is missing, with what `.ci/tools` wrote about its installation. */
function missing(name: ToolName): Error {
  const { label, reason } = TOOLS[name], file = Deno.env.get("WGRAD_TOOLS_READY");
  let log = "";
  try {
    if (file) log = Deno.readTextFileSync(file).trim();
  } catch {
    log = "the installation had not ended when the tests began";
  }
  return new Error(
    `${label} is missing or does not start. In CI this is a failure, not a skip: ${reason}.` +
      (log === "" ? " See .ci/tools, which installs it." : `\n${log}`),
  );
}

/**
 * Defines a test that needs a program from outside.
 *
 * @param name the program.
 * @param test the test's name.
 * @param fn the test. It gets the program's path, and the context of Deno's test.
 */
export async function testWith(
  name: ToolName,
  test: string,
  fn: (program: string, context: Deno.TestContext) => void | Promise<void>,
): Promise<void> {
  const program = await findTool(name), { label } = TOOLS[name];
  if (program !== undefined) {
    Deno.test(test, (context) => fn(program, context));
  } else if (Deno.env.get("CI")) {
    Deno.test(`${test} (needs ${label})`, () => {
      throw missing(name);
    });
  } else {
    Deno.test.ignore(`${test} (needs ${label})`, () => {});
  }
}
