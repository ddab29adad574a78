/**
 * Turns inputs of a specialised kernel into uniform buffers. A software driver reads those for all of its lanes at once,
 * where a storage buffer costs it a loop over the lanes: 5 to 17 times as long, as measured. An input that is larger than
 * a uniform buffer may be is bound as several windows, of which each load takes its own.
 *
 * @module
 */

/** The most bytes that every device takes for a uniform buffer. */
export const UNIFORM_BYTES = 65536;
/** The most uniform buffers that every device takes in a stage, and the most windows for which loads gain. */
const MOST = 12, MOST_WINDOWS = 4;

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
  const windows: Window[] = [], loads = new Map<string, (index: string) => string>();
  const declared = /@group\(0\) *@binding\((\d+)\) *var<storage, *read> (\w+): *array<(\w+)>;/g;
  text = text.replace(declared, (all, digits: string, name: string, type: string) => {
    const input = Number(digits),
      size = bytes.get(input),
      element = aliases.get(type) ?? type,
      vector = VECTORS[element];
    const count = Math.ceil((size ?? 0) / UNIFORM_BYTES);
    if (!vector || !size || count > MOST_WINDOWS || windows.length + count > MOST) return all;
    const scalar = vector !== element, own: string[] = [];
    for (let i = 0; i < count; i++) {
      const offset = i * UNIFORM_BYTES, part = Math.ceil(Math.min(size - offset, UNIFORM_BYTES) / 16) * 16;
      const number = i === 0 ? input : FURTHER + windows.length;
      windows.push({ input, number, offset, size: part });
      own.push(
        `@group(0) @binding(${number}) var<uniform> ${name}${i ? `_${i}` : ""}: array<${vector}, ${part / 16}>;`,
      );
    }
    if (count > 1) {
      const choose = own.slice(1).map((_, i) =>
        `  value = select(value, ${elementOf(`${name}_${i + 1}`, scalar)}, window == ${i + 1}u);`
      );
      own.push(
        `fn ${name}_at(i: u32) -> ${element} {`,
        `  let window = i >> ${scalar ? 14 : 12}u;`,
        `  var value = ${elementOf(name, scalar)};`,
        ...choose,
        "  return value;",
        "}",
      );
    }
    if (count > 1) loads.set(name, (index) => `${name}_at(${index})`);
    else if (scalar) loads.set(name, (index) => `${name}[(${index}) >> 2u][(${index}) & 3u]`);
    return own.join("\n");
  });
  // The functions above load by themselves: only what follows the declarations is rewritten.
  const main = text.lastIndexOf("@compute"), before = text.slice(0, main);
  const bodies = before.split(/(?=^fn )/m);
  const rewrite = (part: string) => [...loads].reduce((text, [name, load]) => withLoads(text, name, load), part);
  const isLoad = (part: string) => [...loads.keys()].some((name) => part.startsWith(`fn ${name}_at(`));
  text = bodies.map((part) => isLoad(part) ? part : rewrite(part)).join("") + rewrite(text.slice(main));
  return { text, windows };
}

function elementOf(name: string, scalar: boolean): string {
  return scalar ? `${name}[(i >> 2u) & 4095u][i & 3u]` : `${name}[i & 4095u]`;
}

/** `text` with every `name[index]` replaced. */
function withLoads(text: string, name: string, load: (index: string) => string): string {
  const use = new RegExp(`(?<![\\w.])${name}\\[`, "g");
  let done = "", from = 0;
  for (let found = use.exec(text); found; found = use.exec(text)) {
    const start = use.lastIndex;
    let end = start;
    for (let depth = 1; depth > 0; end++) {
      if (text[end] === "[") depth++;
      else if (text[end] === "]") depth--;
    }
    done += text.slice(from, found.index) + load(withLoads(text.slice(start, end - 1), name, load));
    from = use.lastIndex = end;
  }
  return done + text.slice(from);
}
