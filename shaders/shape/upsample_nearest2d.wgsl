// y [PLANES, OH, OW] = the nearest element of x [PLANES, H, W]. With GRAD the gradient: dx from dy, each element from
// the places of y that show it, which are neighbours.

const GRAD: bool = false;
const SIZE: u32 = 1u; // The elements of the result.
const H: i32 = 1;
const W: i32 = 1;
const OH: i32 = 1;
const OW: i32 = 1;
// The distance in x of neighbours in y.
const SCALE_H: f32 = 1.0;
const SCALE_W: f32 = 1.0;

@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

fn place(o: i32, size: i32, scale: f32) -> i32 {
  return min(i32(floor(f32(o) * scale)), size - 1);
}

// The first place of y that shows place `i` of x, or a later one.
fn first(i: i32, size: i32, scale: f32) -> i32 {
  // A division may be off by a little: one too low, and no further.
  var o = max(i32(f32(i) / scale) - 1, 0);
  while (place(o, size, scale) < i) {
    o++;
  }
  return o;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.y * groups.x + group.x) * 64u + lane;
  if (index >= SIZE) {
    return;
  }
  let i = i32(index);
  if (GRAD) {
    let plane = i / (H * W) * OH * OW;
    let y = i / W % H;
    let x = i % W;
    let left = first(x, W, SCALE_W);
    var total = 0.0;
    for (var oy = first(y, H, SCALE_H); oy < OH && place(oy, H, SCALE_H) == y; oy++) {
      for (var ox = left; ox < OW && place(ox, W, SCALE_W) == x; ox++) {
        total += source[u32(plane + oy * OW + ox)];
      }
    }
    result[index] = total;
  } else {
    let plane = i / (OH * OW) * H * W;
    result[index] = source[u32(plane + place(i / OW % OH, H, SCALE_H) * W + place(i % OW, W, SCALE_W))];
  }
}
