// Talkpool OY sensors of climate, air and meters; the model stands in the variable "model".
// Temperature and humidity share three bytes: the high 8 bits of each, then the low 4 bits of both.
// Source: Talkpool's product manuals, section "Uplink".
function climate(bytes, at) {
  return {
    Temperature: ((bytes[at] << 4 | bytes[at + 2] >> 4) - 800) / 10,
    RelativeHumidity: ((bytes[at + 1] << 4 | bytes[at + 2] & 15) - 250) / 10,
  };
}

function unsigned(bytes, at) {
  return bytes[at] << 8 | bytes[at + 1];
}

function oy1110(bytes, port) {
  if (port === 2 && bytes.length === 3) return climate(bytes, 0);
  // several values, the newest first, behind the byte of their distance in time
  if (port === 3 && bytes.length >= 4) return climate(bytes, 1);
}

function oy1200(bytes, port) {
  if (port !== 1 || bytes.length < 10) return undefined;
  return {
    CO2Raw: unsigned(bytes, 2),
    CO2Filtered: unsigned(bytes, 4),
    Temperature: ((bytes[6] << 24 >> 16) | bytes[7]) / 100,
    Humidity: unsigned(bytes, 8) / 100,
  };
}

function oy1320(bytes, port) {
  if (port !== 2 || bytes.length !== 6) return undefined;
  return { Status: String(bytes[2]), MeterReading: bytes[3] * 65536 + unsigned(bytes, 4) };
}

function oy1700(bytes, port) {
  if (port !== 2 || bytes.length !== 9) return undefined;
  var data = climate(bytes, 0);
  data.PM1_0 = unsigned(bytes, 3);
  data.PM2_5 = unsigned(bytes, 5);
  data.PM_10 = unsigned(bytes, 7);
  return data;
}

var MODELS = { oy1110: oy1110, oy1200: oy1200, oy1320: oy1320, oy1700: oy1700 };

function decodeUplink(input) {
  var model = MODELS[input.variables.model];
  if (!model) return { errors: ["unknown model"] };
  var data = model(input.bytes, input.fPort);
  return data ? { data: data } : { errors: ["unknown FPort or length"] };
}
