// c [batch, M, N] = a [batch, M, K] b [batch, K, N] (+ bias [N]) (relu), or 0 where mask is not positive, and sums [M],
// those of a over K; the same as matmul_vec4.wgsl, for any M, N and K. A workgroup computes a tile of SIDE x SIDE
// outputs: it stages DEPTH steps along K of both operands in its memory, and each invocation sums EACH x EACH outputs
// from there.

alias T = f32;
const M: u32 = 1u;
const N: u32 = 1u;
const K: u32 = 1u;
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

// @include "matmul/tile.wgsl"
const TILES_M: u32 = (M + SIDE - 1u) / SIDE;
const TILES_N: u32 = (N + SIDE - 1u) / SIDE;

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
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = group.y * groups.x + group.x;
  let z = i / TILES_N / TILES_M;
  if (z >= BATCH) {
    return;
  }
  let top = i / TILES_N % TILES_M * SIDE;
  let start = i % TILES_N * SIDE;
  var total: array<vec4f, EACH * VECTORS>;
  var row_sums: array<vec4f, VECTORS>;
  for (var k = 0u; k < K; k += DEPTH) {
    for (var turn = 0u; turn < TURNS; turn++) {
      // Neighbours load along K where that is the innermost dimension, and otherwise along rows or columns.
      let deep = vec2u(lane % DEPTH, lane / DEPTH + turn * (LANES / DEPTH));
      let wide = vec2u(lane / QUADS + turn * (LANES / QUADS), lane % QUADS);
      let at_a = select(deep, wide, TRANS_A);
      let at_b = select(wide, deep, TRANS_B);
      var rows: vec4f;
      var columns: vec4f;
      // @unroll
      for (var e = 0u; e < 4u; e++) {
        {
          let step = min(k + at_a.x, K - 1u);
          let row = min(top + at_a.y * 4u + e, M - 1u);
          let value = a[z * BATCH_A + select(row * K + step, step * M + row, TRANS_A)];
          rows[e] = select(0.0, value, k + at_a.x < K && top + at_a.y * 4u + e < M);
        }
        {
          let step = min(k + at_b.x, K - 1u);
          let column = min(start + at_b.y * 4u + e, N - 1u);
          let value = b[z * BATCH_B + select(step * N + column, column * K + step, TRANS_B)];
          columns[e] = select(0.0, value, k + at_b.x < K && start + at_b.y * 4u + e < N);
        }
      }
      left[at_a.x * STRIDE + at_a.y] = rows;
      right[at_b.x * STRIDE + at_b.y] = columns;
    }
    // @include "parts/tile_sum.wgsl"
  }
  // @unroll
  for (var q = 0u; q < EACH; q++) {
    let row = top + (q / 4u * ACROSS + lane / ACROSS) * 4u + q % 4u;
    if (row < M) {
      // @if SUMS
      if (start + lane % ACROSS == 0u) {
        sums[z * M + row] = row_sums[q / 4u][q % 4u];
      }
      // @unroll
      for (var p = 0u; p < EACH; p++) {
        let col = start + (p / 4u * ACROSS + lane % ACROSS) * 4u + p % 4u;
        if (col < N) {
          let to = (z * M + row) * N + col;
          var value = total[q * VECTORS + p / 4u][p % 4u];
          let channel = col;
          // @include "parts/epilogue.wgsl"
          c[to] = value;
        }
      }
    }
  }
}
