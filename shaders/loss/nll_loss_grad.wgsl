// dp = −t dy SCALE, p being ROWS of CLASSES elements that are INNER apart, where t is SMOOTHING / CLASSES everywhere
// and 1 − SMOOTHING more at the label, all times the class's weight; 0 where the label is ignored.

const ROWS: u32 = 1u;
const CLASSES: u32 = 1u;
const INNER: u32 = 1u;
const SMOOTHING: f32 = 0.0;
const SCALE: f32 = 1.0;
// dy has an element for each row, not one for all.
const ROW_GRADIENTS: bool = false;
const WEIGHTED: bool = false;
// Rows whose label is IGNORED count nothing.
const IGNORES: bool = false;
const IGNORED: u32 = 0u;
// The loss was divided by a sum of weights, `total`.
const DIVIDED: bool = false;

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read_write> dp: array<f32>;
// @if WEIGHTED
@group(0) @binding(3) var<storage, read> weights: array<f32>;
// @if DIVIDED
@group(0) @binding(4) var<storage, read> total: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= ROWS * CLASSES) {
    return;
  }
  let row = i / (CLASSES * INNER) * INNER + i % INNER;
  let c = i / INNER % CLASSES;
  let label = labels[row];
  var share = select(0.0, 1.0 - SMOOTHING, label == c) + SMOOTHING / f32(CLASSES);
  // @if WEIGHTED
  {
    share *= weights[c];
  }
  // @if DIVIDED
  {
    share /= total[0];
  }
  let value = -share * dy[select(0u, row, ROW_GRADIENTS)] * SCALE;
  dp[i] = select(value, 0.0, IGNORES && label == IGNORED);
}
