// The shapes of a convolution: x [N, C, H, W], w [O, C, KH, KW], y [N, O, OH, OW]; C and O count those of a group.

const N: u32 = 1u;
const C: u32 = 1u;
const H: u32 = 1u;
const W: u32 = 1u;
const O: u32 = 1u;
const OH: u32 = 1u;
const OW: u32 = 1u;
const KH: u32 = 1u;
const KW: u32 = 1u;
