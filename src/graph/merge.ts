/**
 * Small dispatches that do not depend on each other become one: a GPU runs them side by side, and pays for one launch.
 * Looks at what dispatches read and write, never at what they compute.
 *
 * @module
 */
import type { Gpu } from "../backend/webgpu/device.ts";
import { align, type Block, type Storage } from "../backend/webgpu/memory.ts";
import { merge as mergeModules, mergedBindings, type Outline, outlineOf, type Part } from "../wgsl/merge.ts";
import { type Binding, rangesOf, type Shader } from "../backend/webgpu/pipeline.ts";
import { MOST_UNIFORM, type Window } from "../wgsl/uniforms.ts";
import type { Copy } from "./commands.ts";

/** A dispatch that has its places, but no pipeline yet. */
export interface Pending {
  readonly shader: Shader;
  /** What the shader binds, in the order of its bindings. */
  readonly storages: readonly Storage[];
  readonly grid: readonly [number, number, number];
}

/** Whether programs merge: by default where it was measured to gain. For tests, and to find out what is to blame. */
export const mergeSmall: { forced: boolean | null } = { forced: null };

/** The most workgroups of a merged dispatch: so many a GPU runs at once, and a launch costs more than they do. */
export const MOST_WORKGROUPS = 512;
/** The most storage buffers that every device takes in a stage, and the most bytes that a workgroup shares. */
const MOST_STORAGE = 8, MOST_SHARED = 16384;

/**
 * Whether programs on `gpu` merge their dispatches. On a software driver a step gets slower by a seventh, as measured: it
 * runs one kernel at a time, and a load behind the branch costs more than a dispatch.
 */
export function merges(gpu: Gpu): boolean {
  return mergeSmall.forced ?? gpu.profile.merges;
}

/** `commands` with small dispatches moved together and merged, where what others read and write allows it. */
export function merge(commands: readonly (Pending | Copy)[]): (Pending | Copy)[] {
  const stages: Stage[] = [];
  for (const command of commands) {
    const own = new Stage(command), host = own.mergeable ? hostFor(own, stages) : null;
    for (const stage of stages) if (stage.last && stage !== host?.stage && stage.orders(own)) stage.last = false;
    if (!host) stages.push(own);
    else {
      host.stage.add(own);
      if (host.moves) stages.push(...stages.splice(stages.indexOf(host.stage), 1));
    }
  }
  return stages.map((stage) => stage.command);
}

/** The last of `stages` that can run together with `own`: where it is, or moved to the end. */
function hostFor(own: Stage, stages: readonly Stage[]): { stage: Stage; moves: boolean } | null {
  let free = true;
  for (let i = stages.length - 1; i >= 0; i--) {
    const stage = stages[i]!;
    if ((free || stage.last) && stage.takes(own)) return { stage, moves: !free };
    free &&= !stage.orders(own);
  }
  return null;
}

/** A range of a block, and what is done to it. */
interface Use {
  readonly block: Block;
  readonly start: number;
  readonly end: number;
  readonly writes: boolean;
}

/** What runs at one time: a copy, a dispatch, or several. */
class Stage {
  /** Nothing so far must come after this: it can move to the end. */
  last = true;
  readonly #commands: (Pending | Copy)[];
  readonly #uses: Use[];
  readonly #outlines: Outline[] = [];
  #workgroups = Infinity;

  constructor(command: Pending | Copy) {
    this.#commands = [command];
    this.#uses = usesOf(command);
    if (!("shader" in command)) return;
    const count = command.grid.reduce((product, extent) => product * extent), outline = outlineFor(command.shader);
    if (count === 0 || count > MOST_WORKGROUPS || !outline) return;
    this.#workgroups = count;
    this.#outlines.push(outline);
  }

  get mergeable(): boolean {
    return this.#outlines.length > 0;
  }

  /** `later` must come after this. */
  orders(later: Stage): boolean {
    return this.#uses.some((a) => later.#uses.some((b) => (a.writes || b.writes) && overlap(a, b)));
  }

  /** `later` can run as a part of this. */
  takes(later: Stage): boolean {
    if (!this.mergeable || this.#workgroups + later.#workgroups > MOST_WORKGROUPS) return false;
    const uses = (a: Use) =>
      later.#uses.some((b) =>
        // What a dispatch writes in a buffer, it must not read another part of. Several parts of one can be written.
        a.block === b.block && (a.writes !== b.writes || (a.writes && overlap(a, b)))
      );
    if (this.#uses.some(uses)) return false;
    const outlines = [...this.#outlines, ...later.#outlines], lanes = Math.max(...outlines.map((one) => one.lanes));
    // Lanes that a part has not must not keep the others waiting.
    if (outlines.some((one) => one.waits && one.lanes !== lanes)) return false;
    if (outlines.reduce((sum, one) => sum + one.sharedBytes, 0) > MOST_SHARED) return false;
    const { storage, uniform } = mergedBindings(partsOf([...this.#dispatches, ...later.#dispatches], outlines));
    return storage <= MOST_STORAGE && uniform <= MOST_UNIFORM;
  }

  add(later: Stage): void {
    this.#commands.push(...later.#commands);
    this.#uses.push(...later.#uses);
    this.#outlines.push(...later.#outlines);
    this.#workgroups += later.#workgroups;
  }

  get #dispatches(): Pending[] {
    return this.#commands as Pending[];
  }

  get command(): Pending | Copy {
    return this.#commands.length === 1 ? this.#commands[0]! : joined(this.#dispatches, this.#outlines);
  }
}

function usesOf(command: Pending | Copy): Use[] {
  // What lies behind an element up to the next place may be read and written with it.
  const use = ({ block, offset, size }: Storage, writes: boolean) => {
    return { block, start: offset, end: offset + align(size), writes };
  };
  if (!("shader" in command)) return [use(command.from, false), use(command.to, true)];
  return command.storages.map((storage, i) => use(storage, command.shader.bindings[i]!.type === "storage"));
}

function overlap(a: Use, b: Use): boolean {
  return a.block === b.block && a.start < b.end && b.start < a.end;
}

const outlines = new WeakMap<Shader, Outline | null>();

function outlineFor(shader: Shader): Outline | null {
  let outline = outlines.get(shader);
  if (outline === undefined) outlines.set(shader, outline = outlineOf(shader.module));
  return outline;
}

function partsOf(dispatches: readonly Pending[], outlines: readonly Outline[]): Part[] {
  const blocks = new Map<Block, number>();
  return dispatches.map(({ shader, storages, grid }, i) => {
    const bound = new Map(
      rangesOf(shader, storages).map(({ number, block, offset, size }) => {
        if (!blocks.has(block)) blocks.set(block, blocks.size);
        return [number, `${blocks.get(block)} ${offset} ${size}`];
      }),
    );
    return { outline: outlines[i]!, grid, bound };
  });
}

/** One dispatch for all. */
function joined(dispatches: readonly Pending[], outlines: readonly Outline[]): Pending {
  const parts = partsOf(dispatches, outlines), { numbers } = mergedBindings(parts);
  const bindings: Binding[] = [], windows: Window[] = [], storages: Storage[] = [], taken = new Set<number>();
  dispatches.forEach(({ shader, storages: own }, i) => {
    const numberOf = (old: number) => numbers[i]!.get(old)!;
    own.forEach((storage, j) => {
      const { number: old, type } = shader.bindings[j]!, number = numberOf(old);
      if (taken.has(number)) return;
      taken.add(number);
      bindings.push({ number, type });
      storages.push(storage);
      for (const window of shader.windows) {
        if (window.input === old) windows.push({ ...window, input: number, number: numberOf(window.number) });
      }
    });
  });
  const shader = {
    file: dispatches.map((one) => one.shader.file).join("+"),
    module: mergeModules(parts),
    bindings,
    windows,
  };
  return { shader, storages, grid: [dispatches.reduce((sum, { grid }) => sum + grid[0] * grid[1] * grid[2], 0), 1, 1] };
}
