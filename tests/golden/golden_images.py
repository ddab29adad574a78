"""images.jsonl and images/: small image files of every kind, made by ImageMagick and PIL (Debian: apt-get install
imagemagick python3-torchvision), with the pixels that PIL reads from them; and resized images, by torchvision.

The pixels of a file are RGB bytes in base64, upright, on white where the file has transparency. 16 bits become 8 by
their upper byte, which PIL does for colours alone. Sources of resizing are hashes (tests/support/random.ts)."""
import base64
import subprocess
import numpy as np
import torchvision.transforms as T
from PIL import Image, ImageOps

WIDTH, HEIGHT = 21, 13

BITS16 = ["-depth", "16", "-define", "png:bit-depth=16"]
# name, arguments of convert between the source and the file
MADE = [
    ("rgb.png", []), ("rgb16.png", ["-evaluate", "add", "99", *BITS16]), ("grey.png", ["-colorspace", "Gray"]),
    ("grey16.png", ["-colorspace", "Gray", *BITS16]), ("interlaced.png", ["-interlace", "PNG"]),
    ("grey_interlaced.png", ["-colorspace", "Gray", "-depth", "2", "-interlace", "PNG"]),
    ("palette8.png", ["-colors", "60", "-define", "png:color-type=3"]),
    ("palette4.png", ["+dither", "-colors", "12", "-define", "png:color-type=3", "-define", "png:bit-depth=4"]),
    ("palette2_interlaced.png", ["+dither", "-colors", "4", "-define", "png:color-type=3", "-define",
                                 "png:bit-depth=2", "-interlace", "PNG"]),
    ("bits.png", ["-monochrome"]), ("base.jpg", ["-quality", "85"]), ("full.jpg", ["-sampling-factor", "1x1"]),
    ("progressive.jpg", ["-interlace", "JPEG"]), ("grey.jpg", ["-colorspace", "Gray"]),
    ("lossy.webp", []), ("lossless.webp", ["-define", "webp:lossless=true"]),
    ("rgb24.bmp", ["-type", "TrueColor", "-define", "bmp:format=bmp3"]),
    ("palette8.bmp", ["-colors", "60", "-compress", "None", "-define", "bmp:format=bmp3"]),
    ("bits.bmp", ["-monochrome"]),
    ("palette4.bmp", ["+dither", "-colors", "12", "-compress", "None", "-define", "bmp:format=bmp3"]),
    ("rle8.bmp", ["+dither", "-colors", "30", "-compress", "RLE", "-define", "bmp:format=bmp3"]),
    ("rgb565.bmp", ["-define", "bmp:subtype=RGB565", "-type", "TrueColor"]),
    ("old.bmp", ["-define", "bmp:format=bmp2", "-type", "TrueColor"]),
]
TRANSPARENT = [
    ("alpha.png", []), ("alpha16.png", ["-evaluate", "add", "99", *BITS16]),
    ("grey_alpha.png", ["-colorspace", "Gray"]),
    ("palette_alpha.png", ["-channel", "A", "-threshold", "50%", "+channel", "-colors", "9", "-define",
                           "png:color-type=3"]),
    ("alpha.webp", []), ("alpha_lossless.webp", ["-define", "webp:lossless=true"]), ("alpha32.bmp", []),
]
SIZES = [(64, 48, 32), (48, 64, 32), (33, 32, 32), (32, 32, 32), (7, 5, 32), (1, 1, 8), (3, 200, 8), (500, 375, 8),
         (100, 8, 8), (8, 101, 8), (9, 26, 8), (13, 11, 8), (1000, 3, 8)]


def encode(pixels):
    return base64.b64encode(np.ascontiguousarray(pixels, np.uint8).tobytes()).decode()


def on_white(image):
    if image.mode in ("I", "I;16"):
        return np.repeat(np.asarray(image).astype(np.int64)[..., None] >> 8, 3, 2)
    if image.mode in ("LA", "RGBA") or "transparency" in image.info:
        rgba = np.asarray(image.convert("RGBA")).astype(np.float64)
        return np.floor((rgba[..., :3] * rgba[..., 3:] + 255 * (255 - rgba[..., 3:])) / 255 + 0.5)
    return np.asarray(image.convert("RGB"))


def source(bits):
    """Slopes of colour with noise, and an alpha channel."""
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    noise = (bits(4000, WIDTH * HEIGHT * 4) % 40).reshape(HEIGHT, WIDTH, 4)
    slopes = np.stack([x * 10, y * 16, 215 - x * 5 - y * 8, x * 3 + y * 11], 2)
    return (slopes + noise).astype(np.uint8)


def image_cases(folder, bits):
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    rgba = source(bits)
    for made, pixels in ((MADE, rgba[..., :3]), (TRANSPARENT, rgba)):
        Image.fromarray(pixels).save(folder / "source.png")
        for name, options in made:
            subprocess.run(["convert-im6.q16", folder / "source.png", "-strip", *options, folder / name], check=True)
    (folder / "source.png").unlink()
    rgb = Image.fromarray(rgba[..., :3])
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        rgb.save(folder / f"orientation{orientation}.jpg", exif=exif, quality=60)
    rgb.save(folder / "orientation6.png", exif=exif.tobytes().replace(b"\x08\x00\x00\x00\x00", b"\x06\x00\x00\x00\x00"))
    exif[0x0112] = 5
    rgb.save(folder / "orientation5.webp", exif=exif, quality=60)
    for path in sorted(folder.iterdir()):
        pixels = on_white(ImageOps.exif_transpose(Image.open(path)))
        yield {"file": path.name, "width": pixels.shape[1], "height": pixels.shape[0], "pixels": encode(pixels)}
    rgb.convert("CMYK").save(folder / "cmyk.jpg")
    for width, height, size in SIZES:
        data = (bits(width * 1000 + height, width * height * 3) & 255).astype(np.uint8).reshape(height, width, 3)
        image = Image.fromarray(data)
        crop = T.CenterCrop(size)(T.Resize(size)(image))
        stretch = T.Resize((size, size))(image)
        yield {"resize": [width, height, size], "crop": encode(crop), "stretch": encode(stretch)}
