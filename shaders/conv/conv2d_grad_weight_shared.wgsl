// dw [PARTS, GROUPS O, C, KH, KW] and db [PARTS, GROUPS O] from x [N, GROUPS C, H, W] and dy [N, GROUPS O, OH, OW]; the
// same as conv2d_grad_weight.wgsl, as a product: a row is an output channel, a column a weight of one, and a sum runs
// over the N OH OW places, of which each part has CHUNK. A workgroup computes a tile of SIDE x SIDE weights: it stages
// DEPTH places of both operands in its memory, and each invocation sums EACH x EACH weights from there.

// @include "conv/shape.wgsl"
// @include "conv/window.wgsl"
const BIAS: bool = false;
const SUMS: bool = BIAS;
const PARTS: u32 = 1u;

// @include "matmul/tile.wgsl"
const TAPS: u32 = KH * KW;
const WEIGHTS: u32 = C * TAPS;
const PLACES: u32 = N * OH * OW;
const CHUNK: u32 = ((PLACES + PARTS - 1u) / PARTS + DEPTH - 1u) / DEPTH * DEPTH;
const TILES_O: u32 = (O + SIDE - 1u) / SIDE;
const TILES_W: u32 = (WEIGHTS + SIDE - 1u) / SIDE;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dw: array<f32>;
// @if BIAS
@group(0) @binding(3) var<storage, read_write> db: array<f32>;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = id.y * groups.x + id.x;
  let group = i / TILES_W / TILES_O / PARTS;
  if (group >= GROUPS) {
    return;
  }
  let start = i % TILES_W * SIDE;
  let top = i / TILES_W % TILES_O * SIDE;
  let part = i / TILES_W / TILES_O % PARTS;
  var total: array<vec4f, EACH * VECTORS>;
  var row_sums: array<vec4f, VECTORS>;
  for (var k = part * CHUNK; k < (part + 1u) * CHUNK; k += DEPTH) {
    // Neighbours load along the places.
    let d = lane % DEPTH;
    let place = min(k + d, PLACES - 1u);
    let image = place / (OH * OW);
    let from_y = i32(place / OW % OH) * STEP_H - PAD_H;
    let from_x = i32(place % OW) * STEP_W - PAD_W;
    for (var turn = 0u; turn < TURNS; turn++) {
      let quad = lane / DEPTH + turn * (LANES / DEPTH);
      var grads: vec4f;
      var values: vec4f;
      // @unroll
      for (var e = 0u; e < 4u; e++) {
        {
          let channel = (image * GROUPS + group) * O + min(top + quad * 4u + e, O - 1u);
          let value = dy[channel * (OH * OW) + place % (OH * OW)];
          grads[e] = select(0.0, value, k + d < PLACES && top + quad * 4u + e < O);
        }
        {
          let weight = min(start + quad * 4u + e, WEIGHTS - 1u);
          let row = from_y + i32(weight % TAPS / KW) * DIL_H;
          let column = from_x + i32(weight % KW) * DIL_W;
          let plane = ((image * GROUPS + group) * C + weight / TAPS) * (H * W);
          let value = x[plane + u32(clamp(row, 0, i32(H) - 1)) * W + u32(clamp(column, 0, i32(W) - 1))];
          let ok = row >= 0 && row < i32(H) && column >= 0 && column < i32(W);
          // Weights beyond the last are not written.
          values[e] = select(0.0, value, ok && k + d < PLACES);
        }
      }
      left[d * STRIDE + quad] = grads;
      right[d * STRIDE + quad] = values;
    }
    // @include "parts/tile_sum.wgsl"
  }
  // @unroll
  for (var q = 0u; q < EACH; q++) {
    let o = top + (q / 4u * ACROSS + lane / ACROSS) * 4u + q % 4u;
    if (o < O) {
      let channel = (part * GROUPS + group) * O + o;
      // @unroll
      for (var p = 0u; p < EACH; p++) {
        let weight = start + (p / 4u * ACROSS + lane % ACROSS) * 4u + p % 4u;
        if (weight < WEIGHTS) {
          dw[channel * WEIGHTS + weight] = total[q * VECTORS + p / 4u][p % 4u];
        }
      }
      // @if BIAS
      if (start + lane % ACROSS == 0u) {
        db[channel] = row_sums[q / 4u][q % 4u];
      }
    }
  }
}
