// y [N, GROUPS O, OH, OW] = the convolution of x [N, GROUPS C, H, W], spread out by SPREAD with zeros between, with w
// (+ bias) (relu), or 0 where mask is not positive; the same as conv2d.wgsl, as a product: a row is an output channel,
// a column one of the N OH OW places, and a sum runs over channels and taps. A workgroup computes a tile of SIDE x SIDE
// outputs: it stages DEPTH terms of both operands in its memory, and each invocation sums EACH x EACH outputs from
// there.

alias T = f32;
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
const SUMS: bool = false;

// @include "matmul/tile.wgsl"
const TAPS: u32 = KH * KW;
const TERMS: u32 = C * TAPS;
const PLACES: u32 = N * OH * OW;
const TILES_O: u32 = (O + SIDE - 1u) / SIDE;
const TILES_P: u32 = (PLACES + SIDE - 1u) / SIDE;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
// @if BIAS
@group(0) @binding(2) var<storage, read> bias: array<f32>;
// @if MASK
@group(0) @binding(3) var<storage, read> mask: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = id.y * groups.x + id.x;
  let group = i / TILES_P / TILES_O;
  if (group >= GROUPS) {
    return;
  }
  let top = i / TILES_P % TILES_O * SIDE;
  let start = i % TILES_P * SIDE;
  // The four places that this invocation stages: where their image begins, and their field in it.
  var plane: vec4u;
  var from_y: vec4i;
  var from_x: vec4i;
  // @unroll
  for (var e = 0u; e < 4u; e++) {
    let place = min(start + lane % QUADS * 4u + e, PLACES - 1u);
    plane[e] = (place / (OH * OW) * GROUPS + group) * C * H * W;
    from_y[e] = i32(place / OW % OH) * STEP_H - PAD_H;
    from_x[e] = i32(place % OW) * STEP_W - PAD_W;
  }
  var total: array<vec4f, EACH * VECTORS>;
  for (var k = 0u; k < TERMS; k += DEPTH) {
    for (var turn = 0u; turn < TURNS; turn++) {
      {
        // Neighbours load along the terms, which follow each other or are a kernel's taps.
        let d = lane % DEPTH;
        let quad = lane / DEPTH + turn * (LANES / DEPTH);
        let term = min(k + d, TERMS - 1u);
        let tap = select(term % TAPS, TAPS - 1u - term % TAPS, FLIP);
        let at = group * W_GROUP + term / TAPS * W_IN + tap;
        var weights: vec4f;
        // @unroll
        for (var e = 0u; e < 4u; e++) {
          let value = w[at + min(top + quad * 4u + e, O - 1u) * W_OUT];
          weights[e] = select(0.0, value, k + d < TERMS && top + quad * 4u + e < O);
        }
        left[d * STRIDE + quad] = weights;
      }
      {
        let d = lane / QUADS + turn * (LANES / QUADS);
        let term = min(k + d, TERMS - 1u);
        let channel = term / TAPS * (H * W);
        let tap_y = i32(term % TAPS / KW) * DIL_H;
        let tap_x = i32(term % KW) * DIL_W;
        var values: vec4f;
        // @unroll
        for (var e = 0u; e < 4u; e++) {
          let row = from_y[e] + tap_y;
          let column = from_x[e] + tap_x;
          let row_ok = row >= 0 && row % SPREAD_H == 0 && row / SPREAD_H < i32(H);
          let ok = row_ok && column >= 0 && column % SPREAD_W == 0 && column / SPREAD_W < i32(W);
          let line = u32(clamp(row / SPREAD_H, 0, i32(H) - 1)) * W;
          let value = x[plane[e] + channel + line + u32(clamp(column / SPREAD_W, 0, i32(W) - 1))];
          // Places beyond the last are not written.
          values[e] = select(0.0, value, ok && k + d < TERMS);
        }
        right[d * STRIDE + lane % QUADS] = values;
      }
    }
    // @include "parts/tile_sum.wgsl"
  }
  // @unroll
  for (var p = 0u; p < EACH; p++) {
    let place = start + (p / 4u * ACROSS + lane % ACROSS) * 4u + p % 4u;
    if (place < PLACES) {
      let to_place = place / (OH * OW) * GROUPS * O * (OH * OW) + place % (OH * OW);
      // @unroll
      for (var q = 0u; q < EACH; q++) {
        let o = top + (q / 4u * ACROSS + lane / ACROSS) * 4u + q % 4u;
        if (o < O) {
          let channel = group * O + o;
          let to = to_place + channel * (OH * OW);
          var value = total[q * VECTORS + p / 4u][p % 4u];
          // @include "parts/epilogue.wgsl"
          y[to] = value;
        }
      }
    }
  }
}
