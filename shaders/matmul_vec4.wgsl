// c [batch, M, N] = a [batch, M, K] b [batch, K, N] (+ bias [N]) (relu), or 0 where mask is not positive, and
// sums [M] = the sums of a over K, where K, N and the operands' rows are multiples of four. An invocation computes a tile of 4 x 4 outputs from 4 x 4 blocks of both operands, loaded as four vectors each.

const M: u32 = 4u;
const N: u32 = 4u;
const K: u32 = 4u;
// The operand lies as [K, M] or [N, K].
const TRANS_A: bool = false;
const TRANS_B: bool = false;
// Elements from one matrix of the batch to the next; 0 where one matrix serves all.
const BATCH_A: u32 = 0u;
const BATCH_B: u32 = 0u;
const BIAS: bool = false;
const RELU: bool = false;
const MASK: bool = false;
const SUMS: bool = false;
const BATCH: u32 = 1u;
// Invocations in a workgroup.
const LANES: u32 = 8u;

const TILES_M: u32 = (M + 4u - 1u) / 4u;
const TILES_N: u32 = (N + 4u - 1u) / 4u;

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
// @if BIAS
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
// @if MASK
@group(0) @binding(3) var<storage, read> mask: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> c: array<vec4f>;
// @if SUMS
@group(0) @binding(5) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * LANES + lane;
  let col = i % TILES_N * 4u;
  let row = i / TILES_N % TILES_M * 4u;
  let z = i / TILES_N / TILES_M;
  if (z >= BATCH) {
    return;
  }
  var total: array<f32, 16>;
  var row_sums: array<f32, 4>;
  for (var k = 0u; k < K; k += 4u) {
    var left: array<vec4f, 4>;
    var right: array<vec4f, 4>;
    // @unroll
    for (var i = 0u; i < 4u; i++) {
      // left[i] is row i of a along k, or, transposed, element i along k of four rows; likewise right.
      left[i] = a[(z * BATCH_A + select(min(row + i, M - 1u) * K + k, (k + i) * M + min(row, max(M, 4u) - 4u), TRANS_A)) / 4u];
      right[i] = b[(z * BATCH_B + select((k + i) * N + min(col, max(N, 4u) - 4u), min(col + i, N - 1u) * K + k, TRANS_B)) / 4u];
    }
    // @unroll
    for (var e = 0u; e < 4u; e++) {
      // @unroll
      for (var r = 0u; r < 4u; r++) {
        // @if SUMS
        row_sums[r] += select(left[r][e], left[e][r], TRANS_A);
        // @unroll
        for (var s = 0u; s < 4u; s++) {
          total[r * 4u + s] += select(left[r][e], left[e][r], TRANS_A) * select(right[e][s], right[s][e], TRANS_B);
        }
      }
    }
  }
  // @if SUMS
  if (col == 0u) {
    // @unroll
    for (var r = 0u; r < 4u; r++) {
      if (row + r < M) {
        sums[row + r] = row_sums[r];
      }
    }
  }
  if (col >= N) {
    return;
  }
  // @unroll
  for (var r = 0u; r < 4u; r++) {
    if (row + r < M) {
      let to = ((z * M + row + r) * N + col) / 4u;
      var value = vec4f(total[r * 4u], total[r * 4u + 1u], total[r * 4u + 2u], total[r * 4u + 3u]);
      // @if BIAS
      value += bias[col / 4u];
      // @if RELU
      value = select(value, vec4f(0.0), value < vec4f(0.0));
      // @if MASK
      value = select(value, vec4f(0.0), mask[to] <= vec4f(0.0));
      c[to] = value;
    }
  }
}
