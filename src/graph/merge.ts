/**
 * Small dispatches that do not depend on each other become one: a GPU runs them side by side, and pays for one launch.
 * Looks at what dispatches read and write, never at what they compute.
 *
 * @module
 */
import type { Command, Dispatch } from "../backend/backend.ts";
import { align, type Block, type Storage } from "../backend/memory.ts";
import { type Binding, rangesOf, type Shader } from "../backend/shader.ts";
import { merge as mergeModules, mergedBindings, type Outline, outlineOf, type Part } from "../wgsl/merge.ts";
import { MOST_UNIFORM, type Window } from "../wgsl/uniforms.ts";

/** The most workgroups of a merged dispatch: a GPU runs as many at once, and a launch costs more than they do. */
export const MOST_WORKGROUPS = 512;
/** The most storage buffers that every device accepts in a kernel, and the most bytes of workgroup memory. */
const MOST_STORAGE = 8, MOST_SHARED = 16384;

/** `commands` with small dispatches moved together and merged, where what others read and write allows it. */
export function merge(commands: readonly Command[]): Command[] {
  const stages: Stage[] = [];
  for (const command of commands) {
    const added = new Stage(command), host = added.mergeable ? hostFor(added, stages) : null;
    for (const stage of stages) if (stage.last && stage !== host?.stage && stage.orders(added)) stage.last = false;
    if (!host) stages.push(added);
    else {
      host.stage.add(added);
      if (host.moves) stages.push(...stages.splice(stages.indexOf(host.stage), 1));
    }
  }
  return stages.map((stage) => stage.command);
}

/** The last of `stages` that `added` can join, either where that stage is or after moving it to the end; null if there is none. */
function hostFor(added: Stage, stages: readonly Stage[]): { stage: Stage; moves: boolean } | null {
  let free = true;
  for (let i = stages.length - 1; i >= 0; i--) {
    const stage = stages[i]!;
    if ((free || stage.last) && stage.canAdd(added)) return { stage, moves: !free };
    free &&= !stage.orders(added);
  }
  return null;
}

/** A range of a block that a command reads or writes. */
interface Use {
  readonly block: Block;
  readonly start: number;
  readonly end: number;
  readonly writes: boolean;
}

/** What runs at one time: a copy, a dispatch, or several dispatches. */
class Stage {
  /** No stage so far must run after this one, so that it can move to the end. */
  last = true;
  readonly #commands: Command[];
  readonly #uses: Use[];
  readonly #outlines: Outline[] = [];
  #workgroups = Infinity;

  constructor(command: Command) {
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

  /** Whether `later` must run after this stage. */
  orders(later: Stage): boolean {
    return this.#uses.some((a) => later.#uses.some((b) => (a.writes || b.writes) && overlap(a, b)));
  }

  /** Whether `later` can run as a part of this stage. */
  canAdd(later: Stage): boolean {
    if (!this.mergeable || this.#workgroups + later.#workgroups > MOST_WORKGROUPS) return false;
    const uses = (a: Use) =>
      later.#uses.some((b) =>
        // A dispatch may write several parts of a block, but must not read one part and write another.
        a.block === b.block && (a.writes !== b.writes || (a.writes && overlap(a, b)))
      );
    if (this.#uses.some(uses)) return false;
    const outlines = [...this.#outlines, ...later.#outlines], lanes = Math.max(...outlines.map(({ lanes }) => lanes));
    // A barrier waits for all lanes, so parts with barriers must all have the same number.
    if (outlines.some((outline) => outline.waits && outline.lanes !== lanes)) return false;
    if (outlines.reduce((sum, { sharedBytes }) => sum + sharedBytes, 0) > MOST_SHARED) return false;
    const { storage, uniform } = mergedBindings(partsOf([...this.#dispatches, ...later.#dispatches], outlines));
    return storage <= MOST_STORAGE && uniform <= MOST_UNIFORM;
  }

  add(later: Stage): void {
    this.#commands.push(...later.#commands);
    this.#uses.push(...later.#uses);
    this.#outlines.push(...later.#outlines);
    this.#workgroups += later.#workgroups;
  }

  get #dispatches(): Dispatch[] {
    return this.#commands as Dispatch[];
  }

  get command(): Command {
    return this.#commands.length === 1 ? this.#commands[0]! : joined(this.#dispatches, this.#outlines);
  }
}

function usesOf(command: Command): Use[] {
  // The gap up to the next aligned offset may be read and written too.
  const use = ({ block, offset, size }: Storage, writes: boolean) => {
    return { block, start: offset, end: offset + align(size), writes };
  };
  if (!("shader" in command)) return [use(command.from, false), use(command.to, true)];
  return command.storages.map((storage, i) => use(storage, command.shader.bindings[i]!.access === "write"));
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

function partsOf(dispatches: readonly Dispatch[], outlines: readonly Outline[]): Part[] {
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
function joined(dispatches: readonly Dispatch[], outlines: readonly Outline[]): Dispatch {
  const parts = partsOf(dispatches, outlines), { numbers } = mergedBindings(parts);
  const bindings: Binding[] = [], windows: Window[] = [], storages: Storage[] = [], taken = new Set<number>();
  dispatches.forEach(({ shader, storages: bound }, i) => {
    const numberOf = (old: number) => numbers[i]!.get(old)!;
    bound.forEach((storage, j) => {
      const { number: old, access } = shader.bindings[j]!, number = numberOf(old);
      if (taken.has(number)) return;
      taken.add(number);
      bindings.push({ number, access });
      storages.push(storage);
      for (const window of shader.windows) {
        if (window.input === old) windows.push({ ...window, input: number, number: numberOf(window.number) });
      }
    });
  });
  const shader = {
    file: dispatches.map(({ shader: { file } }) => file).join("+"),
    module: mergeModules(parts),
    bindings,
    windows,
  };
  return { shader, storages, grid: [dispatches.reduce((sum, { grid }) => sum + grid[0] * grid[1] * grid[2], 0), 1, 1] };
}
