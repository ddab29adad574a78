// y, index [PLANES, OH, OW] = the maximum of each window of x [PLANES, H, W] and its place in the plane.

const PLANES: u32 = 1u;
const H: u32 = 1u;
const W: u32 = 1u;
const OH: u32 = 1u;
const OW: u32 = 1u;
const KH: u32 = 1u;
const KW: u32 = 1u;
const STEP_H: u32 = 1u;
const STEP_W: u32 = 1u;
const PAD_H: u32 = 0u;
const PAD_W: u32 = 0u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> index: array<u32>;

fn is_nan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= PLANES * OH * OW) {
    return;
  }
  let plane = i / (OH * OW) * H * W;
  // The window's first row and column, counted with the padding, and what of it lies inside x.
  let top = i / OW % OH * STEP_H;
  let left = i % OW * STEP_W;
  let first_y = max(top, PAD_H) - PAD_H;
  let first_x = max(left, PAD_W) - PAD_W;
  let end_y = min(top + KH, H + PAD_H) - PAD_H;
  let end_x = min(left + KW, W + PAD_W) - PAD_W;
  var best = first_y * W + first_x;
  var largest = x[plane + best];
  for (var row = first_y; row < end_y; row++) {
    for (var column = first_x; column < end_x; column++) {
      let v = x[plane + row * W + column];
      if (v > largest || is_nan(v)) {
        largest = v;
        best = row * W + column;
      }
    }
  }
  y[i] = largest;
  index[i] = best;
}
