// loss [ROWS] = −Σ t p over each row of the log-probabilities p, where t is SMOOTHING / CLASSES everywhere and 1 −
// SMOOTHING more at the label, all times the class's weight. The elements of a row are INNER apart. An ignored label
// gives 0, one out of range NaN.

const ROWS: u32 = 1u;
const CLASSES: u32 = 1u;
const INNER: u32 = 1u;
const SMOOTHING: f32 = 0.0;
const WEIGHTED: bool = false;
// Rows whose label is IGNORED count nothing.
const IGNORES: bool = false;
const IGNORED: u32 = 0u;

@group(0) @binding(0) var<storage, read> p: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
// @if WEIGHTED
@group(0) @binding(3) var<storage, read> weights: array<f32>;

fn weight(c: u32) -> f32 {
  var own = 1.0;
  // @if WEIGHTED
  {
    own = weights[c];
  }
  return own;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= ROWS) {
    return;
  }
  let start = i / INNER * CLASSES * INNER + i % INNER;
  let label = labels[i];
  let known = min(label, CLASSES - 1u);
  var total = (1.0 - SMOOTHING) * p[start + known * INNER] * weight(known);
  if (SMOOTHING > 0.0) {
    var all = 0.0;
    for (var c = 0u; c < CLASSES; c++) {
      all += p[start + c * INNER] * weight(c);
    }
    total += SMOOTHING / f32(CLASSES) * all;
  }
  // The pattern is computed, since WGSL refuses a constant that is not a number.
  let value = select(-total, bitcast<f32>(0x7fc00000u | min(label, 1u)), label >= CLASSES);
  loss[i] = select(value, 0.0, IGNORES && label == IGNORED);
}
