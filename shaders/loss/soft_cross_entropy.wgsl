// loss = −Σ t log softmax(x) over all of x and its targets t, times SCALE, and dx = (softmax(x) Σ t − t) SCALE, its
// gradient, where Σ t is that of a row. The CLASSES elements of a row are INNER apart. One workgroup takes all rows,
// each lane every LANES-th; the lanes' losses are joined as a tree.

const ROWS: u32 = 1u;
const CLASSES: u32 = 1u;
const INNER: u32 = 1u;
const SCALE: f32 = 1.0;
const LANES: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> t: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

var<workgroup> losses: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
  var total = 0.0;
  for (var row = lane; row < ROWS; row += LANES) {
    let start = row / INNER * CLASSES * INNER + row % INNER;
    var largest = x[start];
    var whole = t[start];
    for (var c = 1u; c < CLASSES; c++) {
      largest = max(largest, x[start + c * INNER]);
      whole += t[start + c * INNER];
    }
    var sum = 0.0;
    for (var c = 0u; c < CLASSES; c++) {
      sum += exp(x[start + c * INNER] - largest);
    }
    let shift = log(sum);
    for (var c = 0u; c < CLASSES; c++) {
      let at = start + c * INNER;
      let p = x[at] - largest - shift;
      total -= t[at] * p;
      dx[at] = (exp(p) * whole - t[at]) * SCALE;
    }
  }
  losses[lane] = total;
  for (var width = LANES / 2u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if (lane < width) {
      losses[lane] += losses[lane + width];
    }
  }
  if (lane == 0u) {
    loss[0] = losses[0] * SCALE;
  }
}
