// loss [ROWS] = −Σ t p over each row of the log-probabilities p [ROWS, CLASSES], where t is SMOOTHING / CLASSES everywhere
// and 1 − SMOOTHING more at the label. A label out of range gives NaN.

const ROWS: u32 = 1u;
const CLASSES: u32 = 1u;
const SMOOTHING: f32 = 0.0;

@group(0) @binding(0) var<storage, read> p: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= ROWS) {
    return;
  }
  let label = labels[i];
  var total = (1.0 - SMOOTHING) * p[i * CLASSES + min(label, CLASSES - 1u)];
  if (SMOOTHING > 0.0) {
    var all = 0.0;
    for (var c = 0u; c < CLASSES; c++) {
      all += p[i * CLASSES + c];
    }
    total += SMOOTHING / f32(CLASSES) * all;
  }
  // The pattern is computed, since WGSL refuses a constant that is not a number.
  loss[i] = select(-total, bitcast<f32>(0x7fc00000u | min(label, 1u)), label >= CLASSES);
}
