// counter [1] goes up by one: a dispatch that does next to nothing, to measure what a dispatch costs.

@group(0) @binding(0) var<storage, read_write> counter: array<u32>;

@compute @workgroup_size(1)
fn main() {
  counter[0] += 1u;
}
