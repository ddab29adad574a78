// y [SIZE] = x read with other strides: permutation and broadcasting.

alias T = f32;
const SIZE: u32 = 1u;
// The dimensions of y, outermost first, the last RANK of them used, and the distance in x of neighbours along each.
const RANK: u32 = 6u;
const DIMS: array<u32, 6> = array<u32, 6>(1u, 1u, 1u, 1u, 1u, 1u);
const STRIDES: array<u32, 6> = array<u32, 6>(0u, 0u, 0u, 0u, 0u, 0u);

@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<T>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= SIZE) {
    return;
  }
  var rest = i;
  var at = 0u;
  // @unroll
  for (var d = 0u; d < RANK; d++) {
    at += rest % DIMS[5u - d] * STRIDES[5u - d];
    rest /= DIMS[5u - d];
  }
  y[i] = x[at];
}
