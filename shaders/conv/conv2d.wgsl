// y [N, GROUPS O, OH, OW] = the convolution of x [N, GROUPS C, H, W], spread out by SPREAD with zeros between, with w
// (+ bias) (relu), or 0 where mask is not positive. Serves the forward pass and, with SPREAD = stride and FLIP, the gradient
// of the input. With POOL_H and POOL_W, x is given by its max-pooled windows: x holds the maxima, and index where
// each was in its plane.
// An invocation computes DOWN rows of ACROSS neighbours for DEEP output channels, in registers. It loads the rows of x that
// it needs for all taps at once, or, without WHOLE, for one row of taps after the other.

alias T = f32;
// Invocations in a workgroup.
const LANES: u32 = 8u;
// @include "conv/shape.wgsl"
// @include "conv/window.wgsl"
const SPREAD_H: i32 = 1;
const SPREAD_W: i32 = 1;
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
const WHOLE: bool = false;
const DOWN: u32 = 1u;
const ACROSS: u32 = 1u;
const DEEP: u32 = 1u;
// The columns of a tile's field that are not known to be zeros when the kernel is compiled.
const FIRST: u32 = 0u;
const END: u32 = 65536u;

const TILES: u32 = (OW + ACROSS - 1u) / ACROSS;
const LINES: u32 = (OH + DOWN - 1u) / DOWN;
const DEPTHS: u32 = (O + DEEP - 1u) / DEEP;
// The rows of taps in one turn, and what of x they need.
const TAPS: u32 = select(1u, KH, WHOLE);
const BAND: u32 = ((DOWN - 1u) * u32(STEP_H) + (TAPS - 1u) * u32(DIL_H) + POOL_H) / POOL_H * POOL_H;
const SPAN: u32 = ((ACROSS - 1u) * u32(STEP_W) + (KW - 1u) * u32(DIL_W) + POOL_W) / POOL_W * POOL_W;
const PATCH: u32 = DOWN * ACROSS;
// No window reaches over an edge of x.
const INSIDE: bool = PAD_H <= 0 && PAD_W <= 0 && SPREAD_H == 1 && SPREAD_W == 1 &&
  (i32(LINES * DOWN) - 1) * STEP_H - PAD_H + (i32(KH) - 1) * DIL_H < i32(H) &&
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

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (id.y * groups.x + id.x) * LANES + lane;
  if (i >= N * LINES * TILES * DEPTHS * GROUPS) {
    return;
  }
  let left = i % TILES * ACROSS;
  let top = i / TILES % LINES * DOWN;
  let n = i / TILES / LINES % N;
  let depth = i / TILES / LINES / N % DEPTHS * DEEP;
  let group = i / TILES / LINES / N / DEPTHS;
  let from_x = i32(left) * STEP_W - PAD_W;
  var total: array<f32, DEEP * PATCH>;
  for (var c = 0u; c < C; c++) {
    let plane = (n * GROUPS + group) * C + c;
    for (var first = 0u; first < KH; first += TAPS) {
      let from_y = i32(top) * STEP_H - PAD_H + i32(first) * DIL_H;
      var field: array<f32, BAND * SPAN>;
      // @if PLAIN
      {
        // @unroll
        for (var j = 0u; j < BAND; j++) {
          let y = from_y + i32(j);
          let y_ok = INSIDE || (y >= 0 && y % SPREAD_H == 0 && y / SPREAD_H < i32(H));
          let line = (plane * H + u32(clamp(y / SPREAD_H, 0, i32(H) - 1))) * W;
          // @unroll
          for (var k = 0u; k < SPAN; k++) {
            let at = from_x + i32(k);
            let ok = INSIDE || (y_ok && at >= 0 && at % SPREAD_W == 0 && at / SPREAD_W < i32(W));
            field[j * SPAN + k] = select(0.0, x[line + u32(clamp(at / SPREAD_W, 0, i32(W) - 1))], ok);
          }
        }
      }
      // @if POOLED
      {
        // The field begins with a window: from_y and from_x are multiples of its size. Each window is read once.
        // @unroll
        for (var j = 0u; j < BAND; j += POOL_H) {
          let y = from_y + i32(j);
          let line = u32(clamp(y / i32(POOL_H), 0, i32(H / POOL_H) - 1));
          let y_ok = y >= 0 && y < i32(H / POOL_H * POOL_H);
          // @unroll
          for (var k = 0u; k < SPAN; k += POOL_W) {
            // @where FIRST < k + POOL_W && k < END
            {
              let at = from_x + i32(k);
              let column = u32(clamp(at / i32(POOL_W), 0, i32(W / POOL_W) - 1));
              let window = (plane * (H / POOL_H) + line) * (W / POOL_W) + column;
              let place = select(0xffffffffu, index[window] - line * POOL_H * W - column * POOL_W, y_ok && at >= 0 && at < i32(W / POOL_W * POOL_W));
              let value = x[window];
              // @unroll
              for (var s = 0u; s < POOL_H; s++) {
                // @unroll
                for (var t = 0u; t < POOL_W; t++) {
                  field[(j + s) * SPAN + k + t] = select(0.0, value, place == s * W + t);
                }
              }
            }
          }
        }
      }
      // @unroll
      for (var o = 0u; o < DEEP; o++) {
        let start = group * W_GROUP + min(depth + o, O - 1u) * W_OUT + c * W_IN;
        var weights: array<f32, TAPS * KW>;
        // @unroll
        for (var ky = 0u; ky < TAPS; ky++) {
          let row = start + select(first + ky, KH - 1u - first - ky, FLIP) * KW;
          // @unroll
          for (var kx = 0u; kx < KW; kx++) {
            weights[ky * KW + kx] = w[row + select(kx, KW - 1u - kx, FLIP)];
          }
        }
        // One row after the other: its sums stay in registers.
        // @unroll
        for (var r = 0u; r < DOWN; r++) {
          // @unroll
          for (var ky = 0u; ky < TAPS; ky++) {
            // @unroll
            for (var kx = 0u; kx < KW; kx++) {
              // @unroll
              for (var t = 0u; t < ACROSS; t++) {
                // @where FIRST < t * u32(STEP_W) + kx * u32(DIL_W) + 1u && t * u32(STEP_W) + kx * u32(DIL_W) < END
                total[o * PATCH + r * ACROSS + t] += field[(r * u32(STEP_H) + ky * u32(DIL_H)) * SPAN + t * u32(STEP_W) + kx * u32(DIL_W)] * weights[ky * KW + kx];
              }
            }
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
      for (var r = 0u; r < DOWN; r++) {
        // @unroll
        for (var t = 0u; t < ACROSS; t++) {
          if (top + r < OH && left + t < OW) {
            let to = ((n * GROUPS * O + channel) * OH + top + r) * OW + left + t;
            var value = total[o * PATCH + r * ACROSS + t];
            // @include "parts/epilogue.wgsl"
            y[to] = value;
          }
        }
      }
    }
  }
}
