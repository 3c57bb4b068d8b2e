"""Records of the previous version, converted to today's form as plain data.

Version 1 kept less of what the gate found. A photo is usable without it; a clip is not: its size
is 0 here, so `Findings.is_complete` is false, and the clip is looked at again, or the order refused
(`OutdatedOrder`).
"""

from fractions import Fraction
from typing import Any

Plain = dict[str, Any]


def movement_before(plain: Any) -> Any:
    """Convert a `Motion`: its clip was a file key."""
    if not isinstance(plain, dict) or "clip_key" not in plain:
        return plain
    key = plain["clip_key"]
    rest = {name: value for name, value in plain.items() if name != "clip_key"}
    return rest if key is None else {**rest, "clip": _clip(key), "frames": 1}


def look_before(plain: Plain) -> Plain:
    """Convert a `LookResult`: it had the fields of photo and clip side by side."""
    size = {name: plain[name] for name in ("width", "height")}
    original = {f"original_{name}": value for name, value in size.items()}
    found: Plain = {
        "photo": {
            "file": plain["photo_key"],
            "sheet": plain["sheet_key"],
            "faces": plain.get("faces", ()),
            "warnings": plain.get("warnings", ()),
            **size,
            **original,
        }
    }
    if plain.get("clip_key") is not None:
        known = {
            "frame_count": plain["clip_frames"],
            "frame_rate": plain["clip_frame_rate"],
            "has_sound": plain["clip_has_sound"],
            "faces": plain.get("clip_faces", ()),
        }
        found["clip"] = _clip(plain["clip_key"]) | known
    return found


def look_job_before(plain: Plain) -> Plain:
    """Convert a `LookJob`: it had its chat, and the part of the clip, which was always all."""
    unused = ("chat", "clip_start_s", "clip_duration_s")
    return {name: value for name, value in plain.items() if name not in unused}


def order_before(plain: Plain) -> Plain:
    """Convert an `Order`: its wish had no value of its own."""
    of_wish = {"photo_key", "face_box", "motion", "options", "frames"}
    kept = {name: value for name, value in plain.items() if name not in of_wish}
    box, key, frames = plain.get("face_box"), plain["photo_key"], plain["frames"]
    movement = movement_before(plain["motion"]) | {"frames": frames}
    if movement.get("clip") is not None:
        movement["clip"] |= {"frame_count": frames}
    wish = {
        "photo": {"file": key, "sheet": key, **_NO_SIZE},
        "face_boxes": () if box is None else (box,),
        "movement": movement,
        "options": plain.get("options", {}),
    }
    return {**kept, "wish": wish}


def result_before(plain: Plain) -> Plain:
    """Convert a `Result`: it had its duration instead of its frame rate."""
    kept = {name: value for name, value in plain.items() if name != "duration_s"}
    frames, duration_s = plain["frame_count"], plain["duration_s"]
    rate = Fraction(frames / duration_s).limit_denominator(1001) if duration_s else Fraction(25)
    return {**kept, "frame_rate": str(rate), "work_frames": frames, "render_s": 0.0}


def delivery_before(plain: Plain) -> Plain:
    """Convert a `DeliveryRecord`: it had Telegram's id of the video."""
    return {name: value for name, value in plain.items() if name != "file_id"}


_OF_DRAFT = ("face_box", "is_all_wanted")


def draft_before(plain: Plain) -> Plain:
    """Convert a `Draft`: it had one face; the names of all movements were not stored."""
    kept = {name: value for name, value in plain.items() if name not in _OF_DRAFT}
    box = plain.get("face_box")
    return {**kept, "face_boxes": () if box is None else (box,)}


_NO_SIZE = {"width": 0, "height": 0, "original_width": 0, "original_height": 0}


def _clip(key: str) -> Plain:
    return {"file": key, "frame_rate": "25", "frame_count": 1, "has_sound": False, **_NO_SIZE}
