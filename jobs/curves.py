"""What the curves of a drawn movement move, and how far."""

from enum import StrEnum


class CurveName(StrEnum):
    """What a curve moves. Each is 0 at rest; left and right are sides of the picture."""

    YAW = "yaw"
    PITCH = "pitch"
    ROLL = "roll"
    TX = "tx"
    TY = "ty"
    ZOOM = "zoom"
    GAZE_X = "gaze_x"
    GAZE_Y = "gaze_y"
    BLINK_LEFT = "blink_left"
    BLINK_RIGHT = "blink_right"
    SQUINT = "squint"
    WIDE = "wide"
    BROW = "brow"
    BROW_LEFT = "brow_left"
    BROW_RIGHT = "brow_right"
    BROW_INNER = "brow_inner"
    BROW_DOWN = "brow_down"
    SMILE = "smile"
    SMILE_LEFT = "smile_left"
    SMILE_RIGHT = "smile_right"
    FROWN = "frown"
    JAW = "jaw"
    PUCKER = "pucker"
    STRETCH = "stretch"
    UPPER_LIP = "upper_lip"
    LOWER_LIP = "lower_lip"
    PRESS = "press"
    MOUTH_X = "mouth_x"
    SNEER = "sneer"
    CHEEKS = "cheeks"


LIMITS: dict[CurveName, tuple[float, float]] = dict.fromkeys(CurveName, (0.0, 1.0)) | {
    CurveName.YAW: (-0.35, 0.35),
    CurveName.PITCH: (-0.35, 0.35),
    CurveName.ROLL: (-0.45, 0.45),
    CurveName.TX: (-40.0, 40.0),
    CurveName.TY: (-40.0, 40.0),
    CurveName.ZOOM: (-0.2, 0.2),
    CurveName.GAZE_X: (-1.0, 1.0),
    CurveName.GAZE_Y: (-1.0, 1.0),
    CurveName.MOUTH_X: (-1.0, 1.0),
}
"""Beyond these a warped picture tears: rad, px of a face 128 px wide, and shares of 1."""
