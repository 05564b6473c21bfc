// Seeed SenseCAP (and LoRa-E5 kits): [channel, id (2 bytes), value (4 bytes)] repeated, then a checksum of 2 bytes;
// least significant byte first. Source: Seeed, "SenseCAP LoRaWAN sensors, message protocol".
function unsigned(bytes, at, size) {
  var value = 0;
  for (var i = size - 1; i >= 0; i--) value = value * 256 + bytes[at + i];
  return value;
}

function hexadecimal(value) {
  return ("0000000" + value.toString(16).toUpperCase()).slice(-8);
}

function messages(bytes) {
  var found = [], sensor = {};
  for (var at = 0; at + 7 <= bytes.length - 2; at += 7) {
    var channel = bytes[at], id = unsigned(bytes, at + 1, 2), value = unsigned(bytes, at + 3, 4);
    var v = bytes.slice(at + 3, at + 7);
    if (id >= 0x1000) {
      found.push({ type: "report_telemetry", measurementId: id, measurementValue: (value | 0) / 1000 });
    } else if (id === 0) {
      found.push({ type: "upload_version", hardwareVersion: v[3] + "." + v[2], softwareVersion: v[1] + "." + v[0] });
    } else if (id === 7) {
      found.push({ type: "upload_battery", battery: v[0] | v[1] << 8 });
      found.push({ type: "upload_interval", interval: (v[2] | v[3] << 8) * 60 });
    } else if (id === 0x120) {
      found.push({ type: "report_remove_sensor", channel: channel });
    } else if (id === 2) {
      sensor.low = hexadecimal(value);
    } else if (id === 3) {
      sensor.high = hexadecimal(value);
    }
    if (sensor.low && sensor.high) {
      found.push({ type: "upload_sensor_id", channel: channel, sensorId: sensor.high + sensor.low });
      sensor = {};
    }
  }
  return found;
}

function decodeUplink(input) {
  var bytes = input.bytes;
  if (bytes.length < 9 || (bytes.length - 2) % 7) return { errors: ["the frame has no whole number of messages"] };
  var payload = bytes.map(function (byte) { return ("0" + byte.toString(16).toUpperCase()).slice(-2); }).join("");
  return { data: { valid: true, err: 0, payload: payload, messages: messages(bytes) } };
}
