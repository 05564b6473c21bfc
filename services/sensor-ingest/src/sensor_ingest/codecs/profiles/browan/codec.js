// Browan Tabs sensors: a byte of status, one of battery, one of the board's temperature, then the measurement, least
// significant byte first. The kind of sensor stands in the port. Source: Browan, "Tabs, reference manuals".
function unsigned(bytes, at, size) {
  var value = 0;
  for (var i = size - 1; i >= 0; i--) value = value * 256 + bytes[at + i];
  return value;
}

function common(bytes) {
  return { battery: (25 + (bytes[1] & 0x0f)) / 10, temperatureBoard: (bytes[2] & 0x7f) - 32 };
}

function ambientLight(bytes, data) {
  data.darker = bytes[0] & 1;
  data.lighter = bytes[0] >> 1 & 1;
  data.statusChange = bytes[0] >> 4 & 1;
  data.keepAlive = bytes[0] >> 5 & 1;
  data.lux = unsigned(bytes, 3, 3) / 100;
}

function door(bytes, data) {
  data.status = bytes[0] & 1;
  data.time = unsigned(bytes, 3, 2);
  data.count = unsigned(bytes, 5, 3);
}

// port: number of bytes, function
var PORTS = { 100: [8, door], 104: [6, ambientLight] };

function decodeUplink(input) {
  var kind = PORTS[input.fPort];
  if (!kind) return { errors: ["unknown FPort"] };
  if (input.bytes.length !== kind[0]) return { errors: ["the frame has another length"] };
  var data = common(input.bytes);
  kind[1](input.bytes, data);
  return { data: data };
}
