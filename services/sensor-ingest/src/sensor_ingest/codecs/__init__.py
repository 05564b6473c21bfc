"""Codecs and device profiles: from bytes, plain JSON and SenML to numbers with property and unit.

No database, no broker. Strangers' JavaScript runs in a process of its own, see :mod:`sensor_ingest.codecs.engine`.
"""

from sensor_ingest.codecs.decoding import decode_frame, decode_frames, decode_json
from sensor_ingest.codecs.javascript import Frame
from sensor_ingest.codecs.profile import Codec, Decoded, Measurement, Profile, TimeFormat, Vector
from sensor_ingest.codecs.shipped import builtin
from sensor_ingest.codecs.vectors import Tried, check_profile, try_vectors

__all__ = [
    "Codec",
    "Decoded",
    "Frame",
    "Measurement",
    "Profile",
    "TimeFormat",
    "Tried",
    "Vector",
    "builtin",
    "check_profile",
    "decode_frame",
    "decode_frames",
    "decode_json",
    "try_vectors",
]
