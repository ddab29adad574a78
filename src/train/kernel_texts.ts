/**
 * The texts of all kernels, so that what was measured with other texts is known to be out of date. A test compares the list
 * with the folder.
 *
 * @module
 */
import activation from "../../shaders/activation.wgsl" with { type: "text" };
import adadelta from "../../shaders/adadelta.wgsl" with { type: "text" };
import adagrad from "../../shaders/adagrad.wgsl" with { type: "text" };
import adam from "../../shaders/adam.wgsl" with { type: "text" };
import adamax from "../../shaders/adamax.wgsl" with { type: "text" };
import avgPool2d from "../../shaders/avg_pool2d.wgsl" with { type: "text" };
import benchCount from "../../shaders/bench_count.wgsl" with { type: "text" };
import benchFma from "../../shaders/bench_fma.wgsl" with { type: "text" };
import benchStream from "../../shaders/bench_stream.wgsl" with { type: "text" };
import binary from "../../shaders/binary.wgsl" with { type: "text" };
import cat from "../../shaders/cat.wgsl" with { type: "text" };
import checkFinite from "../../shaders/check_finite.wgsl" with { type: "text" };
import clipGrad from "../../shaders/clip_grad.wgsl" with { type: "text" };
import conv2d from "../../shaders/conv2d.wgsl" with { type: "text" };
import conv2dGradWeight from "../../shaders/conv2d_grad_weight.wgsl" with { type: "text" };
import conv2dGradWeightShared from "../../shaders/conv2d_grad_weight_shared.wgsl" with { type: "text" };
import conv2dPool from "../../shaders/conv2d_pool.wgsl" with { type: "text" };
import conv2dShared from "../../shaders/conv2d_shared.wgsl" with { type: "text" };
import crossEntropy from "../../shaders/cross_entropy.wgsl" with { type: "text" };
import crossEntropyGrad from "../../shaders/cross_entropy_grad.wgsl" with { type: "text" };
import dropout from "../../shaders/dropout.wgsl" with { type: "text" };
import ema from "../../shaders/ema.wgsl" with { type: "text" };
import gatherBatch from "../../shaders/gather_batch.wgsl" with { type: "text" };
import gradNorm from "../../shaders/grad_norm.wgsl" with { type: "text" };
import labelWeights from "../../shaders/label_weights.wgsl" with { type: "text" };
import lion from "../../shaders/lion.wgsl" with { type: "text" };
import logSoftmax from "../../shaders/log_softmax.wgsl" with { type: "text" };
import logSoftmaxGrad from "../../shaders/log_softmax_grad.wgsl" with { type: "text" };
import lookahead from "../../shaders/lookahead.wgsl" with { type: "text" };
import matmul from "../../shaders/matmul.wgsl" with { type: "text" };
import matmulShared from "../../shaders/matmul_shared.wgsl" with { type: "text" };
import matmulVec4 from "../../shaders/matmul_vec4.wgsl" with { type: "text" };
import maxPool2d from "../../shaders/max_pool2d.wgsl" with { type: "text" };
import maxPool2dGrad from "../../shaders/max_pool2d_grad.wgsl" with { type: "text" };
import nadam from "../../shaders/nadam.wgsl" with { type: "text" };
import nllLoss from "../../shaders/nll_loss.wgsl" with { type: "text" };
import nllLossGrad from "../../shaders/nll_loss_grad.wgsl" with { type: "text" };
import norm from "../../shaders/norm.wgsl" with { type: "text" };
import normCombine from "../../shaders/norm_combine.wgsl" with { type: "text" };
import normGrad from "../../shaders/norm_grad.wgsl" with { type: "text" };
import normRunning from "../../shaders/norm_running.wgsl" with { type: "text" };
import normStats from "../../shaders/norm_stats.wgsl" with { type: "text" };
import normSums from "../../shaders/norm_sums.wgsl" with { type: "text" };
import optimizerScalars from "../../shaders/optimizer_scalars.wgsl" with { type: "text" };
import optimizerUpdate from "../../shaders/optimizer_update.wgsl" with { type: "text" };
import pad from "../../shaders/pad.wgsl" with { type: "text" };
import pick from "../../shaders/pick.wgsl" with { type: "text" };
import pointwiseLoss from "../../shaders/pointwise_loss.wgsl" with { type: "text" };
import radam from "../../shaders/radam.wgsl" with { type: "text" };
import recordLoss from "../../shaders/record_loss.wgsl" with { type: "text" };
import reduce from "../../shaders/reduce.wgsl" with { type: "text" };
import rmsprop from "../../shaders/rmsprop.wgsl" with { type: "text" };
import selectIndex from "../../shaders/select_index.wgsl" with { type: "text" };
import sgd from "../../shaders/sgd.wgsl" with { type: "text" };
import sgdMomentum from "../../shaders/sgd_momentum.wgsl" with { type: "text" };
import shuffle from "../../shaders/shuffle.wgsl" with { type: "text" };
import softCrossEntropy from "../../shaders/soft_cross_entropy.wgsl" with { type: "text" };
import strided from "../../shaders/strided.wgsl" with { type: "text" };
import sumParts from "../../shaders/sum_parts.wgsl" with { type: "text" };
import unary from "../../shaders/unary.wgsl" with { type: "text" };
import upsampleNearest2d from "../../shaders/upsample_nearest2d.wgsl" with { type: "text" };
import { sha256 } from "../data/files.ts";

/** Every file of `shaders/`. */
export const KERNEL_TEXTS: Readonly<Record<string, string>> = {
  "activation.wgsl": activation,
  "adadelta.wgsl": adadelta,
  "adagrad.wgsl": adagrad,
  "adam.wgsl": adam,
  "adamax.wgsl": adamax,
  "avg_pool2d.wgsl": avgPool2d,
  "bench_count.wgsl": benchCount,
  "bench_fma.wgsl": benchFma,
  "bench_stream.wgsl": benchStream,
  "binary.wgsl": binary,
  "cat.wgsl": cat,
  "check_finite.wgsl": checkFinite,
  "clip_grad.wgsl": clipGrad,
  "conv2d.wgsl": conv2d,
  "conv2d_grad_weight.wgsl": conv2dGradWeight,
  "conv2d_grad_weight_shared.wgsl": conv2dGradWeightShared,
  "conv2d_pool.wgsl": conv2dPool,
  "conv2d_shared.wgsl": conv2dShared,
  "cross_entropy.wgsl": crossEntropy,
  "cross_entropy_grad.wgsl": crossEntropyGrad,
  "dropout.wgsl": dropout,
  "ema.wgsl": ema,
  "gather_batch.wgsl": gatherBatch,
  "grad_norm.wgsl": gradNorm,
  "label_weights.wgsl": labelWeights,
  "lion.wgsl": lion,
  "log_softmax.wgsl": logSoftmax,
  "log_softmax_grad.wgsl": logSoftmaxGrad,
  "lookahead.wgsl": lookahead,
  "matmul.wgsl": matmul,
  "matmul_shared.wgsl": matmulShared,
  "matmul_vec4.wgsl": matmulVec4,
  "max_pool2d.wgsl": maxPool2d,
  "max_pool2d_grad.wgsl": maxPool2dGrad,
  "nadam.wgsl": nadam,
  "nll_loss.wgsl": nllLoss,
  "nll_loss_grad.wgsl": nllLossGrad,
  "norm.wgsl": norm,
  "norm_combine.wgsl": normCombine,
  "norm_grad.wgsl": normGrad,
  "norm_running.wgsl": normRunning,
  "norm_stats.wgsl": normStats,
  "norm_sums.wgsl": normSums,
  "optimizer_scalars.wgsl": optimizerScalars,
  "optimizer_update.wgsl": optimizerUpdate,
  "pad.wgsl": pad,
  "pick.wgsl": pick,
  "pointwise_loss.wgsl": pointwiseLoss,
  "radam.wgsl": radam,
  "record_loss.wgsl": recordLoss,
  "reduce.wgsl": reduce,
  "rmsprop.wgsl": rmsprop,
  "select_index.wgsl": selectIndex,
  "sgd.wgsl": sgd,
  "sgd_momentum.wgsl": sgdMomentum,
  "shuffle.wgsl": shuffle,
  "soft_cross_entropy.wgsl": softCrossEntropy,
  "strided.wgsl": strided,
  "sum_parts.wgsl": sumParts,
  "unary.wgsl": unary,
  "upsample_nearest2d.wgsl": upsampleNearest2d,
};

/** The SHA-256 of them all. */
export function kernelsHash(): Promise<string> {
  const encoder = new TextEncoder();
  return sha256(Object.entries(KERNEL_TEXTS).map((entry) => encoder.encode(JSON.stringify(entry))));
}
