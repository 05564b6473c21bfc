// Milesight IoT sensors: [channel, type, value…] repeated, least significant byte first. The meaning of a channel
// differs between models; the model stands in the variable "model".
// Source: Milesight's user guides, "Device payload".
function unsigned(bytes, at, size) {
  var value = 0;
  for (var i = size - 1; i >= 0; i--) value = value * 256 + bytes[at + i];
  return value;
}

function value(bytes, at, size, isSigned) {
  var raw = unsigned(bytes, at, size), limit = Math.pow(2, 8 * size);
  return isSigned && raw >= limit / 2 ? raw - limit : raw;
}

// [name, size, divisor, signed]
var EVERYWHERE = {
  "01 75": [["battery", 1]],
  "03 67": [["temperature", 2, 10, true]],
  "04 68": [["humidity", 1, 2]],
};
var INDOOR_AIR = {
  "05 6a": [["activity", 2]],
  "06 65": [["illumination", 2], ["infrared_and_visible", 2], ["infrared", 2]],
  "07 7d": [["co2", 2]],
  "08 7d": [["tvoc", 2]],
  "09 73": [["pressure", 2, 10]],
};
var AMBIENCE = {
  "05 00": [["pir", 1]],
  "06 cb": [["light_level", 1]],
  "07 7d": [["co2", 2]],
  "08 7d": [["tvoc", 2]],
  "09 73": [["pressure", 2, 10]],
  "0a 7d": [["hcho", 2, 100]],
  "0b 7d": [["pm2_5", 2]],
  "0c 7d": [["pm10", 2]],
  "0d 7d": [["o3", 2, 100]],
  "0e 01": [["beep", 1]],
};
var LEVEL = { "03 82": [["distance", 2]], "04 00": [["position", 1]] };
var LEVEL_AND_HEAT = {
  "04 82": [["distance", 2]],
  "05 00": [["position", 1]],
  "83 67": [["temperature", 2, 10, true], ["temperature_abnormal", 1]],
  "84 82": [["distance", 2], ["distance_alarming", 1]],
};
var MODELS = {
  am102: {}, am103: { "07 7d": [["co2", 2]] }, am107: INDOOR_AIR, am307: AMBIENCE, am308: AMBIENCE, am319: AMBIENCE,
  "em300-th": {},
  "em300-mld": { "05 00": [["leakage_status", 1]] },
  "em300-sld": { "05 00": [["leakage_status", 1]] },
  "em300-cl": { "03 ed": [["liquid", 1]] },
  "em300-di": { "05 00": [["input", 1]], "05 c8": [["pulse", 4]] },
  "em310-tilt": {
    "03 cf": [["angle_x", 2, 100, true], ["angle_y", 2, 100, true], ["angle_z", 2, 100, true], ["threshold", 1]],
  },
  "em310-udl": LEVEL,
  "em400-tld": LEVEL_AND_HEAT,
  "em500-pt100": {},
  "em500-swl": { "03 77": [["water_level", 2]] },
  gs301: {
    "02 67": [["temperature", 2, 10, true]],
    "03 68": [["humidity", 1, 2]],
    "04 7d": [["nh3", 2, 100]],
    "05 7d": [["h2s", 2, 100]],
  },
  ts101: { "83 67": [["temperature", 2, 10, true], ["temperature_alarm", 1]] },
  vs132: {
    "03 d2": [["total_counter_in", 4]],
    "04 d2": [["total_counter_out", 4]],
    "05 cc": [["periodic_counter_in", 2], ["periodic_counter_out", 2]],
  },
  vs330: { "02 82": [["distance", 2]], "03 8e": [["occupancy", 1]], "04 8e": [["calibration", 1]] },
  vs340: { "03 00": [["occupancy", 1]] },
  vs351: {
    "03 cc": [["total_in", 2], ["total_out", 2]],
    "04 cc": [["period_in", 2], ["period_out", 2]],
    "84 cc": [["total_in", 2], ["total_out", 2], ["total_count_alarm", 1]],
    "85 cc": [["period_in", 2], ["period_out", 2], ["period_count_alarm", 1]],
  },
  ws101: { "ff 2e": [["press", 1]] },
  ws201: { "03 82": [["distance", 2]], "04 d6": [["remaining", 1]] },
  ws302: { "05 5b": [["weighting", 1], ["LAF", 2, 10], ["LAeq", 2, 10], ["LAFmax", 2, 10]] },
};
// ff: what the device is; the number of bytes that follow
var DEVICE = { 0x01: 1, 0x08: 6, 0x09: 2, 0x0a: 2, 0x0b: 1, 0x0f: 1, 0x16: 8, 0x18: 1, 0x1f: 4, 0xff: 2, 0xfe: 1 };

function pair(bytes, at) {
  return bytes.slice(at, at + 2).map(function (byte) { return ("0" + byte.toString(16)).slice(-2); }).join(" ");
}

function decodeUplink(input) {
  var bytes = input.bytes, model = MODELS[input.variables.model], data = {}, at = 0;
  if (!model) return { errors: ["unknown model"] };
  while (at + 1 < bytes.length) {
    var place = pair(bytes, at), channel = bytes[at], fields = model[place] || EVERYWHERE[place];
    at += 2;
    if (channel === 0xff && DEVICE[bytes[at - 1]] !== undefined) {
      at += DEVICE[bytes[at - 1]];
      continue;
    }
    // kept values of an earlier time, sent again on request
    if (place === "20 ce") return { data: data, warnings: ["history is not read"] };
    if (!fields) return { errors: ["channel and type " + place + " are not of this model"] };
    for (var i = 0; i < fields.length; i++) {
      var field = fields[i];
      if (at + field[1] > bytes.length) return { errors: ["the frame ends too early"] };
      data[field[0]] = value(bytes, at, field[1], field[3]) / (field[2] || 1);
      at += field[1];
    }
  }
  return { data: data };
}
