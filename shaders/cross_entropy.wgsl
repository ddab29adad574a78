// loss = the sum over the rows of x [ROWS, CLASSES] of −Σ t log softmax(x), times SCALE, where t is SMOOTHING / CLASSES
// everywhere and 1 − SMOOTHING more at the label; and dx [ROWS, CLASSES] = (softmax(x) − t) SCALE, its gradient. One workgroup
// takes all rows, each lane every LANES-th; the lanes' losses are joined as a tree. A label out of range gives NaN.

const ROWS: u32 = 1u;
const CLASSES: u32 = 1u;
const SMOOTHING: f32 = 0.0;
const SCALE: f32 = 1.0;
const LANES: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

var<workgroup> losses: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
  var total = 0.0;
  for (var row = lane; row < ROWS; row += LANES) {
    let start = row * CLASSES;
    let label = labels[row];
    var largest = x[start];
    for (var c = 1u; c < CLASSES; c++) {
      largest = max(largest, x[start + c]);
    }
    var sum = 0.0;
    for (var c = 0u; c < CLASSES; c++) {
      sum += exp(x[start + c] - largest);
    }
    let shift = log(sum);
    var all = 0.0;
    for (var c = 0u; c < CLASSES; c++) {
      let p = x[start + c] - largest - shift;
      all += p;
      let here = select(0.0, 1.0 - SMOOTHING, label == c);
      dx[start + c] = (exp(p) - here - SMOOTHING / f32(CLASSES)) * SCALE;
    }
    let own = x[start + min(label, CLASSES - 1u)] - largest - shift;
    let value = (1.0 - SMOOTHING) * own + SMOOTHING / f32(CLASSES) * all;
    // The pattern is computed, since WGSL refuses a constant that is not a number.
    total += select(-value, bitcast<f32>(0x7fc00000u | min(label, 1u)), label >= CLASSES);
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
