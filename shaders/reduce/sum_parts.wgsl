// sum_a [SIZE_A], sum_b [SIZE_B] = the sums of a [PARTS, SIZE_A] and b [PARTS, SIZE_B] over their parts, in order.

const PARTS: u32 = 1u;
const SIZE_A: u32 = 1u;
const SIZE_B: u32 = 1u;
const BOTH: bool = true;

@group(0) @binding(0) var<storage, read> a: array<f32>;
// @if BOTH
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> sum_a: array<f32>;
// @if BOTH
@group(0) @binding(3) var<storage, read_write> sum_b: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < SIZE_A) {
    var total = 0.0;
    for (var part = 0u; part < PARTS; part++) {
      total += a[part * SIZE_A + i];
    }
    sum_a[i] = total;
  }
  // @if BOTH
  if (i >= SIZE_A && i - SIZE_A < SIZE_B) {
    var total = 0.0;
    for (var part = 0u; part < PARTS; part++) {
      total += b[part * SIZE_B + i - SIZE_A];
    }
    sum_b[i - SIZE_A] = total;
  }
}
