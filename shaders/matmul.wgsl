// c [batch, M, N] = a [batch, M, K] b [batch, K, N] (+ bias [N]) (relu), for any sizes. An invocation computes a tile of
// ROWS x COLS outputs in registers. Loads past an edge are moved onto it, and only what is inside is stored.

const M: u32 = 1u;
const N: u32 = 1u;
const K: u32 = 1u;
// The operand lies as [K, M] or [N, K].
const TRANS_A: bool = false;
const TRANS_B: bool = false;
// Elements from one matrix of the batch to the next; 0 where one matrix serves all.
const BATCH_A: u32 = 0u;
const BATCH_B: u32 = 0u;
const BIAS: bool = false;
const RELU: bool = false;
const ROWS: u32 = 4u;
const COLS: u32 = 2u;

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y * ROWS;
  let col = id.x * COLS;
  var total: array<f32, ROWS * COLS>;
  for (var k = 0u; k < K; k++) {
    var left: array<f32, ROWS>;
    // @unroll
    for (var r = 0u; r < ROWS; r++) {
      let m = min(row + r, M - 1u);
      left[r] = a[id.z * BATCH_A + select(m * K + k, k * M + m, TRANS_A)];
    }
    // @unroll
    for (var s = 0u; s < COLS; s++) {
      let n = min(col + s, N - 1u);
      let right = b[id.z * BATCH_B + select(k * N + n, n * K + k, TRANS_B)];
      // @unroll
      for (var r = 0u; r < ROWS; r++) {
        total[r * COLS + s] += left[r] * right;
      }
    }
  }
  // @unroll
  for (var s = 0u; s < COLS; s++) {
    if (col + s < N) {
      // @unroll
      for (var r = 0u; r < ROWS; r++) {
        if (row + r < M) {
          var value = total[r * COLS + s];
          if (BIAS) {
            value += bias[col + s];
          }
          if (RELU && value < 0.0) {
            value = 0.0;
          }
          c[(id.z * M + row + r) * N + col + s] = value;
        }
      }
    }
  }
}
