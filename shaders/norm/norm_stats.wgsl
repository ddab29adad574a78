// Of each set s of x [OUTER, SETS, INNER], which has COUNT = OUTER x INNER elements, in PARTS of CHUNK each: their mean
// [PARTS, SETS], and spread [PARTS, SETS], the sum of the squares of what they are off it, over DIVISOR. Two passes,
// since the difference of two large sums would have few digits left.
// A workgroup takes a part of ACROSS sets, LANES invocations for each, whose results are joined as a tree. An element
// may be a vector of four, where that many follow each other in a set: OUTER, INNER and CHUNK count vectors.

alias V = f32;
const VECTOR: u32 = 1u;
const OUTER: u32 = 1u;
const SETS: u32 = 1u;
const INNER: u32 = 1u;
const PARTS: u32 = 1u;
const CHUNK: u32 = 1u;
const DIVISOR: f32 = 1.0;
const LANES: u32 = 1u;
const ACROSS: u32 = 64u;
const SIZE: u32 = LANES * ACROSS;
const COUNT: u32 = OUTER * INNER;

@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read_write> mean: array<f32>;
@group(0) @binding(2) var<storage, read_write> spread: array<f32>;

var<workgroup> parts: array<f32, SIZE>;

// The sum of a vector's elements.
fn whole(v: V) -> f32 {
  let wide = vec4f(v);
  return select(wide.x, wide.x + wide.y + wide.z + wide.w, VECTOR == 4u);
}

// The sum over the lanes of a set.
fn joined(value: f32, lane: u32) -> f32 {
  parts[lane] = value;
  for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (lane < stride * ACROSS) {
      parts[lane] += parts[lane + stride * ACROSS];
    }
  }
  workgroupBarrier();
  return parts[lane % ACROSS];
}

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let g = group.y * groups.x + group.x;
  let part = g % PARTS;
  let own = g / PARTS * ACROSS + lane % ACROSS;
  let first = part * CHUNK;
  let end = min(first + CHUNK, COUNT);
  let start = first + lane / ACROSS;
  // Beyond the sets there is nothing to sum.
  let stop = select(0u, end, own < SETS);
  var total: V;
  for (var k = start; k < stop; k += LANES) {
    total += x[(k / INNER * SETS + own) * INNER + k % INNER];
  }
  let middle = joined(whole(total), lane) / f32((end - first) * VECTOR);
  workgroupBarrier();
  var squares: V;
  for (var k = start; k < stop; k += LANES) {
    let off = x[(k / INNER * SETS + own) * INNER + k % INNER] - middle;
    squares += off * off;
  }
  let total_squares = joined(whole(squares), lane);
  if (lane < ACROSS && own < SETS) {
    mean[part * SETS + own] = middle;
    spread[part * SETS + own] = total_squares / DIVISOR;
  }
}
