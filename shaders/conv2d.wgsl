// y [N, GROUPS O, OH, OW] = the convolution of x [N, GROUPS C, H, W], spread out by SPREAD with zeros between, with w
// (+ bias) (relu). Serves the forward pass and, with SPREAD = stride and FLIP, the gradient of the input.
// An invocation computes ACROSS neighbours of a row for DEEP output channels, in registers.

const N: u32 = 1u;
const C: u32 = 1u;
const H: u32 = 1u;
const W: u32 = 1u;
const O: u32 = 1u;
const OH: u32 = 1u;
const OW: u32 = 1u;
const KH: u32 = 1u;
const KW: u32 = 1u;
const GROUPS: u32 = 1u;
const STEP_H: i32 = 1;
const STEP_W: i32 = 1;
const SPREAD_H: i32 = 1;
const SPREAD_W: i32 = 1;
const PAD_H: i32 = 0;
const PAD_W: i32 = 0;
const DIL_H: i32 = 1;
const DIL_W: i32 = 1;
// Where a weight lies: by group, output channel and input channel; the taps of a kernel follow each other.
const W_GROUP: u32 = 1u;
const W_OUT: u32 = 1u;
const W_IN: u32 = 1u;
const FLIP: bool = false;
const BIAS: bool = false;
const RELU: bool = false;
const ACROSS: u32 = 1u;
const DEEP: u32 = 1u;

const TILES: u32 = (OW + ACROSS - 1u) / ACROSS;
const DEPTHS: u32 = (O + DEEP - 1u) / DEEP;
// The row of x that ACROSS outputs need.
const SPAN: u32 = (ACROSS - 1u) * u32(STEP_W) + (KW - 1u) * u32(DIL_W) + 1u;
// No window reaches over an edge of x.
const INSIDE: bool = PAD_H <= 0 && PAD_W <= 0 && SPREAD_H == 1 && SPREAD_W == 1 &&
  (i32(OH) - 1) * STEP_H - PAD_H + (i32(KH) - 1) * DIL_H < i32(H) &&
  (i32(TILES * ACROSS) - 1) * STEP_W - PAD_W + (i32(KW) - 1) * DIL_W < i32(W);

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= N * OH * TILES) {
    return;
  }
  let left = id.x % TILES * ACROSS;
  let row = id.x / TILES % OH;
  let n = id.x / TILES / OH;
  let group = id.y / DEPTHS;
  let depth = id.y % DEPTHS * DEEP;
  var total: array<f32, ACROSS * DEEP>;
  for (var c = 0u; c < C; c++) {
    let plane = (n * GROUPS * C + group * C + c) * H * W;
    // @unroll
    for (var ky = 0u; ky < KH; ky++) {
      let from_y = i32(row) * STEP_H - PAD_H + i32(ky) * DIL_H;
      let y_ok = INSIDE || (from_y >= 0 && from_y % SPREAD_H == 0 && from_y / SPREAD_H < i32(H));
      let line = plane + u32(clamp(from_y / SPREAD_H, 0, i32(H) - 1)) * W;
      let from_x = i32(left) * STEP_W - PAD_W;
      var span: array<f32, SPAN>;
      // @unroll
      for (var j = 0u; j < SPAN; j++) {
        let at = from_x + i32(j);
        let ok = INSIDE || (y_ok && at >= 0 && at % SPREAD_W == 0 && at / SPREAD_W < i32(W));
        span[j] = select(0.0, x[line + u32(clamp(at / SPREAD_W, 0, i32(W) - 1))], ok);
      }
      // @unroll
      for (var o = 0u; o < DEEP; o++) {
        let weights = group * W_GROUP + min(depth + o, O - 1u) * W_OUT + c * W_IN;
        // @unroll
        for (var kx = 0u; kx < KW; kx++) {
          let weight = w[weights + select(ky * KW + kx, KH * KW - 1u - ky * KW - kx, FLIP)];
          // @unroll
          for (var t = 0u; t < ACROSS; t++) {
            total[o * ACROSS + t] += span[t * u32(STEP_W) + kx * u32(DIL_W)] * weight;
          }
        }
      }
    }
  }
  // @unroll
  for (var o = 0u; o < DEEP; o++) {
    if (depth + o < O) {
      let channel = group * O + depth + o;
      // @unroll
      for (var t = 0u; t < ACROSS; t++) {
        if (left + t < OW) {
          var value = total[o * ACROSS + t];
          if (BIAS) {
            value += bias[channel];
          }
          if (RELU && value < 0.0) {
            value = 0.0;
          }
          y[((n * GROUPS * O + channel) * OH + row) * OW + left + t] = value;
        }
      }
    }
  }
}
