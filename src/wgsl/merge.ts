/**
 * Several specialised kernels as the text of one, which picks the part to run by the number of the workgroup. Every part
 * keeps its text; its names at module scope get a prefix, and buffers that several parts read are declared once.
 *
 * @module
 */
import { constantsOf, evaluate } from "./specialize.ts";

/** What a kernel's text declares: all that merging must know of it. */
export interface Outline {
  /** The text without its comments, bindings and entry point, and the entry point as a plain function. */
  readonly body: string;
  readonly entry: string;
  /** Every name at module scope. */
  readonly names: ReadonlySet<string>;
  readonly buffers: readonly Buffer[];
  /** What the entry point takes, in order: names of built-in values. */
  readonly builtins: readonly string[];
  /** Invocations of a workgroup. */
  readonly lanes: number;
  /** All of them must be there, since they wait for each other. */
  readonly waits: boolean;
  /** Memory that a workgroup shares. */
  readonly sharedBytes: number;
}

interface Buffer {
  readonly number: number;
  /** "storage, read" and the like. */
  readonly access: string;
  readonly name: string;
  readonly type: string;
  /** The type with aliases resolved; null where it names something else of the module. */
  readonly plain: string | null;
}

/** A kernel to be merged. */
export interface Part {
  readonly outline: Outline;
  readonly grid: readonly [number, number, number];
  /** What is bound, by the number of the binding: inputs of one name are the same bytes of the same buffer. */
  readonly bound: ReadonlyMap<number, string>;
}

/** Where the buffers of all parts are bound. */
export interface Bindings {
  /** For each part: the new numbers, by the old ones. */
  readonly numbers: readonly ReadonlyMap<number, number>[];
  /** How many buffers are bound as storage, and as uniforms. */
  readonly storage: number;
  readonly uniform: number;
}

/** Comments, names, numbers, spaces, and single characters of all else. */
const TOKEN = /\/\/[^\n]*|\/\*[^]*?\*\/|[A-Za-z_]\w*|\d[\w.]*|\s+|[^]/g;
const NAME = /^[A-Za-z_]/;
const BUFFER = /@group\(0\)\s*@binding\((\d+)\)\s*var<([\w, ]+)>\s*(\w+)\s*:\s*([^;]+);/g;
const ENTRY = /@compute\s+@workgroup_size\(((?:[^()]|\([^()]*\))*)\)\s*fn\s+(\w+)\s*\(((?:[^()]|\([^()]*\))*)\)/;

/** What stands for the built-in values of a part, given its place, in the merged kernel. */
const BUILTINS: Readonly<Record<string, (group: string, groups: string, lanes: number) => string>> = {
  "workgroup_id": (group) => group,
  "num_workgroups": (_, groups) => groups,
  "local_invocation_index": () => "lane",
  "local_invocation_id": () => "vec3u(lane, 0u, 0u)",
  "global_invocation_id": (group, _, lanes) => `${group} * vec3u(${lanes}u, 1u, 1u) + vec3u(lane, 0u, 0u)`,
};

/** Reads a kernel's text. Null where it has something that a merged kernel cannot have. */
export function outlineOf(code: string): Outline | null {
  const text = tokens(code).join(""), scope = constantsOf(text), names = namesOf(text), found = ENTRY.exec(text);
  const [head, size, entry, parameters] = found ?? [];
  const lanes = size === undefined ? null : evaluate(size.replace(/,\s*$/, ""), scope);
  if (!found || !lanes || !names || text.lastIndexOf("@compute") !== found.index) return null;
  const builtins = Array.from(parameters!.matchAll(/@builtin\((\w+)\)/g), ([, name]) => name!);
  // Parameters that are no built-in values, or such as a merged kernel cannot tell.
  if (builtins.length !== (parameters!.match(/:/g) ?? []).length) return null;
  if (!builtins.every((name) => BUILTINS[name])) return null;
  const aliases = new Map(
    Array.from(text.matchAll(/^alias\s+(\w+)\s*=\s*([^;]+);/gm), ([, name, type]) => [name!, type!]),
  );
  const plainOf = (type: string) => {
    const plain = rename(type, (name) => aliases.get(name) ?? name).replace(/\s+/g, "");
    return plain.match(/[A-Za-z_]\w*/g)!.some((name) => names.has(name)) ? null : plain;
  };
  let sharedBytes = 0;
  for (const [, type] of text.matchAll(/var<workgroup>\s*\w+\s*:\s*([^;]+);/g)) {
    sharedBytes += bytesOf(rename(type!, (name) => aliases.get(name) ?? name), scope);
  }
  return {
    body: text.replace(head!, `fn ${entry}(${parameters!.replace(/@builtin\(\w+\)\s*/g, "")})`).replace(BUFFER, "")
      .replace(/^\s*\n/gm, ""),
    entry: entry!,
    names,
    buffers: Array.from(
      text.matchAll(BUFFER),
      ([, number, access, name, type]) => ({
        number: Number(number),
        access: access!,
        name: name!,
        type: type!,
        plain: plainOf(type!),
      }),
    ),
    builtins,
    lanes,
    waits: /\b\w*Barrier\b|\bworkgroupUniformLoad\b|\bsubgroup\w*|\bquad\w*|\bdpd[xy]/.test(text),
    sharedBytes,
  };
}

/** Numbers the buffers of all parts anew. What several parts read in the same way is bound once. */
export function bindingsOf(parts: readonly Part[]): Bindings {
  const owners = owned(parts), numbers = parts.map(() => new Map<number, number>());
  let count = 0, storage = 0;
  parts.forEach(({ outline }, i) => {
    for (const { number, access } of outline.buffers) {
      const owner = owners[i]!.get(number)!;
      if (owner.part === i && owner.buffer.number === number) {
        numbers[i]!.set(number, count++);
        if (access.startsWith("storage")) storage++;
      } else numbers[i]!.set(number, numbers[owner.part]!.get(owner.buffer.number)!);
    }
  });
  return { numbers, storage, uniform: count - storage };
}

interface Owner {
  readonly part: number;
  readonly buffer: Buffer;
}

/** For each part, by the number of a buffer: whose declaration serves it. */
function owned(parts: readonly Part[]): ReadonlyMap<number, Owner>[] {
  const first = new Map<string, Owner>();
  return parts.map(({ outline, bound }, part) =>
    new Map(outline.buffers.map((buffer) => {
      const { number, access, plain } = buffer, name = bound.get(number), own = { part, buffer };
      if (name === undefined || plain === null || access === "storage, read_write") return [number, own];
      const key = `${name} ${access} ${plain}`, owner = first.get(key) ?? own;
      first.set(key, owner);
      return [number, owner];
    }))
  );
}

/** The one kernel of all parts, for as many workgroups along x as all of them have together. */
export function mergeTexts(parts: readonly Part[]): string {
  const owners = owned(parts),
    { numbers } = bindingsOf(parts),
    lanes = Math.max(...parts.map((one) => one.outline.lanes));
  let prefix = "p";
  while (parts.some(({ outline: { body } }) => new RegExp(`\\b${prefix}\\d+_`).test(body))) prefix += "p";
  const declared: string[] = [], bodies: string[] = [], calls: string[] = [];
  let start = 0;
  parts.forEach(({ outline, grid: [gx, gy, gz] }, i) => {
    const { buffers, names, body, builtins, entry } = outline;
    const renamed = new Map([...names].map((name) => [name, `${prefix}${i}_${name}`]));
    for (const { number, name } of buffers) {
      const { part, buffer } = owners[i]!.get(number)!;
      renamed.set(name, `${prefix}${part}_${buffer.name}`);
    }
    const own = (text: string) => rename(text, (name) => renamed.get(name) ?? name);
    for (const { number, access, name, type } of buffers) {
      const { part, buffer } = owners[i]!.get(number)!;
      if (part !== i || buffer.number !== number) continue;
      declared.push(`@group(0) @binding(${numbers[i]!.get(number)}) var<${access}> ${own(name)}: ${own(type)};`);
    }
    bodies.push(own(body));
    const at = start === 0 ? "group.x" : `(group.x - ${start}u)`, count = gx * gy * gz;
    const group = gy * gz === 1
      ? `vec3u(${at}, 0u, 0u)`
      : `vec3u(${at} % ${gx}u, ${at} / ${gx}u % ${gy}u, ${at} / ${gx * gy}u)`;
    const values = builtins.map((name) => BUILTINS[name]!(group, `vec3u(${gx}u, ${gy}u, ${gz}u)`, outline.lanes));
    const call = `${own(entry)}(${values.join(", ")});`;
    start += count;
    const condition = i === parts.length - 1 ? "" : `if (group.x < ${start}u) `;
    calls.push(`${condition}{ ${outline.lanes < lanes ? `if (lane < ${outline.lanes}u) { ${call} }` : call} }`);
  });
  return `${declared.join("\n")}
${bodies.join("")}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  ${calls.join(" else ")}
}
`;
}

function tokens(text: string): string[] {
  return (text.match(TOKEN) ?? []).filter((token) => !token.startsWith("//") && !token.startsWith("/*"));
}

/** Every name that `text` declares at module scope; null where something else stands there. */
function namesOf(text: string): Set<string> | null {
  const names = new Set<string>(), words = tokens(text).filter((token) => token.trim() !== "");
  let depth = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (/[({[]/.test(word)) depth++;
    else if (/[)}\]]/.test(word)) depth--;
    if (depth > 0) continue;
    if (/^(enable|requires|diagnostic|override)$/.test(word)) return null;
    if (!/^(const|alias|struct|fn|var)$/.test(word)) continue;
    if (word === "var" && words[i + 1] === "<") i = words.indexOf(">", i);
    names.add(words[++i]!);
  }
  return names;
}

/** `text` with its names replaced, but for members, attributes, address spaces and built-in values. */
function rename(text: string, replace: (name: string) => string): string {
  const words = tokens(text), solid = words.flatMap((word, i) => word.trim() === "" ? [] : [i]);
  let struct = false, space = false;
  solid.forEach((at, i) => {
    const word = words[at]!, before = words[solid[i - 1]!], next = words[solid[i + 1]!];
    if (word === "struct") struct = true;
    else if (word === "}") struct = false;
    if (before === "var" && word === "<") space = true;
    else if (word === ">") space = false;
    if (!NAME.test(word) || space || before === "." || before === "@") return;
    // A member's declaration.
    if (struct && next === ":") return;
    if (before === "(" && words[solid[i - 2]!] === "builtin" && words[solid[i - 3]!] === "@") return;
    words[at] = replace(word);
  });
  return words.join("");
}

const SIZES: Readonly<Record<string, number>> = { f32: 4, u32: 4, i32: 4, vec2f: 8, vec2u: 8, vec4f: 16, vec4u: 16 };

/** The bytes of a variable of a type; infinite where it cannot be told. */
function bytesOf(type: string, scope: ReadonlyMap<string, number>): number {
  const array = /^array<(.+),([^,>]+)>$/.exec(type.trim());
  if (!array) return SIZES[type.trim()] ?? Infinity;
  return bytesOf(array[1]!, scope) * (evaluate(array[2]!, scope) ?? Infinity);
}
