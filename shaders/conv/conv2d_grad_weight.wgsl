// dw [PARTS, GROUPS O, C, KH, KW] and db [PARTS, GROUPS O] from x [N, GROUPS C, H, W] and dy [N, GROUPS O, OH, OW]. The rows
// of dy are split into PARTS, in turn, each with its own partial sums. With POOL_H and POOL_W, dy is given by its max-pooled
// windows: dy holds the gradients of the maxima, index where each was in its plane, and a row is a row of windows.
// An invocation sums TAPS rows of taps of DEEP output channels for one input channel, in registers, taking ACROSS neighbours
// at a time.

// Rows of x are loaded as vectors of VECTOR elements, where they and the steps along them are multiples of it.
alias V = vec4f;
const VECTOR: u32 = 1u;
const WIDE: bool = false;
const NARROW: bool = true;
// Invocations in a workgroup.
const LANES: u32 = 8u;
// @include "conv/shape.wgsl"
// @include "conv/window.wgsl"
const POOLED: bool = false;
const POOL_H: u32 = 1u;
const POOL_W: u32 = 1u;
const BIAS: bool = false;
const PLAIN: bool = true;
const PARTS: u32 = 1u;
const TAPS: u32 = 1u;
const DEEP: u32 = 1u;
const ACROSS: u32 = 1u;

const DEPTHS: u32 = (O + DEEP - 1u) / DEEP;
const TURNS: u32 = KH / TAPS;
// What of x the POOL_H rows of ACROSS outputs need.
const SPAN_H: u32 = (POOL_H - 1u) * u32(STEP_H) + (TAPS - 1u) * u32(DIL_H) + 1u;
const SPAN: u32 = ((ACROSS - 1u) * u32(STEP_W) + (KW - 1u) * u32(DIL_W) + VECTOR) / VECTOR * VECTOR;
const LINES: u32 = OH / POOL_H;
const STRIPS: u32 = select((OW + ACROSS - 1u) / ACROSS, OW / POOL_W * POOL_W / ACROSS, POOLED);
const PATCH: u32 = POOL_H * ACROSS;
// No window reaches over an edge of x.
const INSIDE: bool = PAD_H == 0 && PAD_W == 0 && (i32(STRIPS * ACROSS) - 1) * STEP_W + (i32(KW) - 1) * DIL_W < i32(W);

// @if NARROW
@group(0) @binding(0) var<storage, read> x: array<f32>;
// @if WIDE
@group(0) @binding(5) var<storage, read> x_wide: array<V>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
// @if POOLED
@group(0) @binding(2) var<storage, read> index: array<u32>;
@group(0) @binding(3) var<storage, read_write> dw: array<f32>;
// @if BIAS
@group(0) @binding(4) var<storage, read_write> db: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (id.y * groups.x + id.x) * LANES + lane;
  if (i >= PARTS * TURNS * DEPTHS * C * GROUPS) {
    return;
  }
  let part = i % PARTS;
  let first = i / PARTS % TURNS * TAPS;
  let c = i / PARTS / TURNS % C;
  let depth = i / PARTS / TURNS / C % DEPTHS * DEEP;
  let group = i / PARTS / TURNS / C / DEPTHS;
  var total: array<f32, DEEP * TAPS * KW>;
  var sums: array<f32, DEEP>;
  for (var line = part; line < N * LINES; line += PARTS) {
    let n = line / LINES;
    let row = line % LINES * POOL_H;
    let plane = (n * GROUPS * C + group * C + c) * H * W;
    for (var strip = 0u; strip < STRIPS; strip++) {
      let left = strip * ACROSS;
      var grad: array<f32, DEEP * PATCH>;
      // @unroll
      for (var o = 0u; o < DEEP; o++) {
        let channel = n * GROUPS * O + group * O + min(depth + o, O - 1u);
        // @if POOLED
        {
          // @unroll
          for (var p = 0u; p < ACROSS / POOL_W; p++) {
            let window = (channel * LINES + row / POOL_H) * (OW / POOL_W) + left / POOL_W + p;
            let value = dy[window];
            let place = index[window] - row * OW - left - p * POOL_W;
            // @unroll
            for (var s = 0u; s < POOL_H; s++) {
              // @unroll
              for (var t = 0u; t < POOL_W; t++) {
                grad[o * PATCH + s * ACROSS + p * POOL_W + t] = select(0.0, value, place == s * OW + t);
              }
            }
          }
        }
        // @if PLAIN
        {
          // @unroll
          for (var t = 0u; t < ACROSS; t++) {
            let at = (channel * OH + row) * OW + min(left + t, OW - 1u);
            grad[o * PATCH + t] = select(0.0, dy[at], left + t < OW);
          }
        }
      }
      var field: array<f32, SPAN_H * SPAN>;
      // @unroll
      for (var j = 0u; j < SPAN_H; j++) {
        // @if WIDE
        {
          let start = (plane + (row * u32(STEP_H) + first * u32(DIL_H) + j) * W + left * u32(STEP_W)) / VECTOR;
          // @unroll
          for (var k = 0u; k < SPAN; k += VECTOR) {
            let values = x_wide[start + k / VECTOR];
            // @unroll
            for (var e = 0u; e < VECTOR; e++) {
              field[j * SPAN + k + e] = values[e];
            }
          }
        }
        // @if NARROW
        {
          let from_y = i32(row) * STEP_H - PAD_H + i32(first) * DIL_H + i32(j);
          let y_ok = INSIDE || (from_y >= 0 && from_y < i32(H));
          let start = plane + u32(clamp(from_y, 0, i32(H) - 1)) * W;
          let from_x = i32(left) * STEP_W - PAD_W;
          // @unroll
          for (var k = 0u; k < SPAN; k++) {
            let at = from_x + i32(k);
            let ok = INSIDE || (y_ok && at >= 0 && at < i32(W));
            field[j * SPAN + k] = select(0.0, x[start + u32(clamp(at, 0, i32(W) - 1))], ok);
          }
        }
      }
      // @unroll
      for (var o = 0u; o < DEEP; o++) {
        // @if BIAS
        {
          // @unroll
          for (var t = 0u; t < PATCH; t++) {
            sums[o] += grad[o * PATCH + t];
          }
        }
        // One row of taps after the other: its sums stay in registers.
        // @unroll
        for (var ky = 0u; ky < TAPS; ky++) {
          // @unroll
          for (var s = 0u; s < POOL_H; s++) {
            // @unroll
            for (var t = 0u; t < ACROSS; t++) {
              // @unroll
              for (var kx = 0u; kx < KW; kx++) {
                total[(o * TAPS + ky) * KW + kx] += grad[o * PATCH + s * ACROSS + t] * field[(s * u32(STEP_H) + ky * u32(DIL_H)) * SPAN + t * u32(STEP_W) + kx * u32(DIL_W)];
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
      let channel = part * GROUPS * O + group * O + depth + o;
      // @unroll
      for (var k = 0u; k < TAPS * KW; k++) {
        dw[((channel * C + c) * KH + first) * KW + k] = total[o * TAPS * KW + k];
      }
      // @if BIAS
      if (c == 0u && first == 0u) {
        db[channel] = sums[o];
      }
    }
  }
}
