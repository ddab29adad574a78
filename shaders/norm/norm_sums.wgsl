// The elements of dy and x [OUTER, SUMS, INNER] that belong to a sum are split into CHUNKS of CHUNK elements. For each
// chunk of each sum: plain [CHUNKS, SUMS], the sum of dy, and scaled [CHUNKS, SUMS], the sum of dy x̂, where
// x̂ = (x − mean) / √(variance + EPS). With WEIGHT, dy is multiplied by the weight. Element e has the mean and the
// variance of the set e / SET_INNER % SETS, and the weight of the channel e / PLANE % CHANNELS. Workgroups and vectors are
// those of norm_stats.wgsl; a weight is a vector too where neighbouring elements have different ones.

alias V = f32;
alias W = f32;
const VECTOR: u32 = 1u;
const OUTER: u32 = 1u;
const SUMS: u32 = 1u;
const INNER: u32 = 1u;
const CHUNKS: u32 = 1u;
const CHUNK: u32 = 1u;
const SETS: u32 = 1u;
const SET_INNER: u32 = 1u;
const CHANNELS: u32 = 1u;
const PLANE: u32 = 1u;
const EPS: f32 = 0.0;
const WEIGHT: bool = true;
const LANES: u32 = 1u;
const ACROSS: u32 = 64u;
const SIZE: u32 = LANES * ACROSS;

@group(0) @binding(0) var<storage, read> dy: array<V>;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read> variance: array<f32>;
// @if WEIGHT
@group(0) @binding(4) var<storage, read> weight: array<W>;
@group(0) @binding(5) var<storage, read_write> plain: array<f32>;
@group(0) @binding(6) var<storage, read_write> scaled: array<f32>;

var<workgroup> lane_sums: array<vec2f, SIZE>;

// The sum of a vector's elements.
fn sum_of_vector(v: V) -> f32 {
  let wide = vec4f(v);
  return select(wide.x, wide.x + wide.y + wide.z + wide.w, VECTOR == 4u);
}

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let g = group.y * groups.x + group.x;
  let chunk = g % CHUNKS;
  let s = g / CHUNKS * ACROSS + lane % ACROSS;
  // Lanes beyond the last sum add nothing.
  let stop = select(0u, min((chunk + 1u) * CHUNK, OUTER * INNER), s < SUMS);
  var total: V;
  var total_scaled: V;
  for (var k = chunk * CHUNK + lane / ACROSS; k < stop; k += LANES) {
    let e = (k / INNER * SUMS + s) * INNER + k % INNER;
    let set_index = e / SET_INNER % SETS;
    var d = dy[e];
    // @if WEIGHT
    d *= weight[e / PLANE % CHANNELS];
    total += d;
    total_scaled += d * ((x[e] - mean[set_index]) * inverseSqrt(variance[set_index] + EPS));
  }
  lane_sums[lane] = vec2f(sum_of_vector(total), sum_of_vector(total_scaled));
  for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (lane < stride * ACROSS) {
      lane_sums[lane] += lane_sums[lane + stride * ACROSS];
    }
  }
  if (lane < ACROSS && s < SUMS) {
    plain[chunk * SUMS + s] = lane_sums[lane].x;
    scaled[chunk * SUMS + s] = lane_sums[lane].y;
  }
}
