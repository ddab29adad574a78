/**
 * Shaders: a kernel with its constants set, ready to compile, and what it binds.
 *
 * @module
 */
import { type Constants, type Kernel, specialize } from "../wgsl/specialize.ts";
import { buffersOf, type Module } from "../wgsl/ast.ts";
import { asUniforms, type Window } from "../wgsl/uniforms.ts";
import type { Storage } from "./memory.ts";
import type { Profile } from "./profile.ts";

/** A kernel's syntax tree, ready to compile, and what it binds. */
export interface Shader {
  /** The kernel's file, or those of all parts of a merged kernel. */
  readonly file: string;
  readonly module: Module;
  /** The buffers that the kernel's file binds, in the order of their declarations; optional ones may leave gaps. */
  readonly bindings: readonly Binding[];
  /** Those of them that are bound as uniform buffers, in one part or several. */
  readonly windows: readonly Window[];
}

/** What a kernel does with a buffer: it only reads it; reads and writes it; or reads it as a uniform buffer. */
export type Access = "read" | "write" | "uniform";

/** A buffer that a kernel declares. */
export interface Binding {
  readonly number: number;
  readonly access: Access;
}

/** What `shaderOf()` needs of a backend. */
interface ShaderOwner {
  readonly profile: Profile;
  /** The shaders made so far. */
  readonly shaders: Map<string, Shader>;
}

/** The shader of `kernel` with `constants`. @param sizes of its buffers, in bytes: small inputs may become uniform buffers. */
export function shaderOf(
  { profile: { uniformBytes }, shaders }: ShaderOwner,
  kernel: Kernel,
  constants: Constants,
  sizes: readonly number[] = [],
): Shader {
  const small = uniformBytes > 0 ? sizes.map((size) => size <= uniformBytes ? Math.ceil(size / 16) * 16 : 0) : [];
  const key = `${kernel.file} ${JSON.stringify(constants)} ${small}`;
  let shader = shaders.get(key);
  if (!shader) {
    const plain = specialize(kernel, constants), bindings = declaredBindings(plain);
    const bytes = new Map(bindings.map(({ number }, i) => [number, small[i] ?? 0]));
    shaders.set(key, shader = { file: kernel.file, bindings, ...asUniforms(plain, bytes) });
  }
  return shader;
}

/** The buffers that a kernel declares, in the order of their declarations. */
export function declaredBindings(module: Module): Binding[] {
  return buffersOf(module).map(({ binding, space, writes }) => (
    { number: binding, access: space === "uniform" ? "uniform" : writes ? "write" : "read" }
  ));
}

/** A range that is bound, and the number of its binding. */
export interface BoundRange extends Storage {
  readonly number: number;
}

/** The range that each binding of the shader gets of `storages`, which are in the order of its bindings. */
export function rangesOf({ bindings, windows }: Shader, storages: readonly Storage[]): BoundRange[] {
  if (storages.length !== bindings.length) {
    throw new Error(`${bindings.length} buffers to bind, got ${storages.length}`);
  }
  return storages.flatMap(({ block, offset, size }, i) => {
    const { number } = bindings[i]!, parts = windows.filter(({ input }) => input === number);
    // Blocks are larger than this: a kernel may read a last vector whole.
    if (parts.length === 0) return [{ block, offset, size: Math.max(16, Math.ceil(size / 16) * 16), number }];
    return parts.map((part) => ({ block, offset: offset + part.offset, size: part.size, number: part.number }));
  });
}
