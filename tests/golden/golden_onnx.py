"""The operators of the ONNX files that torch.onnx.export writes of the tutorials' networks."""
import io
import struct
import torch


def fields(data):
    """The fields of a protobuf message, by number: whole numbers, floats, or bytes."""
    found, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        tag = varint()
        if tag & 7 == 0:
            value = varint()
        elif tag & 7 == 5:
            value, at = struct.unpack_from("<f", data, at)[0], at + 4
        else:
            length = varint()
            value, at = data[at:at + length], at + length
        found.setdefault(tag >> 3, []).append(value)
    return found


def attribute(data):
    """An attribute's name, and its number or list of numbers."""
    own = fields(data)
    return own[1][0].decode(), own[8] if 8 in own else own.get(2, own.get(3))[0]


def onnx_cases(models):
    """Rows of onnx.jsonl. `models`: name, module and channels of each."""
    for name, module, channels in models:
        file = io.BytesIO()
        torch.onnx.export(module.eval(), torch.zeros(2, channels, 32, 32), file, opset_version=17,
                          input_names=["images"], output_names=["logits"],
                          dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}})
        model = fields(file.getvalue())
        graph = fields(model[7][0])
        nodes = []
        for node in map(fields, graph[1]):
            text = lambda number: [value.decode() for value in node.get(number, [])]
            nodes.append({"name": text(3)[0], "op": text(4)[0], "inputs": text(1), "outputs": text(2),
                          "attributes": dict(sorted(map(attribute, node.get(5, []))))})
        initializers = [{"name": own[8][0].decode(), "shape": own[1]} for own in map(fields, graph[5])]
        yield {"model": name, "ir": model[1][0], "nodes": nodes, "initializers": initializers}
