// ELSYS sensors (ERS, EMS, ELT families): [type, value…] repeated, most significant byte first.
// Source: ELSYS, "Payload format for Elsys sensors".
function integer(bytes, at, size, isSigned) {
  var value = 0;
  for (var i = 0; i < size; i++) value = value * 256 + bytes[at + i];
  return isSigned && bytes[at] & 0x80 ? value - Math.pow(2, 8 * size) : value;
}

// type: list of [name, size, signed, divisor]
var TYPES = {
  0x01: [["temperature", 2, true, 10]],
  0x02: [["humidity", 1]],
  0x03: [["x", 1, true], ["y", 1, true], ["z", 1, true]],
  0x04: [["light", 2]],
  0x05: [["motion", 1]],
  0x06: [["co2", 2]],
  0x07: [["vdd", 2]],
  0x08: [["analog1", 2]],
  0x09: [["lat", 3, true, 10000], ["long", 3, true, 10000]],
  0x0a: [["pulse1", 2]],
  0x0b: [["pulseAbs1", 4]],
  0x0c: [["externalTemperature1", 2, true, 10]],
  0x0d: [["digital", 1]],
  0x0e: [["distance", 2]],
  0x0f: [["accMotion", 1]],
  0x10: [["irInternalTemperature", 2, true, 10], ["irExternalTemperature", 2, true, 10]],
  0x11: [["occupancy", 1]],
  0x12: [["waterleak", 1]],
  0x14: [["pressure", 4, false, 1000]],
  0x15: [["soundPeak", 1], ["soundAvg", 1]],
  0x16: [["pulse2", 2]],
  0x17: [["pulseAbs2", 4]],
  0x18: [["analog2", 2]],
  0x19: [["externalTemperature2", 2, true, 10]],
  0x1a: [["digital2", 1]],
  0x1b: [["analogUv", 4, true]],
  0x1c: [["tvoc", 2]],
};
var SKIPPED = { 0x13: 65, 0x3d: 4 };
var SETTINGS = 0x3e;

function decodeUplink(input) {
  var bytes = input.bytes, data = {}, at = 0;
  while (at < bytes.length) {
    var type = bytes[at++];
    if (type === SETTINGS) return { data: data };
    if (SKIPPED[type]) {
      at += SKIPPED[type];
      continue;
    }
    var fields = TYPES[type];
    if (!fields) return { errors: ["unknown type " + type] };
    for (var i = 0; i < fields.length; i++) {
      var field = fields[i];
      if (at + field[1] > bytes.length) return { errors: ["the frame ends too early"] };
      data[field[0]] = integer(bytes, at, field[1], field[2]) / (field[3] || 1);
      at += field[1];
    }
  }
  return { data: data };
}
