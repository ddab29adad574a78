/**
 * Float64 arrays of any rank with naive, readable loops: what the references of the tests are written in. Nothing here
 * comes from the engine.
 *
 * @module
 */

/** A dense row-major array. */
export interface Nd {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** The number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** An array of the given shape; its length is checked. */
export function nd(shape: readonly number[], data: ArrayLike<number>): Nd {
  if (data.length !== sizeOf(shape)) throw new Error(`${data.length} numbers do not fill [${shape}]`);
  return { shape: [...shape], data: Float64Array.from(data) };
}

/** An array filled with one value. */
export function filled(shape: readonly number[], value = 0): Nd {
  return nd(shape, new Float64Array(sizeOf(shape)).fill(value));
}

/** Row-major strides. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides: number[] = new Array(shape.length);
  for (let d = shape.length - 1, step = 1; d >= 0; d--) strides[d] = step, step *= shape[d]!;
  return strides;
}

/** Every coordinate of a shape, in row-major order. The yielded array is reused. */
export function* coordinates(shape: readonly number[]): Generator<number[]> {
  const at: number[] = shape.map(() => 0);
  for (let left = sizeOf(shape); left > 0; left--) {
    yield at;
    for (let d = shape.length - 1; d >= 0 && ++at[d]! === shape[d]!; d--) at[d] = 0;
  }
}

/** Where a coordinate lies under some strides. */
export function offsetOf(at: readonly number[], strides: readonly number[]): number {
  return at.reduce((sum, i, d) => sum + i * strides[d]!, 0);
}

/** A dimension counted from the front. */
export function front(dim: number, rank: number): number {
  return dim < 0 ? dim + rank : dim;
}

/** f of every element. */
export function map(x: Nd, f: (value: number) => number): Nd {
  return nd(x.shape, x.data.map(f));
}

/** The shape that two shapes broadcast to. */
export function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, d) => {
    const n = a[d - rank + a.length] ?? 1, m = b[d - rank + b.length] ?? 1;
    if (n !== m && n !== 1 && m !== 1) throw new Error(`[${a}] and [${b}] do not broadcast`);
    return n === 1 ? m : n;
  });
}

/** x repeated to a larger shape. */
export function expand(x: Nd, shape: readonly number[]): Nd {
  if (shape.length === x.shape.length && shape.every((n, d) => n === x.shape[d])) return x;
  const own = stridesOf(x.shape), lead = shape.length - x.shape.length;
  const strides = shape.map((_, d) => d < lead || x.shape[d - lead] === 1 ? 0 : own[d - lead]!);
  return nd(shape, Array.from(coordinates(shape), (at) => x.data[offsetOf(at, strides)]!));
}

/** f of the elements of two arrays, broadcast. */
export function zip(a: Nd, b: Nd, f: (x: number, y: number) => number): Nd {
  const shape = broadcastShape(a.shape, b.shape);
  const x = expand(a, shape), y = expand(b, shape);
  return nd(shape, x.data.map((value, i) => f(value, y.data[i]!)));
}

/** The dimensions in a new order. */
export function permute(x: Nd, dims: readonly number[]): Nd {
  const rank = x.shape.length, order = dims.map((d) => front(d, rank));
  const own = stridesOf(x.shape), strides = order.map((d) => own[d]!), shape = order.map((d) => x.shape[d]!);
  return nd(shape, Array.from(coordinates(shape), (at) => x.data[offsetOf(at, strides)]!));
}

/** Two dimensions swapped; the last two by default. */
export function transpose(x: Nd, d0 = -2, d1 = -1): Nd {
  const dims = x.shape.map((_, d) => d), a = front(d0, dims.length), b = front(d1, dims.length);
  [dims[a], dims[b]] = [b, a];
  return permute(x, dims);
}

/** The same elements in another shape. */
export function reshape(x: Nd, shape: readonly number[]): Nd {
  return nd(shape, x.data);
}

/** Over which dimensions to reduce; all by default. */
export interface Axes {
  dim?: number | readonly number[];
  keepdim?: boolean;
}

/** f of each group of elements that differ in the reduced dimensions alone, in row-major order. */
export function reduce(x: Nd, { dim, keepdim = false }: Axes, f: (group: number[]) => number): Nd {
  const rank = x.shape.length;
  const dims = (dim === undefined ? x.shape.map((_, d) => d) : [dim].flat()).map((d) => front(d, rank));
  const kept = x.shape.map((n, d) => dims.includes(d) ? 1 : n);
  const strides = stridesOf(kept).map((s, d) => dims.includes(d) ? 0 : s);
  const groups: number[][] = Array.from({ length: sizeOf(kept) }, () => []);
  let i = 0;
  for (const at of coordinates(x.shape)) groups[offsetOf(at, strides)]!.push(x.data[i++]!);
  const shape = keepdim ? kept : x.shape.filter((_, d) => !dims.includes(d));
  return nd(shape, groups.map(f));
}

/** Sums an array down to a shape that broadcasts to it: the gradient of {@linkcode expand}. */
export function sumTo(x: Nd, shape: readonly number[]): Nd {
  const lead = x.shape.length - shape.length;
  const dim = x.shape.flatMap((n, d) => d < lead || (shape[d - lead] === 1 && n !== 1) ? [d] : []);
  return reshape(reduce(x, { dim }, (group) => group.reduce((a, b) => a + b, 0)), shape);
}
