"""What `inspect` shows of an image: Docker's document."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from fastbox.images import Image

# Docker's config of a container, of which an image may set a part, in its order.
_CONFIG: dict[str, Any] = {
    "Hostname": "",
    "Domainname": "",
    "User": "",
    "AttachStdin": False,
    "AttachStdout": False,
    "AttachStderr": False,
    "ExposedPorts": ...,
    "Tty": False,
    "OpenStdin": False,
    "StdinOnce": False,
    "Env": None,
    "Cmd": None,
    "Healthcheck": ...,
    "ArgsEscaped": ...,
    "Image": "",
    "Volumes": None,
    "WorkingDir": "",
    "Entrypoint": None,
    "OnBuild": None,
    "Labels": None,
    "StopSignal": ...,
    "StopTimeout": ...,
    "Shell": ...,
}


def document(image: Image) -> dict[str, Any]:
    """Docker's JSON document of an image."""
    config = image.document()
    history = config.get("history") or [{}]
    variant = {"Variant": config["variant"]} if config.get("variant") else {}
    return {
        "Id": image.id,
        "RepoTags": image.tags,
        "RepoDigests": image.digests,
        "Parent": "",
        "Comment": history[-1].get("comment") or "",
        "Created": image.created,
        "DockerVersion": config.get("docker_version") or "",
        "Author": config.get("author") or "",
        "Config": _config(image.config),
        "Architecture": config.get("architecture", ""),
        **variant,
        "Os": config.get("os", ""),
        "Size": image.size,
        "VirtualSize": image.size,
        "GraphDriver": {"Data": _directories(image), "Name": "overlay"},
        "RootFS": {"Type": "layers", "Layers": config["rootfs"]["diff_ids"]},
        "Metadata": {"LastTagTime": image.tagged},
    }


def _config(given: dict[str, Any]) -> dict[str, Any]:
    """The image's config, complete. Where `...` stands a field is left out unless it is set."""
    merged = {name: given.get(name, default) for name, default in _CONFIG.items()}
    merged.update((name, value) for name, value in given.items() if name not in _CONFIG)
    return {name: value for name, value in merged.items() if value is not ...}


def _directories(image: Image) -> dict[str, str]:
    *lower, upper = image.layers or [""]
    data = {"LowerDir": ":".join(reversed(lower))} if lower else {}
    return {**data, "UpperDir": upper}


def history(image: Image) -> list[dict[str, Any]]:
    """How the image was made, the last step first, with Docker's names.

    The size is of the layer that the step made, 0 where it made none and None where it is unknown.
    """
    steps = image.document().get("history") or []
    with_layer = sum(not step.get("empty_layer", False) for step in steps)
    known = image.layer_sizes if len(image.layer_sizes) == with_layer else [None] * with_layer
    sizes = iter(known)
    rows = [
        {
            "Id": "<missing>",
            "Created": step.get("created") or "",
            "CreatedBy": step.get("created_by") or "",
            "Tags": None,
            "Size": 0 if step.get("empty_layer", False) else next(sizes),
            "Comment": step.get("comment") or "",
        }
        for step in steps
    ]
    if rows:
        rows[-1].update(Id=image.id, Tags=image.tags or None)
    return rows[::-1]
