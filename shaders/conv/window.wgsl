// The groups of a convolution, and its steps, padding and dilation.

const GROUPS: u32 = 1u;
const STEP_H: i32 = 1;
const STEP_W: i32 = 1;
const PAD_H: i32 = 0;
const PAD_W: i32 = 0;
const DIL_H: i32 = 1;
const DIL_W: i32 = 1;
