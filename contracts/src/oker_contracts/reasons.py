"""Why a message or a reading was not accepted: a closed list of codes, each with its meaning.

The codes are part of the contract with companies: a code is never renamed or given another meaning.
"""

from enum import StrEnum


class Reason(StrEnum):
    """A reason code; ``Reason.meaning`` says it in a sentence."""

    meaning: str

    def __new__(cls, code: str, meaning: str) -> "Reason":
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    # The envelope (CloudEvents 1.0)
    BODY_EMPTY = "body_empty", "The message has no body; send the event's data as JSON."
    BODY_TOO_LARGE = "body_too_large", "The message is larger than the limit; split it."
    ENCODING_INVALID = "encoding_invalid", "The body is not UTF-8."
    JSON_BROKEN = "json_broken", "The body is not JSON (RFC 8259)."
    JSON_TOO_DEEP = "json_too_deep", "The JSON is nested too deeply."
    CONTENT_TYPE_UNSUPPORTED = (
        "content_type_unsupported",
        "Send application/json or application/cloudevents+json.",
    )
    ATTRIBUTE_MISSING = "attribute_missing", "A required CloudEvents attribute is missing."
    ATTRIBUTE_INVALID = "attribute_invalid", "A CloudEvents attribute has no valid value."
    SPECVERSION_UNSUPPORTED = "specversion_unsupported", "Only CloudEvents 1.0 is spoken here."
    TYPE_UNKNOWN = "type_unknown", "No event of this type is in the catalog."
    VERSION_UNKNOWN = "version_unknown", "The event exists, but not in this version."
    TYPE_NOT_CLAIMABLE = (
        "type_not_claimable",
        "The type is a fact of the platform; companies may only send claims.",
    )
    TYPE_MISMATCH = "type_mismatch", "The CloudEvents type differs from the subject it was published on."
    # The data
    FIELD_MISSING = "field_missing", "A required field is missing."
    FIELD_TYPE_WRONG = "field_type_wrong", "A field has the wrong JSON type."
    FIELD_VALUE_INVALID = "field_value_invalid", "A field's value is outside of what the contract allows."
    NUMBER_OUT_OF_RANGE = "number_out_of_range", "A number is infinite or too large to be a measurement."
    # Readings
    DEVICE_UNKNOWN = "device_unknown", "The company has not declared this device."
    PROPERTY_UNKNOWN = "property_unknown", "The device has no datastream for this property."
    UNIT_MISMATCH = "unit_mismatch", "The unit differs from the datastream's."
    UNIT_CHANGED = "unit_changed", "A datastream's unit or dataset cannot be changed; declare a new property."
    UNIT_UNKNOWN = "unit_unknown", "The unit is not of UCUM (Unified Code for Units of Measure), as in Cel or ug/m3."
    VALUE_IMPLAUSIBLE = (
        "value_implausible",
        "The value lies outside of the range that the datastream was declared with.",
    )
    TIME_IN_FUTURE = "time_in_future", "The phenomenon time lies in the future; check the device's clock."
    TIME_TOO_OLD = "time_too_old", "The phenomenon time lies before the year 2000; check the device's clock."
    DATASET_UNKNOWN = "dataset_unknown", "The company has no dataset of this name."
    HARDWARE_TAKEN = "hardware_taken", "The hardware is at another device; say since when it measures at this one."
    TOPIC_UNMAPPED = "topic_unmapped", "No intake is mapped to this MQTT topic."
    DIALECT_FOREIGN = (
        "dialect_foreign",
        "The message is of a network server or version that is not read here.",
    )
    PAYLOAD_UNDECODABLE = "payload_undecodable", "The device's codec cannot read these bytes."
    CODEC_MISSING = "codec_missing", "The device sends raw bytes and has no codec."
    CODEC_SUSPENDED = (
        "codec_suspended",
        "The device's codec ran out of time again and again and rests; send the message again later.",
    )
    PROFILE_UNKNOWN = "profile_unknown", "No device profile of this name and version is known."
    PROFILE_INVALID = "profile_invalid", "The device profile cannot be used; its codec fails its own test vectors."
    TOPIC_MISMATCH = "topic_mismatch", "The topic names another device than the message."
    # Projects
    PROPOSAL_REFERENCE_UNKNOWN = (
        "proposal_reference_unknown",
        "A field of action or goal is not in the catalogue.",
    )
    # The platform
    HANDLER_FAILED = (
        "handler_failed",
        "The service failed on this message again and again: a bug, its owner is told.",
    )
    WAITED_TOO_LONG = "waited_too_long", "What the message waits for did not come in time."


class Refused(Exception):
    """A message or reading that can never be accepted as it stands.

    Args:
        reason: the code.
        path: where in the message, as a JSON path (``$.results[0].value``) or the name of a header.
        detail: one sentence for the sender; holds no values of the message but names and limits.
    """

    def __init__(self, reason: Reason, path: str = "$", detail: str = "") -> None:
        super().__init__(f"{reason} at {path}: {detail or reason.meaning}")
        self.reason = reason
        self.path = path
        self.detail = detail or reason.meaning
