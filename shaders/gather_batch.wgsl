// x [COUNT, CHANNELS, PLANE], y [COUNT] = the images and labels of the next batch, in the epoch's order. Pixels are bytes,
// four in a word, in two buffers, since a data set may be larger than one binding: the first holds FIRST images.

const COUNT: u32 = 1u;
// Images in the batches before this one.
const STRIDE: u32 = 1u;
const CHANNELS: u32 = 1u;
const PLANE: u32 = 4u;
const FIRST: u32 = 1u;
// A byte b of channel c becomes b SCALE[c] + SHIFT[c].
const SCALE: array<f32, 3> = array<f32, 3>(1.0, 1.0, 1.0);
const SHIFT: array<f32, 3> = array<f32, 3>(0.0, 0.0, 0.0);

const WORDS: u32 = CHANNELS * PLANE / 4u;

@group(0) @binding(0) var<storage, read> pixels_a: array<u32>;
@group(0) @binding(1) var<storage, read> pixels_b: array<u32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read> order: array<u32>;
// The step within the epoch, and the step within the run.
@group(0) @binding(4) var<storage, read> counters: array<u32>;
@group(0) @binding(5) var<storage, read_write> x: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= COUNT * WORDS) {
    return;
  }
  let image = order[counters[0] * STRIDE + i / WORDS];
  let word = i % WORDS;
  let bytes = select(
    pixels_b[(max(image, FIRST) - FIRST) * WORDS + word],
    pixels_a[min(image, FIRST - 1u) * WORDS + word],
    image < FIRST,
  );
  var scale = SCALE[0];
  var shift = SHIFT[0];
  // @unroll
  for (var c = 1u; c < CHANNELS; c++) {
    let here = word / (PLANE / 4u) == c;
    scale = select(scale, SCALE[c], here);
    shift = select(shift, SHIFT[c], here);
  }
  x[i] = vec4f(vec4u(bytes & 255u, (bytes >> 8u) & 255u, (bytes >> 16u) & 255u, bytes >> 24u)) * scale + shift;
  if (word == 0u) {
    y[i / WORDS] = (labels[image / 4u] >> (image % 4u * 8u)) & 255u;
  }
}
