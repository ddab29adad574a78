// y [N, GROUPS O, OH, OW] = the convolution of x [N, GROUPS C, H, W], spread out by SPREAD with zeros between, with w
// (+ bias) (relu), or 0 where mask is not positive. Serves the forward pass and, with SPREAD = stride and FLIP, the gradient
// of the input. With POOL_H and POOL_W, x is given by its max-pooled windows: xp holds their values, and index their places.
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
const MASK: bool = false;
const PLAIN: bool = true;
const POOLED: bool = false;
const POOL_H: u32 = 1u;
const POOL_W: u32 = 1u;
const UNROLL: bool = false;
const ACROSS: u32 = 1u;
const DEEP: u32 = 1u;

const TILES: u32 = (OW + ACROSS - 1u) / ACROSS;
const DEPTHS: u32 = (O + DEEP - 1u) / DEEP;
// The row of x that ACROSS outputs need.
const SPAN: u32 = ((ACROSS - 1u) * u32(STEP_W) + (KW - 1u) * u32(DIL_W) + POOL_W) / POOL_W * POOL_W;
// No window reaches over an edge of x.
const INSIDE: bool = PAD_H <= 0 && PAD_W <= 0 && SPREAD_H == 1 && SPREAD_W == 1 &&
  (i32(OH) - 1) * STEP_H - PAD_H + (i32(KH) - 1) * DIL_H < i32(H) &&
  (i32(TILES * ACROSS) - 1) * STEP_W - PAD_W + (i32(KW) - 1) * DIL_W < i32(W);

@group(0) @binding(0) var<storage, read> x: array<f32>;
// @if POOLED
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
// @if BIAS
@group(0) @binding(3) var<storage, read> bias: array<f32>;
// @if MASK
@group(0) @binding(4) var<storage, read> mask: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (id.y * groups.x + id.x) * 8u + lane;
  if (i >= N * OH * TILES * DEPTHS * GROUPS) {
    return;
  }
  let left = i % TILES * ACROSS;
  let row = i / TILES % OH;
  let n = i / TILES / OH % N;
  let depth = i / TILES / OH / N % DEPTHS * DEEP;
  let group = i / TILES / OH / N / DEPTHS;
  var total: array<f32, ACROSS * DEEP>;
  for (var c = 0u; c < C; c++) {
    let plane = (n * GROUPS + group) * C + c;
    // @unroll UNROLL
    for (var ky = 0u; ky < KH; ky++) {
      let from_y = i32(row) * STEP_H - PAD_H + i32(ky) * DIL_H;
      let y_ok = INSIDE || (from_y >= 0 && from_y % SPREAD_H == 0 && from_y / SPREAD_H < i32(H));
      let line = u32(clamp(from_y / SPREAD_H, 0, i32(H) - 1));
      let from_x = i32(left) * STEP_W - PAD_W;
      var span: array<f32, SPAN>;
      // @if PLAIN
      {
        // @unroll
        for (var j = 0u; j < SPAN; j++) {
          let at = from_x + i32(j);
          let ok = INSIDE || (y_ok && at >= 0 && at % SPREAD_W == 0 && at / SPREAD_W < i32(W));
          span[j] = select(0.0, x[(plane * H + line) * W + u32(clamp(at / SPREAD_W, 0, i32(W) - 1))], ok);
        }
      }
      // @if POOLED
      {
        // from_x is a multiple of POOL_W, and so is SPAN, rounded up. Each window is read once.
        let windows = (plane * (H / POOL_H) + min(line / POOL_H, H / POOL_H - 1u)) * (W / POOL_W);
        // @unroll
        for (var j = 0u; j < SPAN; j += POOL_W) {
          let at = from_x + i32(j);
          let column = u32(clamp(at / i32(POOL_W), 0, i32(W / POOL_W) - 1));
          let place = select(0xffffffffu, index[windows + column], y_ok && at >= 0 && at < i32(W / POOL_W * POOL_W));
          let value = x[windows + column];
          // @unroll
          for (var t = 0u; t < POOL_W; t++) {
            span[j + t] = select(0.0, value, place == line * W + column * POOL_W + t);
          }
        }
      }
      // @unroll
      for (var o = 0u; o < DEEP; o++) {
        let weights = group * W_GROUP + min(depth + o, O - 1u) * W_OUT + c * W_IN + select(ky * KW, KH * KW - KW - ky * KW, FLIP);
        // @unroll
        for (var kx = 0u; kx < KW; kx++) {
          let weight = w[weights + select(kx, KW - 1u - kx, FLIP)];
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
          let to = ((n * GROUPS * O + channel) * OH + row) * OW + left + t;
          var value = total[o * ACROSS + t];
          // @if BIAS
          value += bias[channel];
          // @if RELU
          value = select(value, 0.0, value < 0.0);
          // @if MASK
          value = select(value, 0.0, mask[to] <= 0.0);
          y[to] = value;
        }
      }
    }
  }
}
