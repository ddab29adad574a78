/**
 * Several variants as one kernel, which selects the part to run by the number of the workgroup. Every part keeps what it
 * computes; its names at module scope get a prefix, and buffers that several parts read are declared once.
 *
 * @module
 */
import {
  type Buffer,
  buffersOf,
  type Call,
  type Declaration,
  type Expression,
  type FunctionDeclaration,
  isBuffer,
  type Module,
  type Statement,
  type Value,
  type Variable,
} from "./ast.ts";
import * as build from "./build.ts";
import { BUILTIN_VALUES, isBarrier } from "./builtins.ts";
import { Rewriter } from "./rewrite.ts";
import type { Position } from "./source.ts";
import { layoutOf, type Type, U32, vectorOf, VOID } from "./types.ts";

/** What merging must know of a variant. */
export interface Outline {
  readonly module: Module;
  readonly entry: FunctionDeclaration;
  readonly buffers: readonly Buffer[];
  /** Invocations of a workgroup. */
  readonly lanes: number;
  /** All of them must be there, since they wait for each other. */
  readonly waits: boolean;
  /** Memory that a workgroup shares. */
  readonly sharedBytes: number;
}

/** A kernel to be merged. */
export interface Part {
  readonly outline: Outline;
  readonly grid: readonly [number, number, number];
  /** What is bound, by the number of the binding: inputs of one name are the same bytes of the same buffer. */
  readonly bound: ReadonlyMap<number, string>;
}

/** Where the buffers of all parts are bound. */
export interface MergedBindings {
  /** For each part: the new numbers, by the old ones. */
  readonly numbers: readonly ReadonlyMap<number, number>[];
  /** The number of buffers that are bound as storage, and as uniforms. */
  readonly storage: number;
  readonly uniform: number;
}

const VEC3U = vectorOf(3, U32);

/** What stands for the built-in values of a part in the merged kernel. */
interface Place {
  readonly at: Position;
  readonly group: Expression;
  readonly groups: Expression;
  readonly lane: Expression;
  readonly lanes: number;
}

const literal = (at: Position, value: number) => build.literal(at, U32, value);
const vector = (at: Position, ...values: readonly Expression[]) => build.construct(at, VEC3U, values);
const inLine = ({ at, lane }: Place) => vector(at, lane, literal(at, 0), literal(at, 0));

const BUILTINS: Readonly<Record<string, (place: Place) => Expression>> = {
  "workgroup_id": ({ group }) => group,
  "num_workgroups": ({ groups }) => groups,
  "local_invocation_index": ({ lane }) => lane,
  "local_invocation_id": inLine,
  "global_invocation_id": (place) => {
    const { at, group, lanes } = place, extent = vector(at, literal(at, lanes), literal(at, 1), literal(at, 1));
    return build.binary(at, "+", build.binary(at, "*", group, extent), inLine(place));
  },
};

/** What merging must know of `module`. Null where it has something that a merged kernel cannot have. */
export function outlineOf(module: Module): Outline | null {
  const entries = module.declarations.filter((one) => one.kind === "function" && one.workgroup), [entry] = entries;
  if (entry?.kind !== "function" || entries.length > 1) return null;
  const [lanes, ...others] = entry.workgroup!, { parameters } = entry;
  if (others.some((extent) => extent > 1)) return null;
  if (!parameters.every(({ builtin }) => builtin !== null && Object.hasOwn(BUILTINS, builtin))) return null;
  let sharedBytes = 0;
  for (const one of module.declarations) {
    if (one.kind === "variable" && one.space === "workgroup") sharedBytes += layoutOf(one.type)?.size ?? Infinity;
  }
  return { module, entry, lanes, sharedBytes, buffers: buffersOf(module), waits: waits(module) };
}

/** Finds calls of barriers, which are statements. */
class BarrierFinder extends Rewriter {
  found = false;

  override expression(old: Expression): Expression {
    this.found ||= old.kind === "builtin" && isBarrier(old.name);
    return old;
  }
}

function waits(module: Module): boolean {
  const finder = new BarrierFinder();
  for (const one of module.declarations) if (one.kind === "function") finder.function(one);
  return finder.found;
}

/** Numbers the buffers of all parts anew. What several parts read in the same way is bound once. */
export function mergedBindings(parts: readonly Part[]): MergedBindings {
  const owners = ownersOf(parts), numbers = parts.map(() => new Map<number, number>());
  let count = 0, storage = 0;
  parts.forEach(({ outline }, i) => {
    for (const { binding, space } of outline.buffers) {
      const owner = owners[i]!.get(binding)!;
      if (isOwn(owner, i, binding)) {
        numbers[i]!.set(binding, count++);
        if (space === "storage") storage++;
      } else numbers[i]!.set(binding, numbers[owner.part]!.get(owner.binding)!);
    }
  });
  return { numbers, storage, uniform: count - storage };
}

/** The buffer that is declared for several: its part, and its number there. */
interface Owner {
  readonly part: number;
  readonly binding: number;
}

function isOwn(owner: Owner, part: number, binding: number): boolean {
  return owner.part === part && owner.binding === binding;
}

/** For each part, by the number of a buffer: whose declaration serves it. */
function ownersOf(parts: readonly Part[]): ReadonlyMap<number, Owner>[] {
  const first = new Map<string, Map<Type, Owner>>();
  return parts.map(({ outline, bound }, part) =>
    new Map(outline.buffers.map(({ binding, space, writes, type }): [number, Owner] => {
      const name = bound.get(binding), own = { part, binding };
      if (name === undefined || writes) return [binding, own];
      const key = `${name} ${space}`,
        byType = first.get(key) ?? new Map<Type, Owner>(),
        owner = byType.get(type) ?? own;
      first.set(key, byType.set(type, owner));
      return [binding, owner];
    }))
  );
}

/** The one kernel of all parts, for as many workgroups along x as all of them have together. */
export function merge(parts: readonly Part[]): Module {
  const owners = ownersOf(parts),
    { numbers } = mergedBindings(parts),
    modules = parts.map(({ outline }) => outline.module);
  let prefix = "p";
  while (modules.some(({ names }) => [...names].some((name) => new RegExp(`^${prefix}\\d+_`).test(name)))) {
    prefix += "p";
  }
  const declarations = new Set<Declaration>(), buffers = parts.map(() => new Map<number, Variable>());
  const entries = parts.map(({ outline: { module, entry } }, i) => {
    const pass = new Rewriter();
    let own = entry;
    for (const old of module.declarations) {
      const owner = isBuffer(old) ? owners[i]!.get(old.binding)! : null, name = `${prefix}${i}_${old.name}`;
      const shared = owner && buffers[owner.part]!.get(owner.binding);
      const made = shared ?? renamed(pass, old, name, numbers[i]!);
      declarations.add(made);
      pass.replace(old, made);
      if (isBuffer(old) && made.kind === "variable") buffers[i]!.set(old.binding, made);
      if (old === entry && made.kind === "function") own = made;
    }
    return own;
  });
  declarations.add(entryOf(parts, entries));
  const names = new Set([...declarations].map(({ name }) => name));
  for (const module of modules) for (const name of module.names) names.add(name);
  return { file: modules.map(({ file }) => file).join("+"), declarations: [...declarations], names };
}

/** A part's declaration in the merged kernel. The printer sees to it that structs differ in their names. */
function renamed(pass: Rewriter, old: Declaration, name: string, numbers: ReadonlyMap<number, number>): Declaration {
  switch (old.kind) {
    case "struct":
      return old;
    case "variable": {
      const { binding, initial } = old;
      return {
        ...old,
        name,
        binding: binding === null ? null : numbers.get(binding)!,
        initial: pass.optional(initial),
      };
    }
    case "constant":
      return { ...old, name, value: pass.expression(old.value) };
    case "function": {
      // Those of an entry point become plain ones.
      const parameters = old.parameters.map((one) => ({ ...one, builtin: null }));
      old.parameters.forEach((one, i) => pass.replace(one, parameters[i]!));
      return { ...pass.function(old), name, parameters, workgroup: null };
    }
  }
}

/** The entry point, which calls the part that a workgroup belongs to. */
function entryOf(parts: readonly Part[], entries: readonly FunctionDeclaration[]): FunctionDeclaration {
  const { at } = entries[0]!, lanes = Math.max(...parts.map(({ outline }) => outline.lanes));
  const parameter = (name: string, builtin: string): Value => (
    { kind: "value", at, name, type: BUILTIN_VALUES[builtin]!, builtin }
  );
  const group = parameter("group", "workgroup_id"), lane = parameter("lane", "local_invocation_index");
  const x = build.member(at, build.name(at, group), "x");
  // From the last part, without a condition, to the first.
  let start = parts.reduce((sum, { grid }) => sum + countOf(grid), 0), body: readonly Statement[] = [];
  for (let i = parts.length - 1; i >= 0; i--) {
    const { outline, grid } = parts[i]!, end = start;
    start -= countOf(grid);
    const index = start === 0 ? x : build.binary(at, "-", x, literal(at, start));
    const called: Statement = {
      kind: "call",
      at,
      call: callOf(at, outline, entries[i]!, grid, index, build.name(at, lane)),
    };
    const isLane = build.binary(at, "<", build.name(at, lane), literal(at, outline.lanes));
    const then: Statement[] = outline.lanes < lanes
      ? [{ kind: "if", at, condition: isLane, then: [called], otherwise: null }]
      : [called];
    const condition = build.binary(at, "<", x, literal(at, end));
    body = i === parts.length - 1 ? then : [{ kind: "if", at, condition, then, otherwise: body }];
  }
  return {
    kind: "function",
    at,
    name: "main",
    parameters: [group, lane],
    returns: null,
    workgroup: [lanes, 1, 1],
    body,
  };
}

function countOf([x, y, z]: Part["grid"]): number {
  return x * y * z;
}

/** The call of a part, for its workgroup of this index. */
function callOf(
  at: Position,
  { lanes, entry: { parameters } }: Outline,
  target: FunctionDeclaration,
  [x, y, z]: Part["grid"],
  index: Expression,
  lane: Expression,
): Call {
  const along = (before: number, extent: number) => {
    const divided = before === 1 ? index : build.binary(at, "/", index, literal(at, before));
    return build.binary(at, "%", divided, literal(at, extent));
  };
  const last = x * y === 1 ? index : build.binary(at, "/", index, literal(at, x * y));
  const group = y * z === 1
    ? vector(at, index, literal(at, 0), literal(at, 0))
    : vector(at, along(1, x), along(x, y), last);
  const groups = vector(at, literal(at, x), literal(at, y), literal(at, z));
  const values = parameters.map(({ builtin }) => BUILTINS[builtin!]!({ at, group, groups, lane, lanes }));
  return build.call(at, target, values, VOID);
}
