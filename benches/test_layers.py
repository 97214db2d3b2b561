"""What a start costs with many layers: the root filesystem's stage of 64 layers beside one."""

from __future__ import annotations

import io
import json
import statistics
import tarfile
from hashlib import sha256
from pathlib import Path

import roots
from test_stages import stage_of

LAYERS = 64
MOST = 1.3


def test_root_filesystem_of_many_layers(image: str, rounds: int, tmp_path: Path) -> None:
    """At most 1.3 times that of one layer; the two are measured in turn."""
    import fastbox
    from fastbox import images

    images.load(many(tmp_path / "many.tar"))
    plans = {1: fastbox.prepare(image), LAYERS: fastbox.prepare("many-layers")}
    spent: dict[int, list[float]] = {count: [] for count in plans}
    for number in range(rounds + 3):
        for count, plan in plans.items():
            done = plan.run(["/bin/true"], timings=True)
            assert done.exit_code == 0
            assert done.timings
            stage = [us for label, _, us in done.timings if stage_of(label) == "root filesystem"]
            if number >= 3:
                spent[count].append(sum(stage))
    one, all_of_them = (statistics.median(spent[count]) for count in (1, LAYERS))
    ratio = all_of_them / one
    print(f"\nroot filesystem: {one:.0f} µs, of {LAYERS} layers {all_of_them:.0f} µs: {ratio:.2f}")
    if rounds >= 100:
        assert ratio <= MOST


def many(path: Path) -> Path:
    """A docker-archive of busybox's root and 63 layers of a file each."""
    layers = [roots.busybox().read_bytes()]
    for number in range(1, LAYERS):
        layers.append(_tar({f"layer-{number}": b"x", "last": str(number).encode()}))
    digests = [f"sha256:{sha256(layer).hexdigest()}" for layer in layers]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": digests},
    }
    names = [f"{number}/layer.tar" for number in range(LAYERS)]
    item = {"Config": "config.json", "RepoTags": ["many-layers:latest"], "Layers": names}
    members = dict(zip(names, layers, strict=True))
    members["config.json"] = json.dumps(config).encode()
    members["manifest.json"] = json.dumps([item]).encode()
    path.write_bytes(_tar(members))
    return path


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
