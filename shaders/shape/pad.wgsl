// y [PLANES, OH, OW] = x [PLANES, H, W], with rows and columns around it: TOP and LEFT in front, or cut off where they
// are negative. With GRAD the gradient: dx from dy, each element from all places of y that show it.

alias T = f32;
const GRAD: bool = false;
// What lies around: 0 the value in `fill`, 1 the reflection of x, 2 its edges, 3 x again.
const MODE: u32 = 0u;
const FILL: bool = true;
const SIZE: u32 = 1u; // The elements of the result.
const H: i32 = 1;
const W: i32 = 1;
const OH: i32 = 1;
const OW: i32 = 1;
const TOP: i32 = 0;
const LEFT: i32 = 0;

@group(0) @binding(0) var<storage, read> source: array<T>;
// @if FILL
@group(0) @binding(1) var<storage, read> fill: array<T>;
@group(0) @binding(2) var<storage, read_write> result: array<T>;

// The place in x of place `o` of y, along an axis of `size`; outside of it only with MODE 0.
fn place(o: i32, size: i32, before: i32) -> i32 {
  let i = o - before;
  if (MODE == 1u) {
    return size - 1 - abs(size - 1 - abs(i));
  }
  if (MODE == 2u) {
    return clamp(i, 0, size - 1);
  }
  if (MODE == 3u) {
    return (i + size) % size;
  }
  return i;
}

// The places of y that show place `i` of x: from the first to before the second, in front of x (part 0), in it (1), and
// behind it (2).
fn places(part: i32, i: i32, size: i32, before: i32, padded: i32) -> vec2i {
  var start = before + i;
  var end = start + 1;
  if (part != 1) {
    let back = part == 2;
    if (MODE == 1u) {
      start = before + select(-i, 2 * (size - 1) - i, back);
      end = start + select(1, 0, i == select(0, size - 1, back));
    } else if (MODE == 2u) {
      start = select(0, before + size, back);
      end = select(0, select(before, padded, back), i == select(0, size - 1, back));
    } else {
      start += select(-size, size, back);
      end = start + 1;
    }
  }
  return vec2i(max(start, 0), min(end, padded));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.y * groups.x + group.x) * 64u + lane;
  if (index >= SIZE) {
    return;
  }
  let i = i32(index);
  // @if GRAD
  {
    let plane = i / (H * W) * OH * OW;
    var total = T();
    for (var down = select(1, 0, MODE > 0u); down < select(2, 3, MODE > 0u); down++) {
      let rows = places(down, i / W % H, H, TOP, OH);
      for (var across = select(1, 0, MODE > 0u); across < select(2, 3, MODE > 0u); across++) {
        let columns = places(across, i % W, W, LEFT, OW);
        for (var row = rows.x; row < rows.y; row++) {
          for (var column = columns.x; column < columns.y; column++) {
            total += source[u32(plane + row * OW + column)];
          }
        }
      }
    }
    result[index] = total;
    return;
  }
  let row = place(i / OW % OH, H, TOP);
  let column = place(i % OW, W, LEFT);
  let at = i / (OH * OW) * H * W + row * W + column;
  // @if FILL
  {
    if (row < 0 || row >= H || column < 0 || column >= W) {
      result[index] = fill[0];
      return;
    }
  }
  result[index] = source[u32(at)];
}
