// c [batch, M, N] = a [batch, M, K] b [batch, K, N] (+ bias [N]) (relu), or 0 where mask is not positive, and
// sums [batch, M] = the sums of a over K, where K, N and the operands' rows are multiples of four. An invocation computes a
// tile of ROWS x COLS outputs, four steps along K at a time, for which it loads ROWS vectors of a and COLS vectors of b.

alias T = vec4f;
const M: u32 = 4u;
const N: u32 = 4u;
const K: u32 = 4u;
// The columns of c that one dispatch computes; c, bias and mask are then bound from the first of these columns on.
const WIDTH: u32 = N;
// The operand is stored as [K, M] or [N, K].
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

// The tile: multiples of four.
const ROWS: u32 = 4u;
const COLS: u32 = 4u;
const TILES_M: u32 = (M + ROWS - 1u) / ROWS;
const TILES_N: u32 = (WIDTH + COLS - 1u) / COLS;

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
  let col = i % TILES_N * COLS;
  let row = i / TILES_N % TILES_M * ROWS;
  let z = i / TILES_N / TILES_M;
  if (z >= BATCH) {
    return;
  }
  var total: array<f32, ROWS * COLS>;
  var row_sums: array<f32, ROWS>;
  for (var k = 0u; k < K; k += 4u) {
    // Row r of a along k, or, transposed, four rows of a at each of four k; likewise columns of b.
    var left: array<vec4f, ROWS>;
    var right: array<vec4f, COLS>;
    // @unroll
    for (var r = 0u; r < ROWS; r++) {
      let along = min(row + r, M - 1u) * K + k;
      let across = (k + r / (ROWS / 4u)) * M + min(row + r % (ROWS / 4u) * 4u, max(M, 4u) - 4u);
      left[r] = a[(z * BATCH_A + select(along, across, TRANS_A)) / 4u];
    }
    // @unroll
    for (var s = 0u; s < COLS; s++) {
      let across = (k + s / (COLS / 4u)) * N + min(col + s % (COLS / 4u) * 4u, max(N, 4u) - 4u);
      let along = min(col + s, WIDTH - 1u) * K + k;
      right[s] = b[(z * BATCH_B + select(across, along, TRANS_B)) / 4u];
    }
    // One row after the other: its sums stay in registers.
    // @unroll
    for (var r = 0u; r < ROWS; r++) {
      // @unroll
      for (var e = 0u; e < 4u; e++) {
        let l = select(left[r][e], left[e * (ROWS / 4u) + r / 4u][r % 4u], TRANS_A);
        // @if SUMS
        row_sums[r] += l;
        // @unroll
        for (var s = 0u; s < COLS; s++) {
          total[r * COLS + s] += l * select(right[e * (COLS / 4u) + s / 4u][s % 4u], right[s][e], TRANS_B);
        }
      }
    }
  }
  // @if SUMS
  if (col == 0u) {
    // @unroll
    for (var r = 0u; r < ROWS; r++) {
      if (row + r < M) {
        sums[z * M + row + r] = row_sums[r];
      }
    }
  }
  // @unroll
  for (var s = 0u; s < COLS; s += 4u) {
    if (col + s < WIDTH) {
      // @unroll
      for (var r = 0u; r < ROWS; r++) {
        if (row + r < M) {
          let to = ((z * M + row + r) * N + col + s) / 4u;
          var value = vec4f(total[r * COLS + s], total[r * COLS + s + 1u], total[r * COLS + s + 2u], total[r * COLS + s + 3u]);
          let channel = (col + s) / 4u;
          // @include "parts/epilogue.wgsl"
          c[to] = value;
        }
      }
    }
  }
}
