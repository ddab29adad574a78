/**
 * Turns inputs of a specialised kernel into uniform buffers. A software driver reads those for all of its lanes at once,
 * where a storage buffer costs it a loop over the lanes: 5 to 17 times as long, as measured. An input that is larger than
 * a uniform buffer may be is bound as several windows, of which each load takes its own.
 *
 * @module
 */
import { closing } from "./specialize.ts";

/** The most bytes that every device takes for a uniform buffer. */
export const UNIFORM_BYTES = 65536;
/** The most uniform buffers that every device takes in a stage. */
export const MOST_UNIFORM = 12;
/** The most windows for which loads gain. */
export const MOST_WINDOWS = 4;

/** Whether loads of an input of so many bytes can be those of uniform buffers. */
export function fitsUniform(bytes: number): boolean {
  return bytes <= MOST_WINDOWS * UNIFORM_BYTES;
}

/** A buffer that the text declares, and the part of it that is bound, in bytes. */
export interface Window {
  /** The number of the binding as the kernel's file has it. */
  readonly input: number;
  readonly number: number;
  readonly offset: number;
  readonly size: number;
}

/** The elements of a uniform buffer lie 16 bytes apart: scalars are read as parts of vectors. */
const VECTORS: Readonly<Record<string, string>> = {
  "f32": "vec4f",
  "u32": "vec4u",
  "vec4f": "vec4f",
  "vec4u": "vec4u",
};
/** Windows after the first get numbers from here on. */
const FURTHER = 32;

/** `text` with its inputs as uniform buffers where they fit, and what to bind to those; `bytes` by the binding's number. */
export function withUniforms(text: string, bytes: ReadonlyMap<number, number>): { text: string; windows: Window[] } {
  const aliases = new Map(Array.from(text.matchAll(/^alias (\w+) = (\w+);/gm), ([, name, type]) => [name!, type!]));
  const windows: Window[] = [], loads = new Map<string, (index: string) => string>(), functions: string[] = [];
  const declared = /@group\(0\) *@binding\((\d+)\) *var<storage, *read> (\w+): *array<(\w+)>;/g;
  text = text.replace(declared, (all, digits: string, name: string, type: string) => {
    const input = Number(digits),
      size = bytes.get(input),
      element = aliases.get(type) ?? type,
      vector = VECTORS[element];
    const count = Math.ceil((size ?? 0) / UNIFORM_BYTES);
    if (!vector || !size || count > MOST_WINDOWS || windows.length + count > MOST_UNIFORM) return all;
    const scalar = vector !== element, own: string[] = [];
    const nameOf = (i: number) => i === 0 ? name : `${name}_${i}`;
    for (let i = 0; i < count; i++) {
      const offset = i * UNIFORM_BYTES, part = Math.ceil(Math.min(size - offset, UNIFORM_BYTES) / 16) * 16;
      const number = i === 0 ? input : FURTHER + windows.length;
      windows.push({ input, number, offset, size: part });
      own.push(`@group(0) @binding(${number}) var<uniform> ${nameOf(i)}: array<${vector}, ${part / 16}>;`);
    }
    if (count > 1) {
      const loadOf = (i: number) => scalar ? `${nameOf(i)}[(i >> 2u) & 4095u][i & 3u]` : `${nameOf(i)}[i & 4095u]`;
      functions.push(
        `fn ${name}_at(i: u32) -> ${element} {`,
        `  let window = i >> ${scalar ? 14 : 12}u;`,
        `  var value = ${loadOf(0)};`,
        ...own.slice(1).map((_, i) => `  value = select(value, ${loadOf(i + 1)}, window == ${i + 1}u);`),
        "  return value;",
        "}",
      );
      loads.set(name, (index) => `${name}_at(${index})`);
    } else if (scalar) loads.set(name, (index) => `${name}[(${index}) >> 2u][(${index}) & 3u]`);
    return own.join("\n");
  });
  for (const [name, load] of loads) text = withLoads(text, name, load);
  // At the end, where nothing rewrites their own loads, and lines keep their numbers.
  return { text: [text, ...functions].join("\n"), windows };
}

/** `text` with every `name[index]` replaced. */
function withLoads(text: string, name: string, load: (index: string) => string): string {
  const use = new RegExp(`(?<![\\w.])${name}\\[`, "g");
  let done = "", from = 0;
  for (let found = use.exec(text); found; found = use.exec(text)) {
    const start = use.lastIndex, end = closing(text, start, "[]");
    done += text.slice(from, found.index) + load(withLoads(text.slice(start, end), name, load));
    from = use.lastIndex = end + 1;
  }
  return done + text.slice(from);
}
