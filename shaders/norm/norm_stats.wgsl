// The sets of x [OUTER, SETS, INNER] have COUNT = OUTER x INNER elements, split into CHUNKS of CHUNK elements. For each
// chunk of each set: mean [CHUNKS, SETS], and spread [CHUNKS, SETS], the sum of the squared deviations from that mean,
// over DIVISOR. There are two passes, since the difference of two large sums would have few correct digits.
// A workgroup computes a chunk of ACROSS sets, with LANES invocations for each set, whose results are added as a tree. An
// element may be a vector of four, where a set has that many in a row: INNER, COUNT and CHUNK count vectors then.

alias V = f32;
const VECTOR: u32 = 1u;
const OUTER: u32 = 1u;
const SETS: u32 = 1u;
const INNER: u32 = 1u;
const CHUNKS: u32 = 1u;
const CHUNK: u32 = 1u;
const DIVISOR: f32 = 1.0;
const LANES: u32 = 1u;
const ACROSS: u32 = 64u;
const SIZE: u32 = LANES * ACROSS;
const COUNT: u32 = OUTER * INNER;

@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read_write> mean: array<f32>;
@group(0) @binding(2) var<storage, read_write> spread: array<f32>;

var<workgroup> lane_sums: array<f32, SIZE>;

// The sum of a vector's elements.
fn sum_of_vector(v: V) -> f32 {
  let wide = vec4f(v);
  return select(wide.x, wide.x + wide.y + wide.z + wide.w, VECTOR == 4u);
}

// The sum over the lanes of a set.
fn sum_of_lanes(value: f32, lane: u32) -> f32 {
  lane_sums[lane] = value;
  for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (lane < stride * ACROSS) {
      lane_sums[lane] += lane_sums[lane + stride * ACROSS];
    }
  }
  workgroupBarrier();
  return lane_sums[lane % ACROSS];
}

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let g = group.y * groups.x + group.x;
  let chunk = g % CHUNKS;
  let s = g / CHUNKS * ACROSS + lane % ACROSS;
  let first = chunk * CHUNK;
  let end = min(first + CHUNK, COUNT);
  let start = first + lane / ACROSS;
  // Lanes beyond the last set sum nothing.
  let stop = select(0u, end, s < SETS);
  var total: V;
  for (var k = start; k < stop; k += LANES) {
    total += x[(k / INNER * SETS + s) * INNER + k % INNER];
  }
  let middle = sum_of_lanes(sum_of_vector(total), lane) / f32((end - first) * VECTOR);
  workgroupBarrier();
  var squares: V;
  for (var k = start; k < stop; k += LANES) {
    let deviation = x[(k / INNER * SETS + s) * INNER + k % INNER] - middle;
    squares += deviation * deviation;
  }
  let total_squares = sum_of_lanes(sum_of_vector(squares), lane);
  if (lane < ACROSS && s < SETS) {
    mean[chunk * SETS + s] = middle;
    spread[chunk * SETS + s] = total_squares / DIVISOR;
  }
}
