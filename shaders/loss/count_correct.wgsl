// correct [1] = the number of rows of x [ROWS, CLASSES] whose largest element is at the label. Of equal elements the
// first counts, as in argmax. One workgroup takes all rows, each lane every LANES-th; the lanes' counts are added as a
// tree. Counts are whole, so that the order does not matter.

const ROWS: u32 = 1u;
const CLASSES: u32 = 1u;
const LANES: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read_write> correct: array<f32>;

var<workgroup> counts: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
  var count = 0.0;
  for (var row = lane; row < ROWS; row += LANES) {
    let start = row * CLASSES;
    var best = 0u;
    for (var c = 1u; c < CLASSES; c++) {
      if (x[start + c] > x[start + best]) {
        best = c;
      }
    }
    count += select(0.0, 1.0, best == labels[row]);
  }
  counts[lane] = count;
  for (var width = LANES / 2u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if (lane < width) {
      counts[lane] += counts[lane + width];
    }
  }
  if (lane == 0u) {
    correct[0] = counts[0];
  }
}
