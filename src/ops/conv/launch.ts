/**
 * The dispatches of a convolution, which the gradient of its input shares: tiles, constants, launch.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import type { Dispatch, Node, Target, Value } from "../../graph/node.ts";
import type { Constants } from "../../wgsl/specialize.ts";
import type { Pair } from "../options.ts";
import { linearGrid } from "../shape/shape.ts";
import { batchChunks, batchSlices, splitDispatch } from "../split_batch.ts";
import { divisors, loadCost, MAX_ACROSS, MAX_DOWN, selectTile, sizes, type Tile } from "../tiling.ts";
import { pairs } from "./geometry.ts";
import { sharedConv, sharedConvTiles } from "./shared.ts";

const kernel = shader("conv/conv2d.wgsl");

/** What `conv/conv2d.wgsl` reads, and by which steps. */
export interface Walk {
  /** The shape [N, C, H, W] of the input; of a pooled gradient, that with its zeros. */
  readonly from: readonly number[];
  readonly kernel: Pair;
  readonly groups: number;
  readonly step: Pair;
  /** The distance of the input's elements, with zeros between them. */
  readonly spread: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  /** The windows of a pooled gradient; 1 x 1 otherwise. */
  readonly window: Pair;
}

interface ConvTile extends Tile {
  /** The outputs of an invocation: in a row, rows, and channels. */
  readonly across: number;
  readonly down: number;
  readonly deep: number;
  /** An invocation loads all rows of the kernel's field at once. */
  readonly whole: boolean;
}

/** A convolution from the inputs of `node` to `y`, as the functions of this file see it. */
interface Job {
  readonly node: Node;
  readonly y: Value;
  readonly walk: Walk;
  readonly pooled: boolean;
  readonly weight: Value;
  /** Whether each input has the batch's dimension: all but the weight and the bias. */
  readonly batched: readonly boolean[];
  /** The dispatches into which the batch is split. */
  readonly count: number;
  /** The multiply-adds of an output. */
  readonly terms: number;
}

/**
 * The dispatches that compute `y` from the inputs of `node`.
 *
 * @param constants how the weight is stored, and what is done with a result before it is written.
 */
export function convDispatches(node: Node, y: Value, walk: Walk, constants: Constants, target: Target): Dispatch[] {
  const job = jobOf(node, y, walk, target), { groups } = walk;
  const shared = () => job.pooled ? [] : sharedConvTiles(y, groups, job.terms, target);
  const tile = selectTile(node, () => [...registerTiles(job, target), ...shared()], target);
  const common = { ...commonConstants(job), ...constants };
  if ("side" in tile) return [sharedConv([...node.inputs, y], { N: walk.from[0]!, ...common }, tile)];
  return launch(job, common, tile, target);
}

function jobOf(node: Node, y: Value, walk: Walk, target: Target): Job {
  const { from: [batch, channels], kernel: [kh, kw], groups, window: [ph, pw] } = walk, pooled = ph * pw > 1;
  const weight = pooled ? 2 : 1, batched = node.inputs.map(({ shape }, i) => i !== weight && shape.length === 4);
  const count = batchChunks(batch!, node.inputs.filter((_, i) => batched[i]), [y], target);
  return { node, y, walk, pooled, weight: node.inputs[weight]!, batched, count, terms: channels! / groups * kh * kw };
}

/** The tiles whose invocations keep everything in registers. */
function registerTiles({ node, y, walk, pooled, weight, count, terms }: Job, target: Target): ConvTile[] {
  const { from: [batch, channels], kernel: [kh, kw], groups, step, dilation, window: [ph, pw] } = walk;
  const [, outputs, oh, ow] = y.shape as [number, number, number, number], per = outputs / groups;
  const cost = { x: loadCost(node.inputs[0]!, target, count), w: loadCost(weight, target) };
  // A tile of a pooled input begins with a window.
  const rows = divisors(oh, MAX_DOWN).filter((down) => down % ph === 0);
  const columns = pooled ? divisors(ow, MAX_ACROSS).filter((across) => across % pw === 0) : sizes(ow, MAX_ACROSS);
  const tile = (across: number, down: number, deep: number, whole: boolean): ConvTile => {
    const band = (down - 1) * step[0] + ((whole ? kh : 1) - 1) * dilation[0] + 1;
    const field = band * ((across - 1) * step[1] + (kw - 1) * dilation[1] + 1) * (whole ? 1 : kh);
    return {
      name: `registers ${across}x${down}x${deep}${whole ? " whole" : ""}`,
      across,
      down,
      deep,
      whole,
      dispatches: count,
      invocations: batch! * oh / down * Math.ceil(ow / across) * groups * Math.ceil(per / deep),
      // A window is two loads: its value and its index.
      loads: channels! / groups * (field * cost.x / (pooled ? ph * pw / 2 : 1) + deep * kh * kw * cost.w) +
        across * down * deep / 8,
      multiplyAdds: terms * across * down * deep,
      registers: across * down * deep,
      body: (whole ? kh : 1) * kw * across * down * deep,
    };
  };
  return columns.flatMap((across) =>
    rows.flatMap((down) =>
      sizes(per, 16).flatMap((deep) =>
        (pooled ? [true] : [true, false]).map((whole) => tile(across, down, deep, whole))
      )
    )
  );
}

/** The constants of both kernels, but for the size of the batch. */
function commonConstants({ y, walk }: Job): Constants {
  const { from, kernel: [kh, kw], groups, step, spread, padding, dilation } = walk;
  const [, channels, h, width] = from as [number, number, number, number];
  const [, outputs, oh, ow] = y.shape as [number, number, number, number];
  return {
    C: channels / groups,
    H: h,
    W: width,
    O: outputs / groups,
    OH: oh,
    OW: ow,
    KH: kh,
    KW: kw,
    GROUPS: groups,
    ...pairs({ STEP: step, SPREAD: spread, PAD: padding, DIL: dilation }),
  };
}

/** The dispatches of the kernel that keeps everything in registers. */
function launch({ node, y, walk, pooled, batched, count }: Job, common: Constants, tile: ConvTile, target: Target) {
  const { from: [batch, , , width], spread, padding, window: [ph, pw] } = walk;
  const { across, down, deep, whole, invocations } = tile, lanes = target.profile.workgroup;
  // Where a tile is a whole row, the columns at which it reads padding are known.
  const columns = across === y.shape[3] && spread[1] === 1;
  const dispatch = {
    kernel,
    constants: {
      ...common,
      LANES: lanes,
      N: batch! / count,
      PLAIN: !pooled,
      POOLED: pooled,
      POOL_H: ph,
      POOL_W: pw,
      ACROSS: across,
      DOWN: down,
      DEEP: deep,
      WHOLE: whole,
      ...(columns ? { FIRST: Math.max(0, padding[1]), END: Math.max(0, width! + padding[1]) } : {}),
    },
    bindings: [...node.inputs, y],
    grid: linearGrid(invocations / count, lanes),
  };
  const chunk = batchSlices(count);
  return splitDispatch(dispatch, count, [...batched.map((has) => has ? chunk : null), chunk], target);
}
