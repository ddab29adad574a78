// loss = the sum over the ROWS of x of −Σ t log softmax(x), times SCALE, where t is SMOOTHING / CLASSES everywhere and
// 1 − SMOOTHING more at the label, all times the class's weight; and dx = (softmax(x) Σ t − t) SCALE, its gradient. The
// elements of a row are INNER apart. One workgroup takes all rows, each lane every LANES-th; the lanes' losses are
// joined as a tree. A label out of range gives NaN.

const ROWS: u32 = 1u;
const CLASSES: u32 = 1u;
const INNER: u32 = 1u;
const SMOOTHING: f32 = 0.0;
const SCALE: f32 = 1.0;
const WEIGHTED: bool = false;
// Rows whose label is IGNORED count nothing.
const IGNORES: bool = false;
const IGNORED: u32 = 0u;
// The sum is divided by that of the labels' weights.
const DIVIDED: bool = false;
const LANES: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
// @if WEIGHTED
@group(0) @binding(4) var<storage, read> weights: array<f32>;

var<workgroup> parts: array<f32, LANES>;

fn weight(c: u32) -> f32 {
  var own = 1.0;
  // @if WEIGHTED
  {
    own = weights[c];
  }
  return own;
}

// The sum of the lanes' values, for the first lane.
fn join(lane: u32, value: f32) -> f32 {
  parts[lane] = value;
  for (var width = LANES / 2u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if (lane < width) {
      parts[lane] += parts[lane + width];
    }
  }
  return parts[0];
}

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
  var scale = SCALE;
  // @if DIVIDED
  {
    var counted = 0.0;
    for (var row = lane; row < ROWS; row += LANES) {
      let label = labels[row];
      counted += select(weight(min(label, CLASSES - 1u)), 0.0, IGNORES && label == IGNORED);
    }
    _ = join(lane, counted);
    workgroupBarrier();
    scale = 1.0 / parts[0];
    workgroupBarrier();
  }
  // Of Σ t, what does not depend on the label.
  var even = 0.0;
  // @if WEIGHTED
  {
    for (var c = 0u; c < CLASSES; c++) {
      even += SMOOTHING / f32(CLASSES) * weights[c];
    }
  }
  var total = 0.0;
  for (var row = lane; row < ROWS; row += LANES) {
    let start = row / INNER * CLASSES * INNER + row % INNER;
    let label = labels[row];
    var largest = x[start];
    for (var c = 1u; c < CLASSES; c++) {
      largest = max(largest, x[start + c * INNER]);
    }
    var sum = 0.0;
    for (var c = 0u; c < CLASSES; c++) {
      sum += exp(x[start + c * INNER] - largest);
    }
    let shift = log(sum);
    let known = min(label, CLASSES - 1u);
    let ignored = IGNORES && label == IGNORED;
    var whole = 1.0;
    // @if WEIGHTED
    {
      whole = (1.0 - SMOOTHING) * weights[known] + even;
    }
    var all = 0.0;
    for (var c = 0u; c < CLASSES; c++) {
      let p = x[start + c * INNER] - largest - shift;
      all += p * weight(c);
      let here = select(0.0, 1.0 - SMOOTHING, label == c);
      let slope = exp(p) * whole - here * weight(c) - SMOOTHING / f32(CLASSES) * weight(c);
      dx[start + c * INNER] = select(slope * scale, 0.0, ignored);
    }
    let own = x[start + known * INNER] - largest - shift;
    let value = (1.0 - SMOOTHING) * own * weight(known) + SMOOTHING / f32(CLASSES) * all;
    // The pattern is computed, since WGSL refuses a constant that is not a number.
    let checked = select(-value, bitcast<f32>(0x7fc00000u | min(label, 1u)), label >= CLASSES);
    total += select(checked, 0.0, ignored);
  }
  let result = join(lane, total);
  if (lane == 0u) {
    loss[0] = result * scale;
  }
}
