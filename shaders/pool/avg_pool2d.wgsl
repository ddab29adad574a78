// y [PLANES, OH, OW] = the mean of each window of x [PLANES, H, W]. With GRAD the gradient: dx from dy, each element
// from the windows that it lies in. With ADAPTIVE, the windows of an axis divide it into OH (or OW) parts as even as
// can be.

const GRAD: bool = false;
const ADAPTIVE: bool = false;
const SIZE: u32 = 1u; // The elements of the result.
const H: i32 = 1;
const W: i32 = 1;
const OH: i32 = 1;
const OW: i32 = 1;
const KH: i32 = 1;
const KW: i32 = 1;
const STEP_H: i32 = 1;
const STEP_W: i32 = 1;
const PAD_H: i32 = 0;
const PAD_W: i32 = 0;
// What a window's sum is divided by: DIVISOR, or, where that is 0, its size, with the padding or without.
const DIVISOR: i32 = 0;
const COUNT_PAD: bool = true;

@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

// Where window `o` of an axis starts, and before which place it ends; places of the padding are negative, or `size` and
// more.
fn window(o: i32, size: i32, count: i32, kernel: i32, step: i32, pad: i32) -> vec2i {
  if (ADAPTIVE) {
    return vec2i(o * size / count, ((o + 1) * size + count - 1) / count);
  }
  let start = o * step - pad;
  return vec2i(start, min(start + kernel, size + pad));
}

// The first window of an axis that place `i` lies in, and the one behind the last.
fn windows(i: i32, size: i32, count: i32, kernel: i32, step: i32, pad: i32) -> vec2i {
  if (ADAPTIVE) {
    return vec2i(i * count / size, ((i + 1) * count + size - 1) / size);
  }
  return vec2i(max(i + pad - kernel + step, 0) / step, min((i + pad) / step + 1, count));
}

fn divisor(rows: vec2i, columns: vec2i) -> f32 {
  if (DIVISOR != 0) {
    return f32(DIVISOR);
  }
  if (COUNT_PAD) {
    return f32((rows.y - rows.x) * (columns.y - columns.x));
  }
  return f32((min(rows.y, H) - max(rows.x, 0)) * (min(columns.y, W) - max(columns.x, 0)));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.y * groups.x + group.x) * 64u + lane;
  if (index >= SIZE) {
    return;
  }
  let i = i32(index);
  var total = 0.0;
  if (GRAD) {
    let plane = i / (H * W) * OH * OW;
    let rows = windows(i / W % H, H, OH, KH, STEP_H, PAD_H);
    let columns = windows(i % W, W, OW, KW, STEP_W, PAD_W);
    for (var oy = rows.x; oy < rows.y; oy++) {
      let down = window(oy, H, OH, KH, STEP_H, PAD_H);
      for (var ox = columns.x; ox < columns.y; ox++) {
        total += source[u32(plane + oy * OW + ox)] / divisor(down, window(ox, W, OW, KW, STEP_W, PAD_W));
      }
    }
  } else {
    let plane = i / (OH * OW) * H * W;
    let rows = window(i / OW % OH, H, OH, KH, STEP_H, PAD_H);
    let columns = window(i % OW, W, OW, KW, STEP_W, PAD_W);
    for (var row = max(rows.x, 0); row < min(rows.y, H); row++) {
      for (var column = max(columns.x, 0); column < min(columns.y, W); column++) {
        total += source[u32(plane + row * W + column)];
      }
    }
    total /= divisor(rows, columns);
  }
  result[index] = total;
}
