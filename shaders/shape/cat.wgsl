// y [.., TOTAL] = x [.., RUN] from element OFFSET of each row on; other dispatches write the rest of it.

alias T = f32;
const SIZE: u32 = 1u; // The elements of x.
const RUN: u32 = 1u;
const TOTAL: u32 = 1u;
const OFFSET: u32 = 0u;

@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<T>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < SIZE) {
    y[i / RUN * TOTAL + OFFSET + i % RUN] = x[i];
  }
}
