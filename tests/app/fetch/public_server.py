"""A server of pictures on this machine that misbehaves as it is told to."""

import gzip
import io
import threading
import time
from collections import Counter, defaultdict
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import tifffile
from PIL import Image
from scipy.ndimage import gaussian_filter

COLOURS = ("red", "green", "blue", "yellow")
_HUES = {"red": (0,), "green": (1,), "blue": (2,), "yellow": (0, 1)}
HTML = b"<!doctype html><html><body>Be back soon.</body></html>"
# What passes: the picture comes at a later try. `pause` asks to wait with Retry-After.
PASSING = (
    *("stall", "truncated", "longer", "shorter", "chopped", "html", "empty"),
    *("429", "503", "500", "pause", "size", "hang_up"),
)
LASTING = ("404", "403", "html", "503", "stall", "size", "chopped", "shorter")


def pixels(seed, size=48):
    """A grey picture with some structure."""
    noise = np.random.default_rng(seed).normal(0, 1, (size, size))
    smooth = gaussian_filter(noise, 3)
    return (20 + 200 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)


def jpeg(grey, colour):
    """The picture in its stain's colour, as the atlas serves it."""
    planes = np.zeros((*grey.shape, 3), np.uint8)
    for hue in _HUES[colour]:
        planes[..., hue] = grey
    stream = io.BytesIO()
    Image.fromarray(planes).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def tiff(grey):
    """The picture as gzip-ed TIFF, and as TIFF."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, grey, photometric="minisblack")
    return gzip.compress(stream.getvalue(), mtime=0), stream.getvalue()


class Public:
    """Pictures by path, and how each request for them is answered.

    Args:
        delay: Seconds before each answer.
    """

    def __init__(self, delay=0.0):
        self.files = {}
        self.ways = defaultdict(list)
        self.asked = Counter()
        self.times = []
        self.delay = delay
        self.over = threading.Event()
        self.address = ""
        self._lock = threading.Lock()

    def add(self, stem, seed, size=48):
        """Serve all four channels of a field; their JPEG bytes by colour."""
        made = {c: jpeg(pixels(10 * seed + n, size), c) for n, c in enumerate(COLOURS)}
        self.files |= {f"/{stem}_{colour}.jpg": content for colour, content in made.items()}
        return made

    def way(self, path):
        """How this request is answered; the last way lasts."""
        with self._lock:
            number = self.asked[path]
            self.asked[path] += 1
            self.times.append(time.monotonic())
        ways = self.ways.get(path) or ["good"]
        return ways[min(number, len(ways) - 1)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def log_message(self, *_):
        """Say nothing."""

    def do_GET(self):
        public = self.server.public
        if public.delay:
            public.over.wait(public.delay)
        way, content = public.way(self.path), public.files.get(self.path)
        if content is None and way == "good":
            way = "404"
        if way.isdecimal() or way == "pause":
            self._refuse(503 if way == "pause" else int(way), pause=way == "pause")
        elif way == "stall":
            self._head(len(content))
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            public.over.wait(30)
            self.close_connection = True
        elif way == "hang_up":
            self.close_connection = True
        else:
            self._send(way, content)

    def _send(self, way, content):
        half = content[: len(content) // 2]
        claimed, sent = {
            "good": (len(content), content),
            "truncated": (len(content), half),
            "longer": (len(content) + 1000, content),
            "shorter": (len(half), content),
            "chopped": (None, half),
            "html": (len(HTML), HTML),
            "empty": (0, b""),
            "size": (len(_small(self.path)), _small(self.path)),
        }[way]
        self._head(claimed)
        self.wfile.write(sent)
        self.close_connection = way != "good"

    def _head(self, length):
        self.send_response(200)
        if length is None:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _refuse(self, status, *, pause):
        self.send_response(status)
        if pause:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "0")
        self.end_headers()


def _small(path):
    return jpeg(pixels(7, 16), path.rsplit("_", 1)[-1].split(".")[0])


class _Server(ThreadingHTTPServer):
    """Answers as its `public` says; what a client breaks off is nobody's concern."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, public):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.public = public

    def handle_error(self, *_):
        """Say nothing."""


@contextmanager
def serving(public):
    """Serve on the loopback address until the block ends."""
    server = _Server(public)
    public.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield public
    finally:
        public.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def write_list(path, rows):
    """The challenge's list: address, locations, cell line, whether in the training set, classes."""
    lines = ["Image,Label,Cellline,in_trainset,Label_idx"]
    lines += [f'{a},"{label}",{line},{mark},{index}' for a, label, line, mark, index in rows]
    path.write_text("\n".join(lines) + "\n")
    return path
