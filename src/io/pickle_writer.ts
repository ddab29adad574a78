/**
 * Writes pickles of protocol 2, as PyTorch does. Each function returns the bytes that push one value on the stack of the
 * machine that reads the pickle.
 *
 * @module
 */

const utf8 = new TextEncoder();

const littleEndian = (value: number) => [0, 8, 16, 24].map((shift) => value >>> shift & 255);

/** A text. */
export function text(value: string): number[] {
  const bytes = [...utf8.encode(value)];
  return [0x58, ...littleEndian(bytes.length), ...bytes];
}

/** A whole number from 0 to 2^53 - 1. */
export function int(value: number): number[] {
  if (value < 2 ** 31) return [0x4a, ...littleEndian(value)];
  return [0x8a, 8, ...littleEndian(value % 2 ** 32), ...littleEndian(value / 2 ** 32)];
}

/** A boolean. */
export function bool(value: boolean): number[] {
  return [value ? 0x88 : 0x89];
}

/** A tuple of values. */
export function tuple(...items: readonly number[][]): number[] {
  return [[0x28], ...items, [0x74]].flat();
}

/** A function or type of Python. */
export function global(module: string, name: string): number[] {
  return [0x63, ...utf8.encode(`${module}\n${name}\n`)];
}

/** The result of a function call. */
export function call(callee: readonly number[], ...args: readonly number[][]): number[] {
  return [...callee, ...tuple(...args), 0x52];
}

/** The object outside of the pickle that a persistent id stands for. */
export function persistent(id: readonly number[]): number[] {
  return [...id, 0x51];
}

/** A dict, with some items set. */
export function withItems(
  dict: readonly number[],
  items: readonly (readonly [key: number[], value: number[]])[],
): number[] {
  return [dict, [0x28], ...items.flat(), [0x75]].flat();
}

/** A complete pickle with one value. */
export function pickle(value: readonly number[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array([[0x80, 2], value, [0x2e]].flat());
}
