/**
 * The texts of all kernels, so that what was measured with other texts is known to be out of date. A test compares the list
 * with the folder.
 *
 * @module
 */
import benchCount from "../../shaders/bench_count.wgsl" with { type: "text" };
import benchFma from "../../shaders/bench_fma.wgsl" with { type: "text" };
import benchStream from "../../shaders/bench_stream.wgsl" with { type: "text" };
import binary from "../../shaders/binary.wgsl" with { type: "text" };
import conv2d from "../../shaders/conv2d.wgsl" with { type: "text" };
import conv2dGradWeight from "../../shaders/conv2d_grad_weight.wgsl" with { type: "text" };
import conv2dGradWeightShared from "../../shaders/conv2d_grad_weight_shared.wgsl" with { type: "text" };
import conv2dPool from "../../shaders/conv2d_pool.wgsl" with { type: "text" };
import conv2dShared from "../../shaders/conv2d_shared.wgsl" with { type: "text" };
import crossEntropy from "../../shaders/cross_entropy.wgsl" with { type: "text" };
import crossEntropyGrad from "../../shaders/cross_entropy_grad.wgsl" with { type: "text" };
import gatherBatch from "../../shaders/gather_batch.wgsl" with { type: "text" };
import logSoftmax from "../../shaders/log_softmax.wgsl" with { type: "text" };
import logSoftmaxGrad from "../../shaders/log_softmax_grad.wgsl" with { type: "text" };
import matmul from "../../shaders/matmul.wgsl" with { type: "text" };
import matmulShared from "../../shaders/matmul_shared.wgsl" with { type: "text" };
import matmulVec4 from "../../shaders/matmul_vec4.wgsl" with { type: "text" };
import maxPool2d from "../../shaders/max_pool2d.wgsl" with { type: "text" };
import maxPool2dGrad from "../../shaders/max_pool2d_grad.wgsl" with { type: "text" };
import nllLoss from "../../shaders/nll_loss.wgsl" with { type: "text" };
import nllLossGrad from "../../shaders/nll_loss_grad.wgsl" with { type: "text" };
import recordLoss from "../../shaders/record_loss.wgsl" with { type: "text" };
import reduce from "../../shaders/reduce.wgsl" with { type: "text" };
import selectIndex from "../../shaders/select_index.wgsl" with { type: "text" };
import sgd from "../../shaders/sgd.wgsl" with { type: "text" };
import sgdMomentum from "../../shaders/sgd_momentum.wgsl" with { type: "text" };
import shuffle from "../../shaders/shuffle.wgsl" with { type: "text" };
import strided from "../../shaders/strided.wgsl" with { type: "text" };
import sumParts from "../../shaders/sum_parts.wgsl" with { type: "text" };
import unary from "../../shaders/unary.wgsl" with { type: "text" };
import { sha256 } from "../data/files.ts";

/** Every file of `shaders/`. */
export const KERNEL_TEXTS: Readonly<Record<string, string>> = {
  "bench_count.wgsl": benchCount,
  "bench_fma.wgsl": benchFma,
  "bench_stream.wgsl": benchStream,
  "binary.wgsl": binary,
  "conv2d.wgsl": conv2d,
  "conv2d_grad_weight.wgsl": conv2dGradWeight,
  "conv2d_grad_weight_shared.wgsl": conv2dGradWeightShared,
  "conv2d_pool.wgsl": conv2dPool,
  "conv2d_shared.wgsl": conv2dShared,
  "cross_entropy.wgsl": crossEntropy,
  "cross_entropy_grad.wgsl": crossEntropyGrad,
  "gather_batch.wgsl": gatherBatch,
  "log_softmax.wgsl": logSoftmax,
  "log_softmax_grad.wgsl": logSoftmaxGrad,
  "matmul.wgsl": matmul,
  "matmul_shared.wgsl": matmulShared,
  "matmul_vec4.wgsl": matmulVec4,
  "max_pool2d.wgsl": maxPool2d,
  "max_pool2d_grad.wgsl": maxPool2dGrad,
  "nll_loss.wgsl": nllLoss,
  "nll_loss_grad.wgsl": nllLossGrad,
  "record_loss.wgsl": recordLoss,
  "reduce.wgsl": reduce,
  "select_index.wgsl": selectIndex,
  "sgd.wgsl": sgd,
  "sgd_momentum.wgsl": sgdMomentum,
  "shuffle.wgsl": shuffle,
  "strided.wgsl": strided,
  "sum_parts.wgsl": sumParts,
  "unary.wgsl": unary,
};

/** The SHA-256 of them all. */
export function kernelsHash(): Promise<string> {
  const encoder = new TextEncoder();
  return sha256(Object.entries(KERNEL_TEXTS).map((entry) => encoder.encode(JSON.stringify(entry))));
}
