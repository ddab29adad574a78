// y, index [N, O, OH, OW] = max-pool (relu (x [N, C, H, W] * w [O, C, KH, KW] + bias [O])), over windows of POOL_H x POOL_W
// that do not overlap, and the place of each maximum in the plane of the convolution's output, whose rows are CONV_W wide.
// An invocation computes ACROSS neighbours of a row for DEEP output channels.

// Rows of x are loaded as vectors of VECTOR elements, where they and the steps along them are multiples of it.
alias V = vec4f;
const VECTOR: u32 = 1u;
const WIDE: bool = false;
const NARROW: bool = true;
// Invocations in a workgroup.
const LANES: u32 = 8u;
// @include "conv/shape.wgsl"
const STEP_H: u32 = 1u;
const STEP_W: u32 = 1u;
const DIL_H: u32 = 1u;
const DIL_W: u32 = 1u;
const POOL_H: u32 = 1u;
const POOL_W: u32 = 1u;
const CONV_W: u32 = 1u;
const BIAS: bool = false;
const RELU: bool = false;
const ACROSS: u32 = 1u;
const DEEP: u32 = 1u;

// The patch of x that ACROSS windows need.
const PATCH_H: u32 = (POOL_H - 1u) * STEP_H + (KH - 1u) * DIL_H + 1u;
const PATCH_W: u32 = ((ACROSS * POOL_W - 1u) * STEP_W + (KW - 1u) * DIL_W + VECTOR) / VECTOR * VECTOR;
const POOL: u32 = POOL_H * POOL_W * ACROSS;
const TILES: u32 = OW / ACROSS;
const PLACES: u32 = N * OH * TILES;
const DEPTHS: u32 = (O + DEEP - 1u) / DEEP;

// @if NARROW
@group(0) @binding(0) var<storage, read> x: array<f32>;
// @if WIDE
@group(0) @binding(5) var<storage, read> x_wide: array<V>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
// @if BIAS
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> index: array<u32>;

fn is_nan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * LANES + lane;
  // An invocation too many computes a place again.
  let place = i % PLACES;
  let column = place % TILES * ACROSS;
  let row = place / TILES % OH;
  let n = place / TILES / OH;
  let depth = i / PLACES % DEPTHS * DEEP;
  var total: array<f32, DEEP * POOL>;
  for (var c = 0u; c < C; c++) {
    let start = ((n * C + c) * H + row * POOL_H * STEP_H) * W + column * POOL_W * STEP_W;
    var field: array<f32, PATCH_H * PATCH_W>;
    // @unroll
    for (var i = 0u; i < PATCH_H; i++) {
      // @if NARROW
      {
        // @unroll
        for (var j = 0u; j < PATCH_W; j++) {
          field[i * PATCH_W + j] = x[start + i * W + j];
        }
      }
      // @if WIDE
      {
        // @unroll
        for (var j = 0u; j < PATCH_W; j += VECTOR) {
          let values = x_wide[(start + i * W + j) / VECTOR];
          // @unroll
          for (var e = 0u; e < VECTOR; e++) {
            field[i * PATCH_W + j + e] = values[e];
          }
        }
      }
    }
    // @unroll
    for (var o = 0u; o < DEEP; o++) {
      var weights: array<f32, KH * KW>;
      // @unroll
      for (var k = 0u; k < KH * KW; k++) {
        weights[k] = w[(min(depth + o, O - 1u) * C + c) * KH * KW + k];
      }
      // One row after the other: its sums stay in registers.
      // @unroll
      for (var i = 0u; i < POOL_H; i++) {
        // @unroll
        for (var ky = 0u; ky < KH; ky++) {
          // @unroll
          for (var kx = 0u; kx < KW; kx++) {
            // @unroll
            for (var j = 0u; j < POOL_W * ACROSS; j++) {
              total[o * POOL + i * POOL_W * ACROSS + j] += weights[ky * KW + kx] * field[(i * STEP_H + ky * DIL_H) * PATCH_W + j * STEP_W + kx * DIL_W];
            }
          }
        }
      }
    }
  }
  if (i >= PLACES * DEPTHS) {
    return;
  }
  // @unroll
  for (var o = 0u; o < DEEP; o++) {
    if (depth + o < O) {
      var shift = 0.0;
      // @if BIAS
      shift = bias[depth + o];
      // @unroll
      for (var a = 0u; a < ACROSS; a++) {
        // Bias and relu first: where relu makes ties, the first of them gets the gradient.
        var largest = finish(total[o * POOL + a * POOL_W] + shift);
        var best = row * POOL_H * CONV_W + (column + a) * POOL_W;
        // @unroll
        for (var i = 0u; i < POOL_H; i++) {
          // @unroll
          for (var j = 0u; j < POOL_W; j++) {
            let v = finish(total[o * POOL + i * POOL_W * ACROSS + a * POOL_W + j] + shift);
            if (v > largest || is_nan(v)) {
              largest = v;
              best = (row * POOL_H + i) * CONV_W + (column + a) * POOL_W + j;
            }
          }
        }
        let to = ((n * O + depth + o) * OH + row) * OW + column + a;
        y[to] = largest;
        index[to] = best;
      }
    }
  }
}

fn finish(v: f32) -> f32 {
  return select(v, 0.0, RELU && v < 0.0);
}
