// dx [ROWS, CLASSES] = (exp p − t) dy SCALE, where p is the log-softmax, and t is SMOOTHING / CLASSES everywhere and 1 − SMOOTHING more at the label.

const ROWS: u32 = 1u;
const CLASSES: u32 = 1u;
const SMOOTHING: f32 = 0.0;
const SCALE: f32 = 1.0;
// dy has an element for each row, not one for all.
const ROW_GRADIENTS: bool = false;

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read> p: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= ROWS * CLASSES) {
    return;
  }
  let row = i / CLASSES;
  let here = select(0.0, 1.0 - SMOOTHING, labels[row] == i % CLASSES);
  dx[i] = (exp(p[i]) - here - SMOOTHING / f32(CLASSES)) * dy[select(0u, row, ROW_GRADIENTS)] * SCALE;
}
