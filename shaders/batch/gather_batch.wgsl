// x [COUNT, CHANNELS (1 if GREY), PLANE], y [COUNT] = images and labels of the next step, in the epoch's order. Pixels
// are bytes, four in a word, in two buffers, since a data set may be larger than one binding: the first holds FIRST images.

const COUNT: u32 = 1u;
// Images of each step before this one, and those of this step that come first.
const STRIDE: u32 = 1u;
const OFFSET: u32 = 0u;
const CHANNELS: u32 = 1u;
const PLANE: u32 = 4u;
const FIRST: u32 = 1u;
const GREY: bool = false;
// A byte b of channel c becomes b SCALE[c] + SHIFT[c].
const SCALE: array<f32, 3> = array<f32, 3>(1.0, 1.0, 1.0);
const SHIFT: array<f32, 3> = array<f32, 3>(0.0, 0.0, 0.0);

const WORDS: u32 = CHANNELS * PLANE / 4u;
const OUT_WORDS: u32 = select(WORDS, PLANE / 4u, GREY);

@group(0) @binding(0) var<storage, read> pixels_a: array<u32>;
@group(0) @binding(1) var<storage, read> pixels_b: array<u32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read> order: array<u32>;
// The step within the epoch, and the step within the run.
@group(0) @binding(4) var<storage, read> counters: array<u32>;
@group(0) @binding(5) var<storage, read_write> x: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> y: array<u32>;

// Four neighbouring bytes of an image.
fn bytes(image: u32, word: u32) -> vec4f {
  let packed = select(
    pixels_b[(max(image, FIRST) - FIRST) * WORDS + word],
    pixels_a[min(image, FIRST - 1u) * WORDS + word],
    image < FIRST,
  );
  return vec4f(vec4u(packed & 255u, (packed >> 8u) & 255u, (packed >> 16u) & 255u, packed >> 24u));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= COUNT * OUT_WORDS) {
    return;
  }
  let image = order[counters[0] * STRIDE + OFFSET + i / OUT_WORDS];
  let word = i % OUT_WORDS;
  var value = bytes(image, word);
  var scale = SCALE[0];
  var shift = SHIFT[0];
  if (GREY) {
    value = 0.299 * value + 0.587 * bytes(image, word + PLANE / 4u) + 0.114 * bytes(image, word + PLANE / 2u);
  } else {
    // @unroll
    for (var c = 1u; c < CHANNELS; c++) {
      let here = word / (PLANE / 4u) == c;
      scale = select(scale, SCALE[c], here);
      shift = select(shift, SHIFT[c], here);
    }
  }
  x[i] = value * scale + shift;
  if (word == 0u) {
    y[i / OUT_WORDS] = (labels[image / 4u] >> (image % 4u * 8u)) & 255u;
  }
}
