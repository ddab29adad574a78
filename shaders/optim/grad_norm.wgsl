// norms [ceil(SIZE / 16)]: of each 16 vectors of the gradients g, which lie in one block, the sum of the squares or the
// largest magnitude. filled: how many of their elements are those of a gradient; what follows them may hold anything.

// In vectors of four.
const SIZE: u32 = 1u;
// The first 16 vectors are FIRST of filled and norms.
const FIRST: u32 = 0u;
const LARGEST: bool = false;

@group(0) @binding(0) var<storage, read> g: array<vec4f>;
@group(0) @binding(1) var<storage, read> filled: array<u32>;
@group(0) @binding(2) var<storage, read_write> norms: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * groups.x + group.x) * 64u + lane;
  if (unit < (SIZE + 15u) / 16u) {
    let count = filled[FIRST + unit];
    var sums: vec4f;
    // As bits, magnitudes are in order, with NaN above infinity.
    var largest: vec4u;
    for (var v = 0u; v * 4u < count; v++) {
      let inside = vec4u(0u, 1u, 2u, 3u) + v * 4u < vec4u(count);
      let x = select(vec4f(), g[unit * 16u + v], inside);
      sums += x * x;
      largest = max(largest, bitcast<vec4u>(x) & vec4u(0x7fffffffu));
    }
    let top = max(max(largest.x, largest.y), max(largest.z, largest.w));
    norms[FIRST + unit] = select(sums.x + sums.y + sums.z + sums.w, bitcast<f32>(top), LARGEST);
  }
}
