// dx = dy − exp(y) Σ dy along rows of CLASSES elements that are INNER apart, y being the log-softmax.

const ROWS: u32 = 1u;
const CLASSES: u32 = 1u;
const INNER: u32 = 1u;

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= ROWS) {
    return;
  }
  let start = i / INNER * CLASSES * INNER + i % INNER;
  var total = 0.0;
  for (var c = 0u; c < CLASSES; c++) {
    total += dy[start + c * INNER];
  }
  for (var c = 0u; c < CLASSES; c++) {
    dx[start + c * INNER] = dy[start + c * INNER] - exp(y[start + c * INNER]) * total;
  }
}
