/**
 * Compares wgrad with other libraries on the same work and the same machine. Each round runs all of them in turn; the result is
 * the ratio of the medians, because absolute times drift.
 *
 *     deno run -A bench/peers.ts [--rounds 5] [--reference ../shared/reference] [--only TEXT]
 *
 * It needs the scripts of the other libraries in the reference folder. PyTorch's script needs /usr/bin/python3 with torch; the
 * other scripts install their packages into a temporary folder. The table marks what does not run here.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

interface Comparison {
  readonly name: string;
  /** The commands, ours first; each prints a JSON line with one of `msPerStep` and `ms`. */
  readonly ours: readonly string[];
  readonly peers: readonly { readonly name: string; readonly command: readonly string[]; readonly folder?: string }[];
}

const root = resolve(fileURLToPath(import.meta.url), "../..");
const { rounds, reference, only } = parseArgs(Deno.args, {
  string: ["rounds", "reference", "only"],
  default: { rounds: "5", reference: resolve(root, "../shared/reference"), only: "" },
});
const deno = Deno.execPath(), folder = await Deno.makeTempDir({ prefix: "wgrad-peers-" });
await Deno.mkdir(`${folder}/jax`);
await Deno.mkdir(`${folder}/tfjs`);
await Deno.copyFile(`${reference}/bench_jaxjs.ts`, `${folder}/jax/bench_jaxjs.ts`);
await Deno.copyFile(`${reference}/bench_tfjs.cjs`, `${folder}/tfjs/bench_tfjs.cjs`);
await Deno.copyFile(`${root}/bench/peer_tfjs_kernels.cjs`, `${folder}/tfjs/kernels.cjs`);

const step = (batch: number, steps: number): Comparison => ({
  name: `LeNet step, batch ${batch}`,
  ours: ["task", "-q", "wgrad", "bench", "step", "--batch-size", `${batch}`, "--json"],
  peers: [
    ...[1, 2].map((threads) => ({
      name: `PyTorch, ${threads} thread${threads > 1 ? "s" : ""}`,
      command: ["/usr/bin/python3", `${reference}/bench_torch.py`, `--batch-size=${batch}`, `--threads=${threads}`]
        .concat(`--steps=${steps}`),
    })),
    {
      name: "jax-js",
      command: [deno, "run", "-A", "bench_jaxjs.ts", `--batch-size=${batch}`, `--steps=${batch > 32 ? 3 : 20}`],
      folder: "jax",
    },
    {
      name: "TensorFlow.js",
      command: [deno, "run", "-A", "bench_tfjs.cjs", "webgpu", `${batch}`, batch > 32 ? "3" : "20"],
      folder: "tfjs",
    },
  ],
});
const kernel = (name: string, id: string, jax?: number): Comparison => ({
  name,
  ours: ["run", "-A", "bench/kernel.ts", id],
  peers: [
    ...(jax
      ? [{
        name: "jax-js",
        command: [deno, "run", "-A", "bench_jaxjs.ts", `--matmul=${jax}`, "--steps=3"],
        folder: "jax",
      }]
      : []),
    { name: "TensorFlow.js", command: [deno, "run", "-A", "kernels.cjs", id], folder: "tfjs" },
  ],
});
const comparisons = [
  step(4, 1000),
  step(128, 60),
  ...[256, 512, 1024].map((n) => kernel(`matmul ${n}³`, `matmul-${n}`, n)),
  ...[[64, 32], [256, 8]].flatMap(([channels, side]) =>
    ["forward", "input gradient", "weight gradient"].map((part) =>
      kernel(
        `conv 3x3 ${channels}→${channels} on ${side}x${side}, batch 32: ${part}`,
        `conv-${part.split(" ")[0]}-${channels}-${side}`,
      )
    )
  ),
].filter(({ name }) => name.includes(only));

async function run(command: readonly string[], cwd: string): Promise<number | null> {
  const { stdout, success } = await new Deno.Command(command[0]!, {
    args: command.slice(1),
    cwd,
    env: { XDG_RUNTIME_DIR: folder },
    stderr: "null",
  }).output().catch(() => ({ stdout: new Uint8Array(), success: false }));
  const last = new TextDecoder().decode(stdout).trim().split("\n").findLast((line) => line.startsWith("{"));
  if (!success || !last) return null;
  const { msPerStep, ms } = JSON.parse(last) as { msPerStep?: number; ms?: number };
  return msPerStep ?? ms ?? null;
}

const median = (times: readonly number[]) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]!;

try {
  const npm = new Deno.Command("npm", {
    args: ["install", "--no-fund", "--no-audit", "--ignore-scripts"].concat(
      ["@tensorflow/tfjs@4.22.0", "@tensorflow/tfjs-backend-webgpu@4.22.0"],
    ),
    cwd: `${folder}/tfjs`,
    stdout: "null",
    stderr: "null",
  });
  await npm.output();
  console.log("| work | wgrad, ms | peer | its ms | times as fast |\n| --- | --- | --- | --- | --- |");
  for (const { name, ours, peers } of comparisons) {
    const ourTimes: number[] = [], theirTimes = peers.map((): number[] => []);
    for (let round = 0; round < Number(rounds); round++) {
      const ourTime = await run([deno, ...ours], root);
      if (ourTime !== null) ourTimes.push(ourTime);
      for (const [i, peer] of peers.entries()) {
        const time = await run(peer.command, peer.folder ? `${folder}/${peer.folder}` : root);
        if (time !== null) theirTimes[i]!.push(time);
      }
    }
    peers.forEach((peer, i) => {
      const us = ourTimes.length > 0 ? median(ourTimes) : NaN;
      const them = theirTimes[i]!.length > 0 ? median(theirTimes[i]!) : NaN;
      const ratio = Number.isNaN(them) ? "does not run here" : (them / us).toFixed(2);
      console.log(`| ${name} | ${us.toPrecision(3)} | ${peer.name} | ${them.toPrecision(3)} | ${ratio} |`);
    });
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
