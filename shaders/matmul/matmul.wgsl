// c [batch, M, N] = a [batch, M, K] b [batch, K, N] (+ bias [N]) (relu), or 0 where mask is not positive, and
// sums [batch, M] = the sums of a over K, for any sizes. An invocation computes a tile of
// ROWS x COLS outputs in registers. Loads past an edge are moved onto it, and only what is inside is stored.

alias T = f32;
const M: u32 = 1u;
const N: u32 = 1u;
const K: u32 = 1u;
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
const ROWS: u32 = 4u;
const COLS: u32 = 2u;

const TILES_M: u32 = (M + ROWS - 1u) / ROWS;
const TILES_N: u32 = (WIDTH + COLS - 1u) / COLS;

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
// @if BIAS
@group(0) @binding(2) var<storage, read> bias: array<f32>;
// @if MASK
@group(0) @binding(3) var<storage, read> mask: array<f32>;
@group(0) @binding(4) var<storage, read_write> c: array<f32>;
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
  for (var k = 0u; k < K; k++) {
    var left: array<f32, ROWS>;
    // @unroll
    for (var r = 0u; r < ROWS; r++) {
      let m = min(row + r, M - 1u);
      left[r] = a[z * BATCH_A + select(m * K + k, k * M + m, TRANS_A)];
      // @if SUMS
      row_sums[r] += left[r];
    }
    // @unroll
    for (var s = 0u; s < COLS; s++) {
      let n = min(col + s, WIDTH - 1u);
      let right = b[z * BATCH_B + select(k * N + n, n * K + k, TRANS_B)];
      // @unroll
      for (var r = 0u; r < ROWS; r++) {
        total[r * COLS + s] += left[r] * right;
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
  for (var s = 0u; s < COLS; s++) {
    if (col + s < WIDTH) {
      // @unroll
      for (var r = 0u; r < ROWS; r++) {
        if (row + r < M) {
          let to = (z * M + row + r) * N + col + s;
          var value = total[r * COLS + s];
          let channel = col + s;
          // @include "parts/epilogue.wgsl"
          c[to] = value;
        }
      }
    }
  }
}
