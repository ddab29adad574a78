// dx [PLANES, H, W] = the sum of dy [PLANES, OH, OW] over the windows whose maximum is here, by index [PLANES, OH, OW].

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

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= PLANES * H * W) {
    return;
  }
  let here = i % (H * W);
  let plane = i / (H * W) * OH * OW;
  // The windows that reach this place: from the first that starts late enough to the last that starts early enough.
  let row = here / W + PAD_H;
  let column = here % W + PAD_W;
  let first_y = select(0u, (row - min(row, KH) + STEP_H) / STEP_H, row >= KH);
  let first_x = select(0u, (column - min(column, KW) + STEP_W) / STEP_W, column >= KW);
  let end_y = min(row / STEP_H + 1u, OH);
  let end_x = min(column / STEP_W + 1u, OW);
  var total = 0.0;
  for (var oy = first_y; oy < end_y; oy++) {
    for (var ox = first_x; ox < end_x; ox++) {
      let window = plane + oy * OW + ox;
      total += select(0.0, dy[window], index[window] == here);
    }
  }
  dx[i] = total;
}
