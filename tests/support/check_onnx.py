"""Checks the .onnx files of a folder by ONNX's own rules: python check_onnx.py FOLDER"""
import glob
import sys
import onnx

paths = glob.glob(sys.argv[1] + "/*.onnx")
for path in paths:
    model = onnx.load(path)
    try:
        onnx.checker.check_model(model, full_check=True)
        inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except Exception as error:
        raise SystemExit(f"{path}: {error}\n{onnx.printer.to_text(model.graph.node)}")
    names = [[d.dim_param or d.dim_value for d in port.type.tensor_type.shape.dim] for port in inferred.graph.output]
    assert all(shape[0] == "batch" for shape in names), (path, names)
print(len(paths), "files")
