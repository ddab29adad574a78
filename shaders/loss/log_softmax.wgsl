// y = x − log Σ exp x along rows of CLASSES elements that are INNER apart. An invocation takes a row.

const ROWS: u32 = 1u;
const CLASSES: u32 = 1u;
const INNER: u32 = 1u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= ROWS) {
    return;
  }
  let start = i / INNER * CLASSES * INNER + i % INNER;
  var largest = x[start];
  for (var c = 1u; c < CLASSES; c++) {
    largest = max(largest, x[start + c * INNER]);
  }
  var total = 0.0;
  for (var c = 0u; c < CLASSES; c++) {
    total += exp(x[start + c * INNER] - largest);
  }
  let shift = log(total);
  for (var c = 0u; c < CLASSES; c++) {
    y[start + c * INNER] = x[start + c * INNER] - largest - shift;
  }
}
