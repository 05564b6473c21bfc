// Bosch parking lot sensor TPS110. Source: Bosch, "Parking Lot Sensor, communication interface".
var RESETS = { 1: "watchdog", 2: "power on", 3: "system request" };

function startup(bytes) {
  var codes = [];
  for (var at = 0; at < 12; at += 4) {
    var code = bytes[at] + bytes[at + 1] * 256 + bytes[at + 2] * 65536 + bytes[at + 3] * 16777216;
    if (code) codes.push(code);
  }
  return {
    type: "startup",
    debugCodes: codes,
    firmwareVersion: bytes[12] + "." + bytes[13] + "." + bytes[14],
    resetCause: RESETS[bytes[15]] || "other",
    occupied: (bytes[16] & 1) === 1,
  };
}

function decodeUplink(input) {
  var bytes = input.bytes;
  if (input.fPort === 1 && bytes.length === 1) {
    return { data: { type: "parking status", occupied: (bytes[0] & 1) === 1 } };
  }
  if (input.fPort === 2 && bytes.length === 2) {
    return { data: { type: "heartbeat", occupied: (bytes[0] & 1) === 1, temperature: bytes[1] << 24 >> 24 } };
  }
  if (input.fPort === 3 && bytes.length >= 16) return { data: startup(bytes) };
  return { errors: ["unknown FPort or length"] };
}
