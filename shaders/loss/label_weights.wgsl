// y [ROWS] = the weight of each row's label: 0 if it is ignored, 1 without weights.

const ROWS: u32 = 1u;
const CLASSES: u32 = 1u;
const WEIGHTED: bool = false;
const IGNORES: bool = false;
const IGNORED: u32 = 0u;

@group(0) @binding(0) var<storage, read> labels: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
// @if WEIGHTED
@group(0) @binding(2) var<storage, read> weights: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= ROWS) {
    return;
  }
  let label = labels[i];
  var value = 1.0;
  // @if WEIGHTED
  {
    value = weights[min(label, CLASSES - 1u)];
  }
  y[i] = select(value, 0.0, IGNORES && label == IGNORED);
}
