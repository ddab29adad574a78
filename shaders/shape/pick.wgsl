// out [1] = table[step of the run % SLOTS]: what the CPU has laid ready for each of the coming steps.

const SLOTS: u32 = 1u;

@group(0) @binding(0) var<storage, read> table: array<f32>;
@group(0) @binding(1) var<storage, read> counters: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(1)
fn main() {
  out[0] = table[counters[1] % SLOTS];
}
