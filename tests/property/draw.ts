/**
 * Random shapes, options and values for property tests: a stream of numbers from a seed, the same on every machine.
 *
 * @module
 */
import { type Nd, nd, sizeOf } from "../support/array.ts";
import { bits } from "../support/random.ts";

export class Draw {
  #count = 0;
  constructor(readonly seed: number) {}

  /** Uniform in [0, 1). */
  #next(): number {
    return bits(this.seed ^ Math.imul(++this.#count, 0x9e3779b9), 1)[0]! / 2 ** 32;
  }

  /** A whole number from `low` to `high`, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.#next() * (high - low + 1));
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(0, list.length - 1)]!;
  }

  flip(): boolean {
    return this.#next() < 0.5;
  }

  /** An extent: 1 to 5, mostly small. */
  extent(): number {
    return this.pick([1, 2, 2, 3, 3, 4, 5]);
  }

  /** A shape of `low` to `high` dimensions. */
  shape(low = 0, high = 4): number[] {
    return Array.from({ length: this.int(low, high) }, () => this.extent());
  }

  /** Two shapes that are broadcast together, of at most `high` dimensions. */
  broadcast(high = 4): [number[], number[]] {
    const shape = this.shape(0, high);
    return [0, 1].map(() => {
      const some = shape.map((extent) => this.int(0, 3) === 0 ? 1 : extent);
      return some.slice(this.int(0, 3) === 0 ? this.int(0, some.length) : 0);
    }) as [number[], number[]];
  }

  /** Some of `options`, since their defaults count too. */
  some(options: Record<string, unknown>): Record<string, unknown> {
    return Object.fromEntries(Object.entries(options).filter(() => this.flip()));
  }

  /** A number for height and width, or one for each. */
  pair(low: number, high: number): number | [number, number] {
    return this.flip() ? this.int(low, high) : [this.int(low, high), this.int(low, high)];
  }

  /** A dimension of `shape`, counted from either end. */
  dim(shape: readonly number[]): number {
    return this.int(-shape.length, shape.length - 1);
  }

  /** Some dimensions, or one, or all, as reductions take them; with or without keepdim. */
  dims(shape: readonly number[]): { dim?: number | number[]; keepdim?: boolean } {
    const several = shape.map((_, dim) => dim).filter(() => this.flip());
    const dim = this.pick([
      undefined,
      shape.length > 0 ? this.dim(shape) : undefined,
      several.length ? several : undefined,
    ]);
    return dim === undefined ? {} : this.flip() ? { dim, keepdim: true } : { dim };
  }

  /** The numbers from 0 to `count` − 1 in a random order. */
  order(count: number): number[] {
    const left = Array.from({ length: count }, (_, i) => i);
    return Array.from({ length: count }, () => left.splice(this.int(0, left.length - 1), 1)[0]!);
  }

  /** Values from `low` to `high`, exact in float32, none of them within `apart` of one of `kinks`. */
  values(shape: readonly number[], low = -2, high = 2, kinks: readonly number[] = [], apart = 0.01): Nd {
    return nd(
      shape,
      Array.from({ length: sizeOf(shape) }, () => {
        let value: number;
        do value = Math.fround(low + this.#next() * (high - low)); while (
          kinks.some((k) => Math.abs(value - k) < apart)
        );
        return value;
      }),
    );
  }

  /** Whole numbers below `end`. */
  whole(shape: readonly number[], end: number): Nd {
    return nd(shape, Array.from({ length: sizeOf(shape) }, () => this.int(0, end - 1)));
  }
}
